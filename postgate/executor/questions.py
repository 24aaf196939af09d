"""What the gateway asks PostgreSQL beside a request's own transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from postgate.executor.job import Job
from postgate.postgres.catalog import LOOK_UP_MS, learn
from postgate.postgres.errors import CommandRefused
from postgate.postgres.pipeline import Command, Pipeline, Row
from postgate.postgres.pools import Pools
from postgate.postgres.types import TEXT, Type
from postgate.sql_files import read_sql

# Runs a query of ours and gives its rows.
Ask = Callable[[Command], list[Row]]
# Asks for the types that the server infers for the parameters of a statement, which is not run.
Describe = Callable[[Command], list[Type | None]]

_ARRANGE = read_sql("executor", "arrange")


def describe(pools: Pools, job: Job, command: Command) -> list[Type | None]:
    """As `Describe`, in a transaction of its own."""
    with pools.connection(job.backend) as connection:
        with Pipeline(connection, job.prologue.limit_ms, repeatable=True) as pipeline:
            pipeline.send_own(job.prologue.command(job.request_id))
            pipeline.describe(command)
            pipeline.commit()
            pipeline.result()
            oids = pipeline.described()
            pipeline.finish()
        types = learn(connection, oids)
    return [types.get(oid) for oid in oids]


def arrange_roles(pools: Pools, job: Job) -> None:
    """Have the database make the roles that the tenant lacks."""
    command = Command(_ARRANGE, [job.access.token_hash.encode()], [TEXT])
    # Where it fails, the prologue says once more that they are missing.
    with suppress(CommandRefused):
        pools.query(job.backend, command, LOOK_UP_MS)
