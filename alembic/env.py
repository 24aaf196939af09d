"""Alembic's entry: runs the revisions on the connection that postgate.metadata.migrate hands over, or opens its own."""

import os

from alembic import context
from sqlalchemy import Connection

from postgate.metadata import migrate
from postgate.metadata.models import Base


def _ours(name: str | None, kind: str, parents: object) -> bool:
    """Compare only the tables that the models describe: public holds others' too."""
    return kind != "table" or name in Base.metadata.tables


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=migrate.VERSION_TABLE,
        version_table_schema="public",
        include_name=_ours,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _run_alone() -> None:
    """The command `alembic`: the database is the configured one."""
    from postgate import embedded
    from postgate.config import Config

    config = Config.from_env(os.environ)
    with embedded.database(config) as conninfo, migrate.locked(conninfo) as connection:
        _run(connection)


handed_over = context.config.attributes.get("connection")
if context.is_offline_mode():
    raise SystemExit("the revisions look at the database they change: there is no --sql")
if handed_over is None:
    _run_alone()
else:
    _run(handed_over)
