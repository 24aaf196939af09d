"""The position in the tokens, and the steps that every production is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from postgate.validator.reading.lexer import Token
from postgate.validator.reading.places import TextError

_Item = TypeVar("_Item")

# What comes before the first token and after the last one: of no kind, and never equal to a word.
_NONE = Token("", "", "", 0, 0)


class GrammarError(TextError):
    """The text is not a statement of the grammar."""


class Cursor:
    """Where the parse is in the tokens of one statement.

    Each step either consumes tokens or leaves the position as it was; nothing ever goes back, so that reading a text
    takes time in proportion to its tokens.

    Attributes:
        current: the token that comes next; one without a kind at the end.
        following: the one after it.
        previous: the one that was consumed last.
        index: the position of `current`.
        nesting_limit: how many levels of productions may stand in one another.
    """

    __slots__ = ("_depth", "_sql", "_tokens", "current", "following", "index", "nesting_limit", "previous")

    def __init__(self, tokens: Sequence[Token], sql: str, nesting_limit: int) -> None:
        # Looking ahead then never has to ask whether the text ends.
        self._tokens = [*tokens, _NONE, _NONE]
        self._sql = sql
        self._depth = 0
        self.nesting_limit = nesting_limit
        self.index = 0
        self.previous = _NONE
        self.current, self.following = self._tokens[:2]

    def let_go(self) -> None:
        """Forget the text and its tokens. The chapters of a grammar and its cursor know each other, and would keep them
        until the garbage collector comes, which counts objects and not their bytes."""
        self._tokens.clear()
        self._sql = ""
        self.previous = self.current = self.following = _NONE

    def advance(self, times: int = 1) -> None:
        """Consume so many tokens, of which there must be enough."""
        self.index = index = self.index + times
        tokens = self._tokens
        self.previous = tokens[index - 1]
        self.current = tokens[index]
        self.following = tokens[index + 1]

    def refuse(self, message: str, token: Token | None = None, reason: str = "syntax") -> NoReturn:
        """Refuse the text at a token, by default the current one."""
        token = token or (self.current if self.current.kind else self.previous)
        raise GrammarError(message, self._sql, token.start, reason)

    def unexpected(self) -> NoReturn:
        """Refuse the current token."""
        if not self.current.kind:
            self.refuse("the statement ends too early", self.previous)
        self.refuse(f'syntax error at or near "{self.current.text[:60]}"')

    def word(self) -> str | None:
        """The current token as a folded word, None when it is not an unquoted identifier or keyword."""
        token = self.current
        return token.value if token.kind == "IDENT" else None

    def next_word(self) -> str | None:
        """The same for the token after the current one."""
        token = self.following
        return token.value if token.kind == "IDENT" else None

    def peek(self, ahead: int) -> Token:
        """The token so many after the current one, or a token without a kind past the end."""
        index = self.index + ahead
        return self._tokens[index] if index < len(self._tokens) else _NONE

    def at(self, word: str, *more: str) -> bool:
        """Whether exactly these words come next."""
        token = self.current
        if token.kind != "IDENT" or token.value != word:
            return False
        for ahead, following in enumerate(more, 1):
            token = self.peek(ahead)
            if token.kind != "IDENT" or token.value != following:
                return False
        return True

    def at_any(self, words: frozenset[str]) -> bool:
        """Whether the current word is one of these."""
        token = self.current
        return token.kind == "IDENT" and token.value in words

    def accept(self, *words: str) -> bool:
        """Consume these words when they come next."""
        if not self.at(*words):
            return False
        self.advance(len(words))
        return True

    def accept_any(self, words: frozenset[str]) -> str | None:
        """Consume the current word when it is one of these, and return it."""
        token = self.current
        if token.kind != "IDENT" or token.value not in words:
            return None
        self.advance()
        return token.value

    def expect(self, *words: str) -> None:
        """Consume these words or refuse."""
        for word in words:
            if not self.accept(word):
                self.unexpected()

    def at_op(self, text: str) -> bool:
        """Whether this operator comes next."""
        token = self.current
        return token.kind == "OP" and token.value == text

    def accept_op(self, text: str) -> bool:
        """Consume this operator when it comes next."""
        if not self.at_op(text):
            return False
        self.advance()
        return True

    def expect_op(self, text: str) -> None:
        """Consume this operator or refuse."""
        if not self.accept_op(text):
            self.unexpected()

    def at_kind(self, kind: str) -> bool:
        """Whether a token of this kind comes next; the kind of punctuation is its text."""
        return self.current.kind == kind

    def accept_kind(self, kind: str) -> bool:
        """Consume a token of this kind when it comes next."""
        if self.current.kind != kind:
            return False
        self.advance()
        return True

    def expect_kind(self, kind: str) -> None:
        """Consume a token of this kind or refuse."""
        if self.current.kind != kind:
            self.unexpected()
        self.advance()

    def comma_list(self, parse_item: Callable[[], _Item]) -> list[_Item]:
        """One or more items with commas between them."""
        items = [parse_item()]
        while self.current.kind == ",":
            self.advance()
            items.append(parse_item())
        return items

    def parenthesised_list(self, parse_item: Callable[[], _Item]) -> list[_Item]:
        """( item, item ... )"""
        self.expect_kind("(")
        items = self.comma_list(parse_item)
        self.expect_kind(")")
        return items

    def descend(self) -> None:
        """Enter a production that can hold itself; `ascend` leaves it. An error ends the parse, so nothing unwinds."""
        self._depth += 1
        if self._depth > self.nesting_limit:
            self.refuse_depth()

    def ascend(self) -> None:
        """Leave what `descend` has entered."""
        self._depth -= 1

    def refuse_depth(self) -> NoReturn:
        """Refuse a text that is nested too deeply."""
        self.refuse(f"the statement is nested more than {self.nesting_limit} levels deep", reason="limit")
