"""What the escapes in E'' and U&'' strings mean (manual, "String Constants with C-Style Escapes" and the next)."""

import re

_BACKSLASH = re.compile(r"''|\\(?:x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[uU]|[\s\S])|[^'\\]+")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class EscapeError(Exception):
    """An escape that PostgreSQL refuses."""


def unescape_backslashes(parts: list[str]) -> str:
    """The content of an E'' string, given as it and its continuations stand between their quotes.

    Raises:
        EscapeError: an escape is invalid, or the bytes it makes are not UTF-8.
    """
    if not any("\\" in part for part in parts):
        return "".join(parts).replace("''", "'")
    try:
        text = b"".join(map(_content, parts)).decode()
    except UnicodeDecodeError:
        raise EscapeError("the escapes of a string make bytes that are not UTF-8") from None
    if "\0" in text:
        raise EscapeError("the escapes of a string make a NUL character")
    return text


def _content(part: str) -> bytes:
    content = bytearray()
    units = _Units()
    for match in _BACKSLASH.finditer(part):
        piece = match[0]
        if piece[:2] in ("\\u", "\\U"):
            if len(piece) < 6:
                raise EscapeError("invalid Unicode escape; escapes must be \\uXXXX or \\UXXXXXXXX")
            content += units.add(int(piece[2:], 16)).encode()
            continue
        units.finish()
        content += _bytes(piece)
    units.finish()
    return bytes(content)


def _bytes(piece: str) -> bytes:
    if piece == "''":
        return b"'"
    if piece[0] != "\\":
        return piece.encode()
    code = piece[1:]
    if code[0] == "x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if code[0] in "01234567":
        return bytes([int(code, 8) & 0xFF])
    if code == "v":
        raise EscapeError("the escape \\v means a vertical tab from PostgreSQL 16 on and a v before; write \\x0b")
    return _LETTERS.get(code, code).encode()


def unescape_unicode(body: str, escape: str) -> str:
    """The content of a U&'' string or U&"" name with this escape character, its quotes already undoubled.

    Raises:
        EscapeError: an escape is invalid.
    """
    if escape not in body:
        return body
    mark = re.escape(escape)
    content = []
    units = _Units()
    for match in re.finditer(rf"{mark}({mark}|\+[0-9A-Fa-f]{{6}}|[0-9A-Fa-f]{{4}}|)|[^{mark}]+", body):
        code = match[1]
        if code is None or code == escape:
            units.finish()
            content.append(match[0] if code is None else escape)
        elif not code:
            raise EscapeError(f"invalid Unicode escape; escapes must be {escape}XXXX or {escape}+XXXXXX")
        else:
            content.append(units.add(int(code.removeprefix("+"), 16)))
    units.finish()
    return "".join(content)


class _Units:
    """UTF-16 code units that make one character together."""

    def __init__(self) -> None:
        self._first = 0

    def add(self, unit: int) -> str:
        """The character that the unit completes, or "" after the first of a pair."""
        if self._first:
            if not 0xDC00 <= unit <= 0xDFFF:
                raise EscapeError("invalid Unicode surrogate pair")
            character = chr(0x10000 + ((self._first - 0xD800) << 10) + (unit - 0xDC00))
            self._first = 0
            return character
        if 0xD800 <= unit <= 0xDBFF:
            self._first = unit
            return ""
        if not 0 < unit <= 0x10FFFF or 0xDC00 <= unit <= 0xDFFF:
            raise EscapeError("invalid Unicode escape value")
        return chr(unit)

    def finish(self) -> None:
        if self._first:
            raise EscapeError("invalid Unicode surrogate pair")
