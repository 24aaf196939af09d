"""The token of a request: one strict form, and only its hash goes any further."""

from __future__ import annotations

import re
from hashlib import sha256

from postgate.errors import Unauthorized

_HEADER = re.compile(r"(?:(?i:bearer) +)?(pg_[0-9a-f]{64})")


def token_hash(header: str | None) -> str:
    """The SHA-256 of the token in an Authorization header, in hexadecimal.

    Raises:
        Unauthorized: there is no header, or what it has is no token.
    """
    if not header:
        raise Unauthorized("Unauthorized: the header Authorization: Bearer <token> is missing")
    found = _HEADER.fullmatch(header.strip(" \t"))
    if found is None:
        raise Unauthorized()
    return sha256(found[1].encode()).hexdigest()
