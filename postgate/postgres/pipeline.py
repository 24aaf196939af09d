"""One transaction on a libpq connection in pipeline mode: sent in one write, read without waiting for ever."""

from __future__ import annotations

import hashlib
import select
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import errors, pq
from psycopg.pq import ExecStatus

from postgate.errors import PostgateError, Unavailable
from postgate.observe.events import StatementCancelled, happened
from postgate.operations import DEFINITIONS, OBJECT_KINDS
from postgate.postgres.errors import Cancelled, CommandRefused, ConnectionLost, ServerError
from postgate.postgres.intake import read_in_pieces, waiting_bytes

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from postgate.postgres.connection import Connection

Row = tuple[bytes | None, ...]

# What the server and the connection may take on top of the time that PostgreSQL itself gives a statement.
GRACE_S = 2.0
# How long the server may take to confirm that it has cancelled a statement.
CANCEL_S = 5.0
# How long a statement runs on whose client has closed its end: it may have closed one direction only, and still read.
LEFT_S = 0.4
CHUNK_ROWS = 500
# Bytes.
MAX_KEPT = 1_000_000
# What a poll tells when the other end of a socket is closed. Other systems than Linux tell it with the data only.
LEAVING = getattr(select, "POLLRDHUP", 0)
# libpq before 17 gives single rows only.
CHUNKED = pq.version() >= 170000
COPIES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)
TAGS_THAT_LEAVE_NOTHING = frozenset(
    {
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "EXPLAIN",
        "TRUNCATE TABLE",
        "COMMENT",
        "REFRESH MATERIALIZED VIEW",
    }
    | {f"{verb} {kind}" for verb in DEFINITIONS for kind in OBJECT_KINDS}
)
# The SQLSTATE classes "connection exception" and "operator intervention: shutdown", and transaction_timeout: the
# session ends with such an error, and has no other result.
GONE_CLASSES = ("08", "57P", "25P04")
# What a standby says to a change, and to a transaction that would be allowed to make one.
READ_ONLY = (errors.ReadOnlySqlTransaction.sqlstate, errors.FeatureNotSupported.sqlstate)
# Of these the time for a transaction says nothing of other sessions: a tenant can use it up.
OF_ONE_SESSION = ("25P04",)
# No such statement, or one of that name already: a pooler gives the connection another session each time, so that
# nothing can be prepared on it.
POOLERS_SESSION = (errors.InvalidSqlStatementName.sqlstate, errors.DuplicatePreparedStatement.sqlstate)
# libpq gives this many nulls in a row only where it has nothing more: one ends each result, one each message.
_MAX_SILENCES = 8


class Command(NamedTuple):
    """A statement with its parameters as text; a type of 0, or no types at all, is for the server to infer."""

    sql: bytes
    parameters: Sequence[bytes | None] = ()
    types: Sequence[int] = ()


class _Sent(NamedTuple):
    """A command whose answer is still to come.

    Attributes:
        is_own: whether it is the gateway's own, and not a tenant's statement.
        prepares: the text that is prepared before it, if any.
    """

    is_own: bool = False
    prepares: bytes = b""


_OWN, _TENANTS = _Sent(is_own=True), _Sent()


class Pipeline:
    """Commands are queued by `send`, put on the way by `commit` or `flush`, and read in order by `results`.

    Until `commit` the server has committed nothing. Leaving the body by an exception ends the transaction and leaves
    the connection idle, or closes it where that is in doubt.

    Attributes:
        arrived: how many bytes of the latest result came in pieces, 0 where it is small.
    """

    # How each of them begins.
    _committing = _ended = _has_left = _running = _cancelled = _begun = _has_read = _is_tenants = False
    arrived = 0
    _current = _TENANTS

    def __init__(
        self,
        connection: Connection,
        limit_ms: int,
        repeatable: bool = False,
        on_arrival: Callable[[int], None] | None = None,
        client: int | None = None,
    ) -> None:
        """
        Args:
            limit_ms: after this time and a grace the pipeline cancels what runs, whatever the server's own timeouts.
            repeatable: the transaction may be run twice, even if it was committed the first time.
            on_arrival: takes how much of one chunk of a result has come so far, while it arrives; what it raises ends
                the connection.
            client: the descriptor of a socket; when its other end has closed it, what runs is cancelled.
        """
        self._connection = connection
        self._pgconn = connection.pgconn
        self._limit_ms = limit_ms
        self._repeatable = repeatable
        self._started = time.monotonic()
        self._deadline = self._started + limit_ms / 1000 + GRACE_S
        self._socket = self._pgconn.socket
        self._on_arrival = on_arrival
        self._client = client
        self._sent: deque[_Sent] = deque()

    def __enter__(self) -> Pipeline:
        try:
            self._pgconn.enter_pipeline_mode()
        except psycopg.OperationalError:
            raise self._lost() from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        is_broken = isinstance(error, psycopg.OperationalError)
        try:
            if kind is not None and not is_broken and not isinstance(error, ConnectionLost):
                self._abort()
            self._pgconn.exit_pipeline_mode()
        except (psycopg.Error, ConnectionLost):
            self._give_up()
        # Inside a transaction the session still has this tenant's role and schema: the next one must not get it. libpq
        # learns of a transaction only by the answer to Sync.
        if not self._ended or self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
            self._give_up()
        if is_broken:
            # libpq could not send, or not receive.
            self._connection.is_lost = True
            raise self._lost() from None

    def _give_up(self) -> None:
        # Of a backend that goes on the socket is all that tells when it has ended: the pool waits for that.
        if not self._connection.goes_on:
            self._connection.close()

    def send(self, command: Command) -> None:
        """Queue a tenant's statement.

        It is never prepared: a prepared statement keeps the types of its parameters and the meaning of its constants
        when a definition changes, and would store wrong values without an error.
        """
        self._pgconn.send_query_params(command.sql, command.parameters, param_types=command.types or None)
        self._sent.append(_TENANTS)
        self._is_tenants = True

    def send_own(self, command: Command, prepares: bool = False) -> None:
        """Queue a command of the gateway's own; with `prepares` it is one that comes again and again, in the same words
        and with the same types."""
        prepared = self._connection.prepared
        if not prepares or prepared is None:
            self._pgconn.send_query_params(command.sql, command.parameters, param_types=command.types or None)
            self._sent.append(_OWN)
            return
        name = prepared.get(command.sql) or _name(command.sql)
        is_new = command.sql not in prepared and all(sent.prepares != command.sql for sent in self._sent)
        if is_new:
            self._pgconn.send_prepare(name, command.sql, param_types=command.types or None)
        self._pgconn.send_query_prepared(name, command.parameters)
        self._sent.append(_Sent(is_own=True, prepares=command.sql) if is_new else _OWN)

    def describe(self, command: Command) -> None:
        """Queue what asks for the types of the command's parameters; `described` reads the answer."""
        self._pgconn.send_prepare(b"", command.sql, param_types=command.types or None)
        self._pgconn.send_describe_prepared(b"")
        self._sent += (_TENANTS, _TENANTS)

    def described(self) -> list[int]:
        """The types that the server infers for the parameters.

        Raises:
            ServerError: the server cannot read the statement.
        """
        self.result()
        result = self.result()
        return [result.param_type(position) for position in range(result.nparams)]

    def commit(self) -> None:
        """The transaction ends after what is queued: it commits unless something in it fails."""
        # From here on nobody knows, if the connection is lost, whether the server has committed.
        self._committing = True
        self._pgconn.pipeline_sync()
        self._send_all()

    def flush(self) -> None:
        """Have what is queued run and answered, without an end of the transaction."""
        self._pgconn.send_flush_request()
        self._send_all()

    def query(self, command: Command) -> list[Row]:
        """Run one command of the gateway itself as the whole transaction, and return its rows.

        Raises:
            CommandRefused: the server refused it.
            ConnectionLost: the connection ended meanwhile.
        """
        self.send_own(command)
        self.commit()
        result = self.result()
        self.finish()
        return rows_of(result)

    def results(self, chunked: bool = False) -> Iterator[PGresult]:
        """The results of the next command, in chunks of rows or as one.

        Raises:
            ServerError: the server refused the command, or failed while it ran; CommandRefused for one of our own.
            ConnectionLost: the connection ended meanwhile.
        """
        self._running = True
        self._current = sent = self._sent.popleft()
        if sent.prepares:
            # Preparing has an answer of its own, before that of the statement.
            for _ in self._answers():
                pass
            if self._connection.prepared is not None:
                self._connection.prepared[sent.prepares] = _name(sent.prepares)
        # libpq takes the mode for the one result that comes next, so it is asked for right before.
        if chunked and CHUNKED:
            self._pgconn.set_chunked_rows_mode(CHUNK_ROWS)
        elif chunked:
            self._pgconn.set_single_row_mode()
        for result in self._answers():
            if result.status in COPIES:
                # There is no way out of it in a pipeline.
                self._connection.close()
                raise self._lost()
            if not sent.is_own:
                self._note_tag(result)
            yield result
        self._running = False

    def own_results(self) -> PGresult | None:
        """Read what the commands of our own have answered that were sent before the tenant's next statement.

        Returns:
            The answer to the last one.

        Raises:
            CommandRefused: the server refused one of them.
        """
        result = None
        while self._sent and self._sent[0].is_own:
            result = self.result()
        return result

    def result(self) -> PGresult:
        """The only result of the next command."""
        (only,) = list(self.results())
        return only

    def finish(self) -> None:
        """Read to the end of the transaction.

        Raises:
            ServerError: it could not commit.
            Unavailable: a standby that the server waits for has not confirmed the commit.
        """
        failed: PGresult | None = None
        for result in self._rest():
            if result.status == ExecStatus.FATAL_ERROR and failed is None:
                failed = result
        if failed is not None:
            # Whoever has sent the last command, it is the tenant's transaction that could not commit.
            self._current = _TENANTS if self._is_tenants else _OWN
            self._raise(failed)
        if self._connection.is_unconfirmed:
            # It stands here, and would be lost at a failover to the standby.
            self._connection.is_unconfirmed = False
            raise Unavailable("the change is committed, but no standby has confirmed it", "unknown")

    def _answers(self) -> Iterator[PGresult]:
        """What the server answers to one message of ours."""
        while (result := self._next()) is not None:
            if result.status == ExecStatus.FATAL_ERROR:
                self._running = False
                self._raise(result)
            self._begun = True
            yield result

    def _note_tag(self, result: PGresult) -> None:
        """A command that can leave something behind in the session ends the session with the request.

        SET, LISTEN, PREPARE, DECLARE and the like need no privilege, so no role keeps a tenant from them; where the
        validator let one through, the next tenant on the connection would meet what it left.
        """
        tag = result.command_status
        if tag and tag.rstrip(b" 0123456789").decode() not in TAGS_THAT_LEAVE_NOTHING:
            self._connection.is_stained = True

    def _abort(self) -> None:
        if self._ended or self._connection.closed:
            return
        if self._running:
            # Its rows are over a limit: reading what the server still has to say could take for ever.
            self._cancel("over_limit")
        if not self._committing:
            self.send(Command(b"ROLLBACK"))
            self.commit()
        for _ in self._rest():
            pass

    def _rest(self) -> Iterator[PGresult]:
        silences = 0
        while silences < _MAX_SILENCES:
            result = self._next()
            if result is None:
                silences += 1
                continue
            silences = 0
            if result.status == ExecStatus.PIPELINE_SYNC:
                self._ended = True
                return
            yield result
        raise self._lost()

    def _raise(self, result: PGresult) -> None:
        error = (CommandRefused if self._current.is_own else ServerError)(result, self._limit_ms)
        if error.sqlstate in READ_ONLY:
            error.is_standbys = self._pgconn.parameter_status(b"in_hot_standby") == b"on"
            # Another connection may lead to the server that takes changes.
            self._connection.is_stained |= error.is_standbys
        if error.sqlstate == errors.QueryCanceled.sqlstate:
            error.cancelled = self._who_cancelled()
            if not self._cancelled:
                happened(StatementCancelled(error.cancelled.name.lower()))
        if error.sqlstate in POOLERS_SESSION and self._current.is_own:
            self._connection.prepared = None
        if not error.sqlstate or error.sqlstate.startswith(GONE_CLASSES):
            self._connection.is_lost = error.sqlstate not in OF_ONE_SESSION
            # Words of the server that come before its first answer say that it has not run anything.
            raise self._lost(refused=bool(error.sqlstate) and not self._begun)
        raise error

    def _who_cancelled(self) -> Cancelled:
        """PostgreSQL has one SQLSTATE for all of them, and words in its own language."""
        if self._has_left and self._cancelled:
            return Cancelled.CLIENT_LEFT
        took_ms = (time.monotonic() - self._started) * 1000
        # Its clock and ours may go a little differently.
        return Cancelled.TIME_IS_UP if self._cancelled or took_ms > self._limit_ms * 0.99 else Cancelled.FROM_OUTSIDE

    def _lost(self, refused: bool = False) -> ConnectionLost:
        repeatable = self._repeatable or refused or not self._committing
        return ConnectionLost(repeatable, self._limit_ms if self._cancelled else None)

    def _next(self) -> PGresult | None:
        self.arrived = 0
        while self._pgconn.is_busy():
            try:
                # The first read after we have sent is no larger than libpq's buffer, and mostly the only one. It can
                # bring the beginning of a large message behind a small one, for which libpq then makes room: the next
                # read would go on for as long as the server keeps up with it.
                if self._has_read:
                    read_in_pieces(self._pgconn, self._wait_for_input, self._count)
                else:
                    self._wait(self._socket, select.POLLIN)
                    self._pgconn.consume_input()
                    self._has_read = True
            except psycopg.OperationalError:
                # The server's last words may have come in the same read.
                if (last := self._pgconn.get_result()) is not None:
                    return last
                self._connection.is_lost = True
                raise self._lost() from None
        return self._pgconn.get_result()

    def _count(self, size: int) -> None:
        self.arrived += size
        if self.arrived > MAX_KEPT:
            # libpq's buffer stays as large as the largest message.
            self._connection.is_stained = True
        if self._on_arrival is not None:
            try:
                self._on_arrival(self.arrived)
            except PostgateError:
                # The server looks at no cancel while it sends one value. It ends when nobody takes it any more.
                self._connection.close()
                raise

    def _send_all(self) -> None:
        self._has_read = False
        self.arrived = 0
        while self._pgconn.flush():
            # The server may have to get rid of answers before it takes more.
            if self._wait(self._socket, select.POLLIN | select.POLLOUT) & select.POLLIN:
                # They stay with libpq until all is sent, so they count together.
                self._count(waiting_bytes(self._socket))
                self._pgconn.consume_input()
                self._has_read = True

    def _wait_for_input(self, descriptor: int) -> None:
        self._wait(descriptor, select.POLLIN)

    def _wait(self, descriptor: int, events: int) -> int:
        poll = select.poll()
        poll.register(descriptor, events)
        if self._client is not None:
            poll.register(self._client, LEAVING)
        while True:
            ready = poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000)
            for which, event in ready:
                if which == descriptor:
                    return event
            if self._client is not None and ready:
                poll.unregister(self._client)
                self._client = None
                self._has_left = True
                self._deadline = min(self._deadline, time.monotonic() + LEFT_S)
            elif self._cancelled:
                self._connection.goes_on = True
                raise self._lost()
            else:
                self._cancel("client_left" if self._has_left else "time_is_up")

    def _cancel(self, why: str) -> None:
        """Cancel what runs. It is over before the next command is sent, so it can hit no other statement.

        Args:
            why: as of StatementCancelled.
        """
        self._cancelled = True
        happened(StatementCancelled(why))
        # From now on it is the server that is waited for.
        self._client = None
        self._deadline = time.monotonic() + CANCEL_S
        try:
            self._connection.cancel_safe(timeout=CANCEL_S)
        except psycopg.Error:
            self._connection.goes_on = True
            raise self._lost() from None


def rows_of(result: PGresult) -> list[Row]:
    columns = range(result.nfields)
    return [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]


def _name(sql: bytes) -> bytes:
    """The name of a prepared statement, made of its text: behind a pooler, where another client may have prepared
    something on the same session, one name never means two statements."""
    return b"pg_" + hashlib.sha256(sql).hexdigest().encode()[:32]
