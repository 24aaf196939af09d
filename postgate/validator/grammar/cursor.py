"""Reading tokens: what every production of the grammar is made of."""

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, TypeVar

from sqlglot import exp
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import Token as SqlglotToken
from sqlglot.tokenizer_core import TokenType

from postgate.validator.limits import DEFAULT
from postgate.validator.reading.lexer import Token
from postgate.validator.reading.places import placed

_Item = TypeVar("_Item")

_TOKEN_TYPES = {
    "IDENT": TokenType.VAR,
    "QIDENT": TokenType.IDENTIFIER,
    "SCONST": TokenType.STRING,
    "BCONST": TokenType.BIT_STRING,
    "XCONST": TokenType.HEX_STRING,
    "ICONST": TokenType.NUMBER,
    "FCONST": TokenType.NUMBER,
    "PARAM": TokenType.PARAMETER,
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
    "[": TokenType.L_BRACKET,
    "]": TokenType.R_BRACKET,
    ",": TokenType.COMMA,
    ".": TokenType.DOT,
    ";": TokenType.SEMICOLON,
    "::": TokenType.DCOLON,
}


class GrammarError(Exception):
    """The text is not a statement of the grammar.

    Attributes:
        message: what is wrong, with the line and column.
        offset: where, in characters.
    """

    def __init__(self, message: str, sql: str, offset: int) -> None:
        super().__init__(placed(message, sql, offset))
        self.offset = offset


class GrammarToken(SqlglotToken):
    """A token of our lexer, in the form that sqlglot's parser takes.

    Attributes:
        kind: the lexer's kind; "" at the end of the text.
        value: the lexer's value; for IDENT the folded word.
    """

    __slots__ = ("kind", "value")

    # Nobody asks a token for these: errors count lines in the text.
    line = col = 1
    comments: ClassVar[list[str]] = []  # type: ignore[misc]

    def __init__(self, token: Token) -> None:
        self.kind, self.text, self.value, self.start, end = token
        self.end = end - 1
        self.token_type = _TOKEN_TYPES.get(self.kind, TokenType.UNKNOWN)


class _End:
    """What comes after the last token."""

    token_type = TokenType.SENTINEL
    kind = value = text = ""
    start = 0

    def __bool__(self) -> bool:
        return False


_END = _End()


class Cursor(PostgresParser):
    """The position in the tokens, and the steps that productions take.

    `self._curr` is the current token, `self._next` the one after it. Each step either consumes tokens or leaves
    the position as it was; nothing ever goes back.
    """

    nesting_limit = DEFAULT.nesting
    _curr: Any
    _next: Any
    _prev: Any

    def reset(self) -> None:
        super().reset()
        self._depth = 0
        self._parentheses_end = 0
        self._is_query_inside = False

    def _advance(self, times: int = 1) -> None:
        index = self._index + times
        tokens, size = self._tokens, self._tokens_size
        self._index = index
        self._curr = tokens[index] if index < size else _END
        self._next = tokens[index + 1] if index + 1 < size else _END
        self._prev = tokens[index - 1] if index else _END

    def raise_error(self, message: str, token: Any = None) -> NoReturn:
        """sqlglot's way to report an error."""
        self._refuse(message, token)

    def _refuse(self, message: str, token: Any = None) -> NoReturn:
        """Refuse the text at a token, by default the current one."""
        token = token or self._curr or self._prev
        raise GrammarError(message, self.sql, token.start if token else 0)

    def _unexpected(self) -> NoReturn:
        """Refuse the current token."""
        if not self._curr:
            self._refuse("the statement ends too early", self._prev)
        self._refuse(f'syntax error at or near "{self._curr.text[:60]}"')

    def _kind(self) -> str:
        """The lexer's kind of the current token, "" at the end."""
        kind: str = self._curr.kind
        return kind

    def _word(self) -> str | None:
        """The current token as a folded word, None when it is not an unquoted identifier or keyword."""
        token = self._curr
        return token.value if token.kind == "IDENT" else None

    def _next_word(self) -> str | None:
        """The same for the token after the current one."""
        token = self._next
        return token.value if token.kind == "IDENT" else None

    def _peek(self, ahead: int) -> Any:
        """The token so many after the current one, or a token without a kind past the end."""
        index = self._index + ahead
        return self._tokens[index] if index < self._tokens_size else _END

    def _at(self, word: str, *more: str) -> bool:
        """Whether exactly these words come next."""
        token = self._curr
        if token.kind != "IDENT" or token.value != word:
            return False
        for ahead, following in enumerate(more, 1):
            token = self._peek(ahead)
            if token.kind != "IDENT" or token.value != following:
                return False
        return True

    def _at_any(self, words: frozenset[str]) -> bool:
        """Whether the current word is one of these."""
        token = self._curr
        return token.kind == "IDENT" and token.value in words

    def _accept(self, *words: str) -> bool:
        """Consume these words when they come next."""
        if not self._at(*words):
            return False
        self._advance(len(words))
        return True

    def _accept_any(self, words: frozenset[str]) -> str | None:
        """Consume the current word when it is one of these, and return it."""
        if not self._at_any(words):
            return None
        word: str = self._curr.value
        self._advance()
        return word

    def _expect(self, *words: str) -> None:
        """Consume these words or refuse."""
        for word in words:
            if not self._accept(word):
                self._unexpected()

    def _at_op(self, text: str) -> bool:
        token = self._curr
        return bool(token.kind == "OP" and token.value == text)

    def _accept_op(self, text: str) -> bool:
        """Consume this operator when it comes next."""
        if not self._at_op(text):
            return False
        self._advance()
        return True

    def _expect_op(self, text: str) -> None:
        if not self._accept_op(text):
            self._unexpected()

    def _at_punct(self, kind: str) -> bool:
        return bool(self._curr.kind == kind)

    def _punct(self, kind: str) -> bool:
        """Consume a token of this kind, which is its text for punctuation, when it comes next."""
        if self._curr.kind != kind:
            return False
        self._advance()
        return True

    def _expect_punct(self, kind: str) -> None:
        if not self._punct(kind):
            self._unexpected()

    def _list(self, parse_item: Callable[[], _Item]) -> list[_Item]:
        """One or more items with commas between them."""
        items = [parse_item()]
        while self._punct(","):
            items.append(parse_item())
        return items

    def _parenthesised_list(self, parse_item: Callable[[], _Item]) -> list[_Item]:
        """( item, item ... )"""
        self._expect_punct("(")
        items = self._list(parse_item)
        self._expect_punct(")")
        return items

    def _descend(self) -> None:
        """Enter a production that can hold itself; `_ascend` leaves it. An error ends the parse, so nothing unwinds."""
        self._depth += 1
        if self._depth > self.nesting_limit:
            self._refuse_depth()

    def _refuse_depth(self) -> NoReturn:
        self._refuse(f"the statement is nested more than {self.nesting_limit} levels deep")

    def _ascend(self) -> None:
        self._depth -= 1

    def _string(self) -> exp.Literal:
        """A string constant of any form."""
        if not self._at_punct("SCONST"):
            self._unexpected()
        return self._literal(is_string=True)

    def _integer(self) -> exp.Literal:
        """An integer constant."""
        if not self._at_punct("ICONST"):
            self._unexpected()
        return self._literal(is_string=False)

    def _literal(self, is_string: bool) -> exp.Literal:
        token = self._curr
        self._advance()
        return exp.Literal(this=token.value, is_string=is_string, pos=token.start)

    def _signed_number(self) -> exp.Literal | exp.Neg:
        """NumericOnly: a number with an optional sign."""
        negative = self._accept_op("-")
        if not negative:
            self._accept_op("+")
        if self._kind() not in ("ICONST", "FCONST"):
            self._unexpected()
        number = self._literal(is_string=False)
        return exp.Neg(this=number) if negative else number

    def _placeholder(self) -> exp.Placeholder:
        """$n"""
        token = self._curr
        self._advance()
        return exp.Placeholder(this=token.value, pos=token.start)

    def _keyword_node(self, text: str) -> exp.Var:
        """A keyword that must be seen in the tree, such as DEFAULT."""
        return exp.Var(this=text)
