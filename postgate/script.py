"""A text of many statements, cut where PostgreSQL would cut it, and run as batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from postgate.errors import PostgateError
from postgate.executor.job import Characteristics, Request, Statement
from postgate.results import Format
from postgate.service import Caller, Service
from postgate.validator import TextLimits
from postgate.validator.reading.lexer import LexError, Token, read

# Each statement has its own; of the script itself nothing but its tokens is read.
_NO_LIMITS = TextLimits(characters=2**62, steps=2**62)
# What a statement begins with that delimits batches.
_DELIMITERS = frozenset({"begin", "start", "commit", "end", "rollback", "abort"})
_BEGINS = re.compile(r"(?:BEGIN(?: WORK| TRANSACTION)?|START TRANSACTION)((?: .*)?)", re.DOTALL)
_COMMITS = re.compile(r"(?:COMMIT|END)(?: WORK| TRANSACTION)?(?: AND NO CHAIN)?")
_ROLLS_BACK = re.compile(r"(?:ROLLBACK|ABORT)(?: WORK| TRANSACTION)?(?: AND NO CHAIN)?")
# Of these a transaction takes one after the other, with or without commas (manual, "BEGIN").
_MODE = re.compile(
    r" ?,? (ISOLATION LEVEL (?:SERIALIZABLE|REPEATABLE READ|READ COMMITTED|READ UNCOMMITTED)"
    r"|READ ONLY|READ WRITE|(?:NOT )?DEFERRABLE)"
)
# Where a message of the validator stands, in the statement.
_PLACE = re.compile(r" \(line \d+, column \d+\)$")


class Piece(NamedTuple):
    """A statement of the script, and the line that it begins in, from 1."""

    text: str
    line: int


@dataclass
class Batch:
    """Statements that run in one transaction.

    Attributes:
        begun_in: the line of its BEGIN; None where it has none.
        rolls_back: it ends with ROLLBACK, so it is only tried.
    """

    pieces: list[Piece] = field(default_factory=list)
    modes: tuple[str, ...] = ()
    begun_in: int | None = None
    rolls_back: bool = False


class ScriptError(Exception):
    """A script that cannot be read, or a statement of it that failed; the text begins with its line.

    Attributes:
        batch: how many batches before it have been committed.
    """

    def __init__(self, line: int, message: str, batch: int = 0) -> None:
        super().__init__(f"line {line}: {message}")
        self.batch = batch


def batches_of(script: str) -> list[Batch]:
    """The batches of a script: BEGIN and COMMIT delimit them, what stands outside of these belongs together.

    Raises:
        ScriptError: it is not made of PostgreSQL's tokens, or BEGIN and COMMIT do not fit.
    """
    batches = [Batch()]
    for piece, words in _pieces(script):
        batch = batches[-1]
        if begins := _BEGINS.fullmatch(words):
            if batch.begun_in is not None:
                raise ScriptError(piece.line, f"BEGIN within the transaction that line {batch.begun_in} begins")
            batches.append(Batch(modes=_modes(begins[1], piece), begun_in=piece.line))
        elif _COMMITS.fullmatch(words):
            batches.append(Batch())
        elif _ROLLS_BACK.fullmatch(words):
            if batch.begun_in is None:
                raise ScriptError(piece.line, "ROLLBACK without BEGIN")
            batch.rolls_back = True
            batches.append(Batch())
        else:
            batch.pieces.append(piece)
    if batches[-1].begun_in is not None:
        raise ScriptError(batches[-1].begun_in, "BEGIN without COMMIT")
    return [batch for batch in batches if batch.pieces]


def run(
    service: Service,
    token_hash: str,
    batches: Sequence[Batch],
    new_format: Callable[[], Format],
    progress: Callable[[int], None],
) -> Iterator[list[bytes]]:
    """The answer to each batch, when it has been committed; after one that fails no other is run.

    Args:
        progress: takes how many statements have run.

    Raises:
        ScriptError: a statement failed, or the commit of its batch.
    """
    done = 0
    for number, batch in enumerate(batches):
        request = Request(
            tuple(Statement(piece.text, []) for piece in batch.pieces),
            new_format,
            is_batch=True,
            characteristics=Characteristics(batch.modes, batch.rolls_back),
            on_result=lambda count, before=done: progress(before + count),  # type: ignore[misc]
        )
        try:
            answer = service.run(Caller(token_hash), lambda _, request=request: request)  # type: ignore[misc]
        except PostgateError as error:
            raise _failure(error, batch, number) from error
        # Nobody else is here to wait for memory.
        answer.holding.keep(0)
        yield answer.pieces
        done += len(batch.pieces)


def _failure(error: PostgateError, batch: Batch, number: int) -> ScriptError:
    fields = error.fields
    # Its line and column are of the statement alone.
    message = _PLACE.sub("", error.message)
    piece = batch.pieces[-1 if error.index is None else error.index]
    line = piece.line
    if isinstance(position := fields.get("position"), int):
        line += piece.text.count("\n", 0, position - 1)
    if error.index is None:
        message = f"the batch that ends here failed: {message}"
    if "sqlstate" in fields:
        message += f" ({fields['sqlstate']})"
    message += "".join(f"; {key}: {fields[key]}" for key in ("detail", "hint") if key in fields)
    return ScriptError(line, message, number)


def _pieces(script: str) -> Iterator[tuple[Piece, str]]:
    """Each statement, and the words of those that delimit batches."""
    try:
        tokens = read(script, _NO_LIMITS, rows=True).tokens
    except LexError as error:
        raise ScriptError(error.place.line if error.place else 1, error.message) from error
    line, counted, depth = 1, 0, 0
    statement: list[Token] = []
    for token in [*tokens, None]:
        if token is not None and (token.kind != ";" or depth):
            depth += (token.kind == "(") - (token.kind == ")")
            statement.append(token)
            continue
        if statement:
            start = statement[0].start
            line += script.count("\n", counted, start)
            counted = start
            yield Piece(script[start : statement[-1].end], line), _words(statement)
        statement, depth = [], 0


def _words(statement: list[Token]) -> str:
    if statement[0].value not in _DELIMITERS:
        return ""
    return " ".join(token.text.upper() for token in statement)


def _modes(words: str, piece: Piece) -> tuple[str, ...]:
    modes: list[str] = []
    end = 0
    while end < len(words):
        mode = _MODE.match(words, end)
        if mode is None:
            raise ScriptError(piece.line, "BEGIN takes an isolation level, READ ONLY and DEFERRABLE")
        modes.append(mode[1])
        end = mode.end()
    return tuple(modes)
