"""Every request has a record and an id, whatever becomes of it: the outermost of the WSGI applications."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from postgate.http.terms import NoSlot
from postgate.observe.requests import RECORD, RequestRecord, answered, current

Headers = list[tuple[str, str]]


class Observed:
    """Runs an application with a record of the request, and tells of it when the answer is made."""

    def __init__(self, application: Callable[..., Iterable[bytes]], tells_timing: bool) -> None:
        """
        Args:
            tells_timing: the client learns how long each stage has taken.
        """
        self._application = application
        self._tells_timing = tells_timing

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        record: RequestRecord = environ.get(RECORD) or RequestRecord(environ)
        environ[RECORD] = record

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            record.status = int(status[:3])
            for name, value in headers:
                if name == "Content-Length":
                    record.answer_bytes = int(value)
                    break
            headers.append(("X-Request-ID", record.id))
            if self._tells_timing:
                record.end()
                headers.append(("Server-Timing", _timing(record)))
            return start_response(status, headers, exc_info)

        before = current.set(record)
        try:
            pieces = self._application(environ, start)
        except NoSlot:
            # It waits, and is run once more from its beginning.
            record.enter("queue")
            raise
        finally:
            current.reset(before)
        answered(record)
        return pieces


def _timing(record: RequestRecord) -> str:
    """The stages as the header has them (W3C, "Server Timing"), in milliseconds."""
    taken = [*record.stages_ms().items(), ("total", record.seconds * 1000)]
    return ", ".join(f"{stage};dur={milliseconds:.3f}" for stage, milliseconds in taken)
