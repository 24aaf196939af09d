"""A statement without its constants, and the hash that tells such texts apart, for logs and statistics.

It groups as PostgreSQL's query identifier does (manual, "compute_query_id"), as far as a text tells: constants, white
space, comments and the case of names make no difference. Beyond that it takes lists of values together, of whatever
length, and of constants not the type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

from postgate.validator.lists.keywords import KEYWORDS, RESERVED, TYPE_FUNC_NAME
from postgate.validator.reading.lexer import Token

CONSTANT = "?"
# A list of values in which at least one is a parameter.
PARAMETERS = "$"
_BYTES = 8
_CONSTANTS = frozenset({"SCONST", "BCONST", "XCONST", "ICONST", "FCONST"})
_NUMBERS = frozenset({"ICONST", "FCONST"})
_CONSTANT_WORDS = frozenset({"true", "false", "null"})
# Behind these such a word is no value: IS NOT NULL, ON DELETE SET NULL.
_BEFORE_TESTS = frozenset({"is", "not", "set", "on"})
# Words behind which a + or - is a sign, because they are no operand to its left.
_NO_OPERANDS = (
    (RESERVED | TYPE_FUNC_NAME | {"between", "by", "values"})
    - {"end", "null", "true", "false", "user", "default"}
    - {word for word in RESERVED if word.startswith("current_")}
)
_BEFORE_LISTS = frozenset({"in", "array", "values"})
_VALUES = frozenset({CONSTANT, PARAMETERS, "default"})
_OPENING, _CLOSING = frozenset("(["), frozenset(")]")
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*")
_NAME_LIKE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def fingerprint(tokens: Sequence[Token]) -> str:
    """16 hexadecimal digits, the same for all texts that differ in nothing but constants."""
    return blake2b(" ".join(_pieces(tokens)).encode(), digest_size=_BYTES).hexdigest()


def without_constants(tokens: Sequence[Token]) -> str:
    """The text with ? for each constant. Where a name in double quotes looks like a string it is one too: people mix up
    the quotes, and a value must not get into a log by that."""
    hidden = [
        Token("QIDENT", token.text, CONSTANT, token.start, token.end)
        if token.kind == "QIDENT" and not _NAME_LIKE.fullmatch(token.value)
        else token
        for token in tokens
    ]
    text = " ".join(_pieces(hidden))
    return re.sub(r" ([,).\]])", r"\1", re.sub(r"([(.\[]) ", r"\1", text))


def _pieces(tokens: Sequence[Token]) -> list[str]:
    pieces: list[str] = []
    for position, token in enumerate(tokens):
        kind = token.kind
        if kind in _CONSTANTS:
            if kind in _NUMBERS and pieces and pieces[-1] in ("-", "+") and _is_sign(tokens, position - 1):
                pieces.pop()
            pieces.append(CONSTANT)
        elif kind == "IDENT":
            word = token.value
            if word in _CONSTANT_WORDS and not (pieces and pieces[-1] in _BEFORE_TESTS):
                word = CONSTANT
            pieces.append(word)
        elif kind == "QIDENT":
            is_plain = _PLAIN_NAME.fullmatch(token.value) and token.value not in KEYWORDS
            pieces.append(token.value if is_plain else '"' + token.value.replace('"', '""') + '"')
        elif kind == "PARAM":
            pieces.append("$" + token.value)
        elif kind == "ROW":
            pieces += ("(", CONSTANT, ")")
        else:
            pieces.append(token.value if kind == "OP" else kind)
    while pieces and pieces[-1] == ";":
        pieces.pop()
    return _with_short_lists(pieces)


def _is_sign(tokens: Sequence[Token], position: int) -> bool:
    """Whether a + or - belongs to the number behind it, because there is no operand before it."""
    if position == 0:
        return True
    before = tokens[position - 1]
    if before.kind == "IDENT":
        return before.value in _NO_OPERANDS
    return before.kind in ("OP", "(", "[", ",", ":=", "=>")


def _with_short_lists(pieces: list[str]) -> list[str]:
    """The same with the lists of values behind IN and ARRAY cut down to one value, and the rows of VALUES to those that
    differ in more than values. It takes time in proportion to the length: texts can be long."""
    if _BEFORE_LISTS.isdisjoint(pieces):
        return pieces
    short: list[str] = []
    position, size = 0, len(pieces)
    while position < size:
        word = pieces[position]
        short.append(word)
        position += 1
        if word == "values":
            position = _add_rows(short, pieces, position)
        elif word in _BEFORE_LISTS and (end := _end_of_values(pieces, position)) is not None:
            short += _short(pieces[position:end])
            position = end
    return short


def _add_rows(short: list[str], pieces: list[str], position: int) -> int:
    """Add the rows that begin here; return where they end."""
    row: list[str] = []
    while pieces[position : position + 1] == ["("]:
        end = _end(pieces, position)
        before, row = row, _short(pieces[position:end])
        if row != before:
            short += [",", *row] if before else row
        if pieces[end : end + 2] != [",", "("]:
            return end
        position = end + 1
    return position


def _short(group: list[str]) -> list[str]:
    """A list or row with one value if it has nothing but values, else without the numbers of its parameters."""
    unnumbered = [PARAMETERS if piece.startswith("$") else piece for piece in group]
    values = set(unnumbered[1:-1]) - {","}
    if values and values <= _VALUES:
        return [group[0], PARAMETERS if PARAMETERS in values else CONSTANT, group[-1]]
    return unnumbered


def _end_of_values(pieces: list[str], start: int) -> int | None:
    """Behind the list that begins here, if it has nothing but values."""
    if pieces[start : start + 1] not in (["("], ["["]):
        return None
    for position in range(start + 1, len(pieces)):
        piece = pieces[position]
        if piece in _CLOSING:
            return position + 1 if position > start + 1 else None
        if piece != "," and piece not in _VALUES and not piece.startswith("$"):
            return None
    return None


def _end(pieces: list[str], start: int) -> int:
    """Behind the row that begins here."""
    depth = 0
    for position in range(start, len(pieces)):
        depth += (pieces[position] in _OPENING) - (pieces[position] in _CLOSING)
        if not depth:
            return position + 1
    return len(pieces)
