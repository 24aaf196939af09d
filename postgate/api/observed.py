"""Every request has a record and an id, whatever becomes of it: the outermost of the WSGI applications."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from postgate.api import answers
from postgate.api.query import QueryEndpoint, is_query
from postgate.http.terms import NoSlot
from postgate.observe.requests import RECORD, RequestRecord, current
from postgate.observe.telling import answered


class Observed:
    """Runs a request with a record of it, and tells of it when the answer is made."""

    def __init__(self, queries: QueryEndpoint, others: Callable[..., Iterable[bytes]], tells_timing: bool) -> None:
        """
        Args:
            queries: notes its answers itself.
            others: the application for all that is no query.
            tells_timing: the client learns how long each stage has taken.
        """
        self._queries = queries
        self._others = others
        self._tells_timing = tells_timing

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        record: RequestRecord | None = environ.get(RECORD)
        if record is None:
            record = environ[RECORD] = RequestRecord.of(environ)
        before = current.set(record)
        try:
            if is_query(environ):
                pieces = self._queries(environ, start_response, record)
            else:
                pieces = self._others(environ, self._noting(record, start_response))
        except NoSlot:
            # It waits, and is run once more from its beginning.
            record.again("queue")
            raise
        finally:
            current.reset(before)
        answered(record)
        return pieces

    def _noting(self, record: RequestRecord, start_response: Callable[..., Any]) -> Callable[..., Any]:
        def start(status: str, headers: answers.Headers, exc_info: Any = None) -> Any:
            record.status = int(status[:3])
            record.answer_bytes = next((int(value) for name, value in headers if name == "Content-Length"), 0)
            return start_response(status, headers + answers.of_record(record, self._tells_timing), exc_info)

        return start
