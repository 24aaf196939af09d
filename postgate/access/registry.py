"""Who a token is: the look-up of its hash in the metadata, remembered until the database says that it has changed."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from postgate.errors import DatabaseNotFound, Timeout, Unauthorized, Unavailable
from postgate.postgres.pipeline import Command, ConnectionLost, Pipeline, ServerError
from postgate.postgres.pools import Backend, Pools
from postgate.validator import Tenant

REMEMBERED_TOKENS = 10_000
LOOKUP_S = 10.0

_LOOKUP = b"""
    SELECT t.id, t.token_hash, pg_catalog.array_to_string(t.allowed_operations, ','),
        t.xmin::pg_catalog.text OPERATOR(pg_catalog.||) ':'
            OPERATOR(pg_catalog.||) coalesce(d.xmin::pg_catalog.text, ''),
        d.id, d.backend_type, d.schema_name, d.connection_string, d.max_rows,
        d.statement_timeout_ms, d.lock_timeout_ms, d.work_mem_kb
    FROM public.postgate_tokens AS t
    LEFT JOIN public.postgate_databases AS d ON d.id OPERATOR(pg_catalog.=) t.database_id
    WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) $1
        AND (t.expires_at IS NULL OR t.expires_at OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp())
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What PostgreSQL holds a database's statements to; no timeout of its own means the service's."""

    statement_timeout_ms: int | None
    lock_timeout_ms: int
    work_mem_kb: int

    def timeout_ms(self, most: int) -> int:
        """The time for a statement, when the service allows `most` milliseconds."""
        return most if self.statement_timeout_ms is None else min(most, self.statement_timeout_ms)


@dataclass(frozen=True, slots=True)
class Access:
    """What a token opens, as of `version` of its record and its database's.

    Attributes:
        dedicated: the backend of a dedicated database; None where the database is a schema of the shared one.
    """

    token_id: str
    token_hash: str = field(repr=False)
    version: str
    tenant: Tenant
    max_rows: int
    limits: Limits
    dedicated: Backend | None

    @property
    def reads_only(self) -> bool:
        return self.tenant.operations <= {"SELECT"}


class Registry:
    """The look-ups of this process; what is remembered is checked by the database in each transaction."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._lock = Lock()
        self._known: OrderedDict[str, Access] = OrderedDict()

    def remembered(self, token_hash: str) -> Access | None:
        """The last look-up, which can be stale: `postgate_internal.enter` refuses its version then."""
        with self._lock:
            access = self._known.get(token_hash)
            if access is not None:
                self._known.move_to_end(token_hash)
            return access

    def look_up(self, token_hash: str) -> Access:
        """Ask the database.

        Raises:
            Unauthorized: there is no such token, or it has expired.
            DatabaseNotFound: its database is gone.
        """
        self.forget(token_hash)
        access = _access(self._fetch(token_hash), token_hash)
        # A dedicated backend cannot tell that a look-up is stale, so each request asks anew.
        if access.dedicated is None:
            with self._lock:
                self._known[token_hash] = access
                if len(self._known) > REMEMBERED_TOKENS:
                    self._known.popitem(last=False)
        return access

    def forget(self, token_hash: str) -> None:
        with self._lock:
            self._known.pop(token_hash, None)

    def _fetch(self, token_hash: str) -> list[str]:
        try:
            return self._ask(token_hash)
        except ConnectionLost:
            pass
        try:
            return self._ask(token_hash)
        except ConnectionLost:
            raise Unavailable() from None

    def _ask(self, token_hash: str) -> list[str]:
        try:
            with self._pools.connection(self._pools.shared) as connection, Pipeline(connection, LOOKUP_S) as pipeline:
                pipeline.send(Command(_LOOKUP, [token_hash.encode()], [25]))
                pipeline.commit()
                result = pipeline.result()
                pipeline.finish()
        except ServerError as error:
            if error.sqlstate == "57014":
                raise Timeout(int(LOOKUP_S * 1000)) from None
            if error.sqlstate.startswith(("42", "3F")):
                raise Unavailable("the database is not migrated") from None
            raise
        if not result.ntuples:
            return []
        return [(result.get_value(0, column) or b"").decode() for column in range(result.nfields)]


def _access(row: list[str], token_hash: str) -> Access:
    # The comparison takes the same time wherever the hashes differ.
    if not row or not hmac.compare_digest(row[1], token_hash):
        raise Unauthorized()
    token_id, _, operations, version, database_id, backend_type, schema, conninfo, max_rows, *limits = row
    if not database_id:
        raise DatabaseNotFound()
    is_dedicated = backend_type == "dedicated"
    return Access(
        token_id=token_id,
        token_hash=token_hash,
        version=version,
        tenant=Tenant("public" if is_dedicated else schema, frozenset(operations.split(",")) - {""}),
        max_rows=int(max_rows),
        limits=Limits(int(limits[0]) if limits[0] else None, int(limits[1]), int(limits[2])),
        dedicated=Backend(database_id, conninfo) if is_dedicated else None,
    )
