"""Who a token is: the look-up of its hash in the metadata, remembered until the database says that it has changed."""

from __future__ import annotations

import dataclasses
import hmac
import time
from dataclasses import dataclass, field

from postgate.access.slots import Owner
from postgate.errors import DatabaseNotFound, Unauthorized
from postgate.observe.events import TokenLookedUp, TokenRevoked, happened
from postgate.operations import Tenant
from postgate.postgres.connection import Backend
from postgate.postgres.pipeline import Command
from postgate.postgres.pools import Pools
from postgate.postgres.types import TEXT
from postgate.remembered import Remembered
from postgate.sql_files import read_sql

LOOK_UP_MS = 10_000
_MAX_TOKENS = 10_000
_LOOK_UP = read_sql("access", "look_up")


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """What a database's statements are held to; None means the service's own.

    Attributes:
        max_concurrency: statements that run at once on all workers.
        statements_per_second, bytes_per_minute: the rates over which its requests are refused.
    """

    statement_timeout_ms: int | None
    lock_timeout_ms: int
    work_mem_kb: int
    max_concurrency: int | None
    statements_per_second: int | None
    bytes_per_minute: int | None
    has_rates: bool = field(init=False)

    def __post_init__(self) -> None:
        # Asked for several times a request.
        has_rates = self.statements_per_second is not None or self.bytes_per_minute is not None
        object.__setattr__(self, "has_rates", has_rates)

    def timeout_ms(self, service_timeout_ms: int) -> int:
        """The time for a statement, when the service allows so much."""
        if self.statement_timeout_ms is None:
            return service_timeout_ms
        return min(service_timeout_ms, self.statement_timeout_ms)


@dataclass(frozen=True, slots=True)
class Access:
    """What a token opens, as of `version` of its record and its database's.

    Attributes:
        name: the database's.
        dedicated: the backend of a dedicated database; None where the database is a schema of the shared one.
        definitions: the version of all that the tenant's statements may name, "" where nobody tells when it changes.
            It is a part of `version`. What is remembered of a statement is kept under it.
        owner: whose slots its requests take.
        looked_up_at: when the database was asked (time.monotonic).
    """

    token_id: str
    token_hash: str = field(repr=False)
    database_id: str
    name: str
    version: str
    tenant: Tenant
    max_rows: int
    limits: DatabaseLimits
    dedicated: Backend | None
    definitions: str
    owner: Owner
    looked_up_at: float

    def whatever_is_defined(self) -> Access:
        """The same for a request that uses nothing that is remembered of its statements.

        Of the version only the rows of the token and the database count then, so that definitions in a loop, as a
        migration makes them, do not keep the request from running.
        """
        rows = ":".join(self.version.split(":")[:2])
        return dataclasses.replace(self, version=rows, definitions="")


class Registry:
    """The look-ups of this process.

    Attributes:
        remembered: the last look-up of each token's hash. It can be stale: in each transaction
            `postgate_internal.enter` refuses its version then, and the caller looks up again.
        owners: whose slots the requests of a token take, by its hash, as of the last look-up. A token never changes its
            database; how many slots that has can be stale until the next look-up.
    """

    def __init__(self, pools: Pools, max_concurrency: int, slow_concurrency: int) -> None:
        """
        Args:
            max_concurrency: `Owner.most` of a database that has no limit of its own.
            slow_concurrency: `Owner.most_slow` of such a database, if it is in the shared one.
        """
        self._pools = pools
        self._max_concurrency = max_concurrency
        self._slow_concurrency = slow_concurrency
        self.owners: Remembered[str, Owner] = Remembered(_MAX_TOKENS)
        self.remembered: Remembered[str, Access] = Remembered(_MAX_TOKENS)

    def look_up(self, token_hash: str) -> Access:
        """Ask the database.

        Raises:
            Unauthorized: there is no such token, or it has expired.
            DatabaseNotFound: its database is gone.
            CommandRefused, ConnectionLost, Unavailable: as `Pools.query`.
        """
        self.remembered.forget(token_hash)
        command = Command(_LOOK_UP, [token_hash.encode()], [TEXT])
        rows = self._pools.query(self._pools.shared, command, LOOK_UP_MS)
        row = [(value or b"").decode() for row in rows for value in row]
        try:
            access = _access(row, token_hash, self._max_concurrency, self._slow_concurrency)
        except Unauthorized:
            self.forget(token_hash)
            raise
        happened(TokenLookedUp(access.database_id))
        self.owners.put(token_hash, access.owner)
        # A dedicated backend cannot tell that a look-up is stale, so each request asks anew.
        if access.dedicated is None:
            self.remembered.put(token_hash, access)
        return access

    def forget(self, token_hash: str) -> None:
        """The token opens nothing, whatever it did before."""
        known = self.owners.get(token_hash)
        if known is not None:
            self.owners.forget(token_hash)
            self.remembered.forget(token_hash)
            happened(TokenRevoked(known.database_id))


def _access(row: list[str], token_hash: str, max_concurrency: int, slow_concurrency: int) -> Access:
    # The comparison takes the same time wherever the hashes differ.
    if not row or not hmac.compare_digest(row[1], token_hash):
        raise Unauthorized()
    (
        token_id,
        _,
        operations,
        version,
        database_id,
        name,
        backend_type,
        schema,
        conninfo,
        max_rows,
        *limits,
        definitions,
    ) = row
    if not database_id:
        raise DatabaseNotFound()
    is_dedicated = backend_type == "dedicated"
    held_to = DatabaseLimits(
        _whole(limits[0]), int(limits[1]), int(limits[2]), _whole(limits[3]), _whole(limits[4]), _whole(limits[5])
    )
    most = held_to.max_concurrency
    return Access(
        token_id=token_id,
        token_hash=token_hash,
        database_id=database_id,
        name=name,
        version=version,
        tenant=Tenant("public" if is_dedicated else schema, frozenset(operations.split(",")) - {""}),
        max_rows=int(max_rows),
        limits=held_to,
        dedicated=Backend(database_id, conninfo) if is_dedicated else None,
        definitions=definitions,
        owner=Owner(
            database_id, most or max_concurrency, most or (max_concurrency if is_dedicated else slow_concurrency)
        ),
        looked_up_at=time.monotonic(),
    )


def _whole(text: str) -> int | None:
    return int(text) if text else None
