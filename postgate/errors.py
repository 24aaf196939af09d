"""Every error that a client can see; `code` and `status` live in the class, the envelope is made in one place.

PostgateError
├── ParseError            PARSE_ERROR 400         the body or the statement is refused
│   └── StatementRefused                          the statement, by the validator or for a function of it
├── RowLimitExceeded      ROW_LIMIT_EXCEEDED 400  more rows than max_rows; nothing is committed
├── ResultTooLarge        RESULT_TOO_LARGE 400    more bytes than a result may have; nothing is committed
├── Unauthorized          UNAUTHORIZED 401        no valid token
├── DatabaseNotFound      DATABASE_NOT_FOUND 404  the token's database is gone
├── NotFound              NOT_FOUND 404           no such path
├── MethodNotAllowed      METHOD_NOT_ALLOWED 405  the path takes another method
├── BodyTooLarge          BODY_TOO_LARGE 413      the body is over the limit
├── RequestRefused        BAD_REQUEST 4xx         the HTTP request itself is not understood
├── RateLimited           RATE_LIMITED 429        the database has too much under way
├── DatabaseError         DATABASE_ERROR 500      PostgreSQL refused or failed
├── InternalError         INTERNAL_ERROR 500      a fault of ours; the text tells nothing of it
├── Unavailable           UNAVAILABLE 503         the database cannot be reached, or is busy
│   └── NotReady                                  what GET /health?ready answers then
└── Timeout               TIMEOUT 504             the statement was cancelled after its time
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class PostgateError(Exception):
    """An answer other than 200. The text is for the client: it never holds a secret or an internal name.

    Attributes:
        index: which statement of a batch it is of, from 0; None where it is of no one, and where there is no batch.
        reason: a word for a program, where `fields` have none of their own; "" where the code says all.
        fields: further keys of the envelope.
    """

    index: int | None = None
    code: ClassVar[str] = "INTERNAL_ERROR"
    reason: ClassVar[str] = ""
    status: int = 500
    headers: Mapping[str, str] = {}

    def __init__(self, message: str, fields: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})

    def envelope(self) -> dict[str, object]:
        """The JSON body of the answer."""
        told: dict[str, object] = {"error": self.message, "code": self.code}
        if self.index is not None:
            told["index"] = self.index
        if self.reason:
            told["reason"] = self.reason
        return told | self.fields


class ParseError(PostgateError):
    """The body or the statement is refused; takes the text without the "Parse error: " that it begins with."""

    code = "PARSE_ERROR"
    reason = "body"
    status = 400

    def __init__(self, message: str, fields: Mapping[str, object] | None = None) -> None:
        super().__init__(f"Parse error: {message}", fields)


class StatementRefused(ParseError):
    """The body is fine, but its statement is refused, as far as is known of the token."""

    reason = "syntax"


class RowLimitExceeded(PostgateError):
    """The statement gives more rows than the database's max_rows."""

    code = "ROW_LIMIT_EXCEEDED"
    reason = "limit"
    status = 400

    def __init__(self, limit: int) -> None:
        hint = "add LIMIT, and go on from the last key; max_rows of the database is the limit"
        super().__init__(f"Row limit exceeded: the result has more than {limit} rows", {"limit": limit, "hint": hint})


class ResultTooLarge(PostgateError):
    """The result has more bytes than the service sends."""

    code = "RESULT_TOO_LARGE"
    reason = "limit"
    status = 400

    def __init__(self, limit: int, what: str = "result") -> None:
        has = "it has" if what == "result" else f"a {what} has"
        hint = "ask for fewer columns or rows; POSTGATE_MAX_RESULT_MB is the limit"
        super().__init__(f"Result too large: {has} more than {limit} bytes", {"limit": limit, "hint": hint})


class Unauthorized(PostgateError):
    """One text for unknown, revoked and expired tokens: nobody learns which tokens exist."""

    code = "UNAUTHORIZED"
    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def __init__(self, message: str = "Unauthorized: the token is not valid") -> None:
        super().__init__(
            message, {"hint": "send Authorization: Bearer pg_<64 hexadecimal digits>; `postgate gen-token` makes one"}
        )


class DatabaseNotFound(PostgateError):
    """The token is valid, but its database is gone."""

    code = "DATABASE_NOT_FOUND"
    status = 404

    def __init__(self) -> None:
        super().__init__(
            "Database not found: the database of this token is gone", {"hint": "use a token of another database"}
        )


class NotFound(PostgateError):
    code = "NOT_FOUND"
    status = 404

    def __init__(self) -> None:
        super().__init__("Not found: there are GET /health and POST /query")


class MethodNotAllowed(PostgateError):
    code = "METHOD_NOT_ALLOWED"
    status = 405

    def __init__(self, allowed: str) -> None:
        super().__init__(f"Method not allowed: this path takes {allowed}")
        self.headers = {"Allow": allowed}


class BodyTooLarge(PostgateError):
    code = "BODY_TOO_LARGE"
    reason = "limit"
    status = 413

    def __init__(self, limit: int) -> None:
        hint = "send it in parts; MAX_BODY_SIZE_MB is the limit"
        super().__init__(f"Body too large: it has more than {limit} bytes", {"limit": limit, "hint": hint})


class RequestRefused(PostgateError):
    """Any other 4xx that the HTTP layer gives."""

    code = "BAD_REQUEST"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"Bad request: {reason}")
        self.status = status


class RateLimited(PostgateError):
    """The database has too much under way; trying again later can help."""

    code = "RATE_LIMITED"
    status = 429

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(f"Rate limited: {reason}")
        self.headers = {"Retry-After": str(retry_after_s)}


class DatabaseError(PostgateError):
    """PostgreSQL's own words, with the sqlstate and whatever else it says in `fields`.

    Attributes:
        diagnostics: what only a client of PostgreSQL's own protocol would learn: `severity`, `routine` and the like.
    """

    code = "DATABASE_ERROR"
    status = 500

    def __init__(
        self, message: str, fields: Mapping[str, object] | None = None, diagnostics: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, fields)
        self.diagnostics = dict(diagnostics or {})


class InternalError(PostgateError):
    code = "INTERNAL_ERROR"
    status = 500

    def __init__(self) -> None:
        super().__init__("Internal error")


class Unavailable(PostgateError):
    """Trying again later can help. `outcome` is "unknown" when the statement may have been committed."""

    code = "UNAVAILABLE"
    status = 503
    headers: Mapping[str, str] = {"Retry-After": "1"}

    def __init__(self, reason: str = "the database cannot be reached", outcome: str | None = None) -> None:
        super().__init__(f"Unavailable: {reason}", {"outcome": outcome} if outcome else None)


class NotReady(Unavailable):
    """No query should be sent here at the moment; the reason is a word for whoever watches the service."""

    def __init__(self, words: str, reason: str) -> None:
        super().__init__(f"not ready: {words}")
        self.fields["reason"] = reason


class Timeout(PostgateError):
    """The statement was cancelled; `outcome` is "unknown" when PostgreSQL has not confirmed that it undid a change."""

    code = "TIMEOUT"
    status = 504

    def __init__(self, limit_ms: int, outcome: str | None = None) -> None:
        fields = {"outcome": outcome} if outcome else {}
        fields["hint"] = (
            "EXPLAIN shows what takes long: an index may be missing, or the statement wants too much at once"
        )
        super().__init__(f"Timeout: the statement was cancelled after {limit_ms / 1000:g} s", fields)
