"""The tokens of a text, exactly as PostgreSQL's scanner takes them (manual, "Lexical Structure"; scan.l).

Two readers that end a string or comment at different places let a text hide from one of them, so whatever is
invalid, or differs between the supported versions, is refused here.
"""

import re
from typing import NamedTuple, NoReturn

from postgate.validator.limits import DEFAULT, TextLimits
from postgate.validator.reading.places import TextError
from postgate.validator.reading.strings import EscapeError, unescape_backslashes, unescape_unicode

_IDENTIFIER_BYTES = 63
_MAX_INTEGER = 2**31 - 1
_MAX_PARAMETER = 65_535
_WORD_STEPS = 3

_START = "A-Za-z_\u0080-\U0010ffff"
# Possessive quantifiers (++, *+) stand after single characters only: before 3.11.5 Python matches possessive groups
# wrongly (gh-106052). Groups are such that only one way through them exists, so that going back costs nothing.
_SPACE = re.compile(r"(?:[ \t\n\r\f]++|--[^\n\r]*+)+")
_COMMENT_MARK = re.compile(r"/\*|\*/")
_WORD = re.compile(rf"[{_START}][{_START}0-9$]*+")
_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = re.compile(
    rf"0[xX](?:_?[0-9A-Fa-f])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+"
    rf"|(?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?"
)
_INTEGER = re.compile(r"0[xXoObB][0-9A-Fa-f_]+|[0-9_]+")
_JUNK = re.compile(rf"[{_START}0-9$]")
_PARAMETER = re.compile(r"\$([0-9]++)")
_DOLLAR_TAG = re.compile(rf"\$(?:[{_START}][{_START}0-9]*+)?\$")
_NOT_A_LINE_END = re.compile(r"[^\n\r]")
# It ends where a comment begins.
_OPERATOR = re.compile(r"(?:[~!@#^&|`?+*%<>=]|/(?!\*)|-(?!-))+")
# PostgreSQL's scanner reads such a run to its end for each operator that it takes from it (scan.l, rule operator), and
# looks at no interrupt meanwhile: in characters, far above the longest operator and any run that people write.
_MAX_OPERATOR_RUN = 256
# An operator may end in + or - only when it has one of these.
_ENDS_FREELY = re.compile(r"[~!@#^&|`?%]")
_PLAIN_STRING = re.compile(r"'([^']*+(?:''[^']*+)*)'(?!')")
_BIT_STRING = re.compile(r"'([^']*+)'")
_ESCAPE_STRING = re.compile(r"'([^'\\]*+(?:(?:''|\\[\s\S])[^'\\]*+)*)'(?!')")
_QUOTED_NAME = re.compile(r'"([^"]*+(?:""[^"]*+)*)"(?!")')
# A string goes on after white space with a newline in it.
_CONTINUED = re.compile(r"(?:[ \t\f]|--[^\n\r]*+)*[\n\r](?:[ \t\n\r\f]|--[^\n\r]*+[\n\r])*(?=')")
# The tokens that most texts are made of, where nothing after them can change what they are: a short word, a small
# number, a self-delimiting character, a one-character operator, a parameter. Only for speed; _take knows them too.
_COMMON = re.compile(
    r"[ \t\n\r\f]*+(?:"
    rf"([A-Za-z_][A-Za-z0-9_$]{{0,62}}+)(?![{_START}0-9$'&])"
    rf"|(0|[1-9][0-9]{{0,8}}+)(?![{_START}0-9$.])"
    r"|([(),;\[\]]|\.(?![.0-9]))"
    r"|([*<>=])(?![~!@#^&|`?+\-*/%<>=])"
    rf"|(\$[1-9][0-9]{{0,3}}+)(?![{_START}0-9$]))"
)
# A whole row of VALUES that is nothing but constants. Behind each stands what lets no token go on, and no string.
_BLANKS = r"[ \t\n\r\f]*+"
_CONSTANT = (
    rf"{_BLANKS}(?:-?[0-9]{{1,18}}+(?:\.[0-9]{{1,30}}+)?|'[^']*+(?:''[^']*+)*'|(?ai:null|true|false|default)){_BLANKS}"
)
_CONSTANT_ROW = re.compile(rf"\({_CONSTANT}(?:,{_CONSTANT})*\)")
_WORD_GROUP, _PUNCTUATION_GROUP, _PARAMETER_GROUP = 1, 3, 5
_GROUP_KINDS = ("", "IDENT", "ICONST", "", "OP", "PARAM")
_NAME_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_NO_ESCAPE = frozenset("0123456789ABCDEFabcdef+'\" \t\n\r\f\v")
_DIGIT = frozenset("0123456789")
_BASES = {"x": 16, "o": 8, "b": 2}
_PUNCTUATION = frozenset("()[],.;:")
_PREFIXED = {"b": ("BCONST", _BIT_STRING), "x": ("XCONST", _BIT_STRING), "e": ("SCONST", _ESCAPE_STRING)}


class LexError(TextError):
    """The text is not made of PostgreSQL's tokens."""


class Token(NamedTuple):
    """A piece of the text.

    Attributes:
        kind: IDENT (also each keyword), QIDENT, SCONST, BCONST, XCONST, ICONST, FCONST, PARAM, OP, or the text itself
            for punctuation: ( ) [ ] , ; . : :: := => ..; and ROW, if that was asked for: a row of VALUES with nothing
            but constants in it, from parenthesis to parenthesis.
        text: the text as it stands.
        value: what it means: a name folded and cut, a string's content, a parameter's number, an operator's name, an
            integer (ICONST) in decimal digits.
        start: first character.
        end: the character after the last one.
    """

    kind: str
    text: str
    value: str
    start: int
    end: int


class Reading(NamedTuple):
    """What is in a text.

    Attributes:
        tokens: all tokens.
        comments: where each /* comment */ begins and ends, in the order of the text; some are listed twice.
    """

    tokens: list[Token]
    comments: list[tuple[int, int]]


def tokenize(sql: str, limits: TextLimits = DEFAULT) -> list[Token]:
    """All tokens of a text; raises as `read` does."""
    return read(sql, limits).tokens


def read(sql: str, limits: TextLimits = DEFAULT, *, rows: bool = False) -> Reading:
    """The tokens and comments of a text; takes time in proportion to its length, and stops at the limit.

    Args:
        rows: take a row of constants as one token: a bulk insert has ten thousands of constants, about which there is
            nothing to say.

    Raises:
        LexError: PostgreSQL's scanner would refuse the text, its supported versions do not agree on it, or reading it
            would take more steps than `limits` allow.
    """
    if len(sql) > limits.characters:
        message = f"the statement has more than {limits.characters} characters; send large values as parameters"
        raise LexError(message, sql, limits.characters, "limit")
    lexer = _Lexer(sql, limits.steps, rows)
    return Reading(lexer.tokens(), lexer.comments)


class _Lexer:
    def __init__(self, sql: str, max_steps: int, rows: bool) -> None:
        self.sql = sql
        self.max_steps = max_steps
        self.rows = rows
        self.result: list[Token] = []
        # Where each begins and ends. One after a string is read twice, because UESCAPE could follow it.
        self.comments: list[tuple[int, int]] = []

    def tokens(self) -> list[Token]:
        self._check_characters()
        sql, size, max_steps = self.sql, len(self.sql), self.max_steps
        position = 0
        while True:
            while len(self.result) <= max_steps and (common := _COMMON.match(sql, position)):
                position = self._take_common(common)
            position = self._skip_space(position)
            if position >= size:
                self._count_words()
                return self.result
            if len(self.result) >= max_steps:
                self._refuse_size(self.result[-1].start)
            position = self._take(sql[position], position)

    def _count_words(self) -> None:
        """A word is what the grammar works on; a value in a list is passed over."""
        if len(self.result) * _WORD_STEPS <= self.max_steps:
            return
        steps = 0
        for token in self.result:
            steps += _WORD_STEPS if token.kind in ("IDENT", "QIDENT") else 1
            if steps > self.max_steps:
                self._refuse_size(token.start)

    def _refuse_size(self, offset: int) -> NoReturn:
        self._fail(
            f"the statement is too large: reading it takes more than {self.max_steps} steps; send it in parts",
            offset,
            "limit",
        )

    def _take_common(self, common: re.Match[str]) -> int:
        group = common.lastindex or 0
        text = value = common[group]
        kind = _GROUP_KINDS[group]
        if group == _WORD_GROUP:
            value = text.lower()
        elif group == _PUNCTUATION_GROUP:
            kind = text
            if (
                text == "("
                and self.rows
                and self._at_row()
                and (row := _CONSTANT_ROW.match(self.sql, common.start(group)))
            ):
                return self._add("ROW", "", *row.span())
        elif group == _PARAMETER_GROUP:
            value = text[1:]
        start, end = common.span(group)
        self.result.append(Token(kind, text, value, start, end))
        return end

    def _at_row(self) -> bool:
        """Whether what comes next can only be a row: after VALUES, or after a comma that follows a row."""
        if not self.result:
            return False
        last, before = self.result[-1], self.result[-2] if len(self.result) > 1 else None
        if last.kind == ",":
            return before is not None and before.kind == "ROW"
        # With a schema before it VALUES is the name of a function.
        return last.kind == "IDENT" and last.value == "values" and (before is None or before.kind != ".")

    def _check_characters(self) -> None:
        if (nul := self.sql.find("\0")) >= 0:
            self._fail("the text has a NUL character", nul)
        try:
            self.sql.encode()
        except UnicodeEncodeError as error:
            self._fail("the text has a lone surrogate", error.start)

    def _skip_space(self, position: int) -> int:
        sql = self.sql
        while True:
            if match := _SPACE.match(sql, position):
                position = match.end()
            if not sql.startswith("/*", position):
                return position
            position = self._comment_end(position)

    def _comment_end(self, start: int) -> int:
        depth = 1
        position = start + 2
        while match := _COMMENT_MARK.search(self.sql, position):
            depth += 1 if match[0] == "/*" else -1
            position = match.end()
            if depth == 0:
                self.comments.append((start, position))
                return position
        self._fail("unterminated /* comment", start)

    def _take(self, char: str, position: int) -> int:
        """Add the token that begins here; return where it ends."""
        if char in _NAME_START or char >= "\x80":
            return self._take_word(position)
        if char == "'":
            return self._take_string(position, position, "SCONST", _PLAIN_STRING)
        if char in _DIGIT or (char == "." and self.sql[position + 1 : position + 2] in _DIGIT):
            return self._take_number(position)
        if char == "$":
            return self._take_dollar(position)
        if char == '"':
            return self._take_quoted_name(position)
        if char in _PUNCTUATION:
            return self._take_punctuation(position)
        if match := _OPERATOR.match(self.sql, position):
            return self._take_operator(match[0], position)
        self._fail(f"unexpected character {char!r}", position)

    def _add(self, kind: str, value: str, start: int, end: int) -> int:
        self.result.append(Token(kind, self.sql[start:end], value, start, end))
        return end

    def _take_word(self, start: int) -> int:
        sql = self.sql
        prefix = sql[start].lower()
        following = sql[start + 1 : start + 2]
        if following == "'" and prefix in _PREFIXED:
            return self._take_string(start, start + 1, *_PREFIXED[prefix])
        if following == "'" and prefix == "n":
            return self._add("IDENT", "nchar", start, start + 1)
        if following == "&" and prefix == "u" and sql[start + 2 : start + 3] in ("'", '"'):
            return self._take_unicode(start)
        word = self._match(_WORD, start)
        return self._add("IDENT", _cut(_fold(word[0])), start, word.end())

    def _take_string(self, start: int, quote: int, kind: str, pattern: re.Pattern[str]) -> int:
        parts, end = self._quoted(quote, pattern)
        if pattern is _ESCAPE_STRING:
            return self._add(kind, self._unescaped(parts, start), start, end)
        return self._add(kind, "".join(parts).replace("''", "'"), start, end)

    def _quoted(self, quote: int, pattern: re.Pattern[str]) -> tuple[list[str], int]:
        """The content of a string and of its continuations, as they stand; and where the last one ends."""
        parts = []
        position = quote
        while True:
            match = pattern.match(self.sql, position)
            if match is None:
                self._fail("unterminated quoted string", quote)
            parts.append(match[1])
            if len(parts) > self.max_steps:
                self._refuse_size(position)
            further = _CONTINUED.match(self.sql, match.end())
            if further is None:
                return parts, match.end()
            position = further.end()

    def _unescaped(self, parts: list[str], start: int) -> str:
        try:
            return unescape_backslashes(parts)
        except EscapeError as error:
            raise LexError(str(error), self.sql, start) from error

    def _take_quoted_name(self, start: int) -> int:
        name, end = self._quoted_name(start)
        return self._add("QIDENT", _cut(name), start, end)

    def _quoted_name(self, quote: int) -> tuple[str, int]:
        match = _QUOTED_NAME.match(self.sql, quote)
        if match is None:
            self._fail("unterminated quoted identifier", quote)
        if not match[1]:
            self._fail("zero-length quoted identifier", quote)
        return match[1].replace('""', '"'), match.end()

    def _take_unicode(self, start: int) -> int:
        """U&'...' or U&"...", with the UESCAPE clause that may follow."""
        if self.sql[start + 2] == '"':
            kind = "QIDENT"
            body, end = self._quoted_name(start + 2)
        else:
            kind = "SCONST"
            parts, end = self._quoted(start + 2, _PLAIN_STRING)
            body = "".join(parts).replace("''", "'")
        escape, end = self._escape_clause(end)
        try:
            value = unescape_unicode(body, escape)
        except EscapeError as error:
            raise LexError(str(error), self.sql, start) from error
        return self._add(kind, _cut(value) if kind == "QIDENT" else value, start, end)

    def _escape_clause(self, end: int) -> tuple[str, int]:
        """UESCAPE and its character, when they follow; and where the token ends."""
        position = self._skip_space(end)
        match = _WORD.match(self.sql, position)
        if match is None or _fold(match[0]) != "uescape":
            return "\\", end
        position = self._skip_space(match.end())
        if self.sql[position : position + 1] != "'":
            self._fail("UESCAPE must be followed by a simple string literal", position)
        parts, end = self._quoted(position, _PLAIN_STRING)
        escape = "".join(parts)
        if len(escape) != 1 or escape >= "\x80" or escape in _NO_ESCAPE:
            self._fail("invalid Unicode escape character", position)
        return escape, end

    def _take_number(self, start: int) -> int:
        match = self._match(_NUMBER, start)
        text, end = match[0], match.end()
        if _JUNK.match(self.sql, end):
            self._fail("trailing junk after numeric literal", start)
        if not _INTEGER.fullmatch(text):
            return self._add("FCONST", text, start, end)
        base = _BASES.get(text[1:2].lower(), 10)
        digits = (text if base == 10 else text[2:]).replace("_", "").lstrip("0")
        # The length keeps Python from refusing to convert thousands of digits.
        if len(digits) <= 31 and (number := int(digits or "0", base)) <= _MAX_INTEGER:
            return self._add("ICONST", str(number), start, end)
        return self._add("FCONST", text, start, end)

    def _take_dollar(self, start: int) -> int:
        if match := _PARAMETER.match(self.sql, start):
            if _JUNK.match(self.sql, match.end()):
                self._fail("trailing junk after parameter", start)
            if len(match[1]) > 10 or not 1 <= int(match[1]) <= _MAX_PARAMETER:
                self._fail("a parameter's number is from 1 to 65535", start)
            return self._add("PARAM", str(int(match[1])), start, match.end())
        match = _DOLLAR_TAG.match(self.sql, start)
        if match is None:
            self._fail("unexpected character '$'", start)
        close = self.sql.find(match[0], match.end())
        if close < 0:
            self._fail("unterminated dollar-quoted string", start)
        return self._add("SCONST", self.sql[match.end() : close], start, close + len(match[0]))

    def _take_punctuation(self, start: int) -> int:
        two = self.sql[start : start + 2]
        kind = two if two in ("::", ":=", "..") else two[0]
        return self._add(kind, kind, start, start + len(kind))

    def _take_operator(self, text: str, start: int) -> int:
        if len(text) > _MAX_OPERATOR_RUN:
            self._fail(
                f"more than {_MAX_OPERATOR_RUN} characters of operators in a row; put spaces between them",
                start,
                "limit",
            )
        signs = ""
        if text[-1] in "+-" and not _ENDS_FREELY.search(text):
            signs = text[len(text.rstrip("+-")) :]
            text = text[: -len(signs)]
        if len(text) > _IDENTIFIER_BYTES:
            self._fail("operator too long", start)
        end = start + len(text)
        if text:
            kind = "=>" if text == "=>" else "OP"
            self._add(kind, "<>" if text == "!=" else text, start, end)
        for sign in signs[: self.max_steps]:
            end = self._add("OP", sign, end, end + 1)
        return end

    def _match(self, pattern: re.Pattern[str], position: int) -> re.Match[str]:
        match = pattern.match(self.sql, position)
        if match is None:
            self._fail(f"unexpected character {self.sql[position]!r}", position)
        return match

    def _fail(self, message: str, offset: int, reason: str = "syntax") -> NoReturn:
        raise LexError(message, self.sql, offset, reason)


def _fold(word: str) -> str:
    """Lower case for ASCII letters only, as PostgreSQL folds in a multi-byte encoding."""
    return word.lower() if word.isascii() else "".join(c.lower() if c < "\x80" else c for c in word)


def _cut(name: str) -> str:
    """The first 63 bytes, without a part of a character."""
    if len(name) * 4 <= _IDENTIFIER_BYTES:
        return name
    encoded = name.encode()
    return name if len(encoded) <= _IDENTIFIER_BYTES else encoded[:_IDENTIFIER_BYTES].decode(errors="ignore")


def without_comments(sql: str, comments: list[tuple[int, int]]) -> str:
    """A text with a space for each character of its comments, as `read` tells them, save for the ends of lines.

    PostgreSQL's scanner reads such comments in quadratic time (each /* in one reads to the end of the run of operator
    characters again) and looks at no interrupt meanwhile, so no timeout would end it. Every token stays where it is.
    """
    pieces = []
    end = 0
    for start, comment_end in comments:
        if start >= end:
            pieces += [sql[end:start], _NOT_A_LINE_END.sub(" ", sql[start:comment_end])]
            end = comment_end
    return "".join(pieces) + sql[end:]
