"""The command line: `postgate`, `flask postgate` and `python -m postgate` are this one group."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING
from uuid import UUID

import click
import psycopg

from postgate import embedded
from postgate.conninfo import explain, is_malformed
from postgate.metadata import doctor, migrate, protections

if TYPE_CHECKING:
    from postgate.config import Config

OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="postgate", prog_name="postgate")
@click.pass_context
def main(context: click.Context) -> None:
    """An HTTP proxy that gives many tenants safe SQL access to PostgreSQL.

    Without a command it serves. Settings come from the environment and from a .env file.
    """
    if context.invoked_subcommand is None:
        context.invoke(serve)


@main.command()
@click.option("--host", help="Address to listen on, instead of POSTGATE_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of POSTGATE_PORT.")
@click.option("--skip-migrations", is_flag=True, help="Leave the database's schema as it is.")
def serve(host: str | None = None, port: int | None = None, skip_migrations: bool = False) -> None:
    """Migrate the database and serve until interrupted."""
    from postgate import server

    config = _config()
    config = dataclasses.replace(
        config,
        host=config.host if host is None else host,
        port=config.port if port is None else port,
        skip_migrations=config.skip_migrations or skip_migrations,
    )
    _end_on_signals()
    with _one_line_errors():
        server.serve(config)


@main.command("create-db")
@click.argument("name")
@click.option("-m", "--max-rows", type=int, default=1000, show_default=True, help="Most rows of one answer.")
@click.option("-d", "--dedicated", metavar="CONNINFO", help="Use this database, not a schema; - reads it.")
def create_db(name: str, max_rows: int, dedicated: str | None) -> None:
    """Create a tenant database and print its id."""
    if dedicated == "-":
        # Arguments are seen in the process list.
        dedicated = sys.stdin.readline().strip()
    if dedicated is not None and is_malformed(dedicated):
        raise click.ClickException("the connection string of --dedicated is malformed")
    with _connected() as connection:
        if dedicated is None:
            call = "SELECT id, schema_name FROM public.create_tenant_database(%s, %s::integer)"
            row = connection.execute(call, [name, max_rows]).fetchone()
        else:
            _check_dedicated(name, max_rows)
            insert = """INSERT INTO public.postgate_databases (name, backend_type, connection_string, max_rows)
                VALUES (%s, 'dedicated', %s, %s) RETURNING id, NULL"""
            row = connection.execute(insert, [name, dedicated, max_rows]).fetchone()
    if row is None:
        raise click.ClickException("the database gave no answer")
    click.echo(f"Schema: {row[1]}" if dedicated is None else "Backend: dedicated", err=True)
    click.echo(row[0])


@main.command("gen-token")
@click.argument("database_id")
@click.argument("name", default="default")
@click.option(
    "-p",
    "--permissions",
    default="SELECT,INSERT,UPDATE,DELETE",
    show_default=True,
    help=f"Operations that the token allows, of {', '.join(OPERATIONS)}.",
)
def gen_token(database_id: str, name: str, permissions: str) -> None:
    """Create a token, replacing the database's token of the same name, and print it."""
    tenant = _uuid(database_id)
    operations = _operations(permissions)
    with _connected() as connection:
        replaced = "DELETE FROM public.postgate_tokens WHERE database_id = %s AND name = %s"
        connection.execute(replaced, [tenant, name])
        create = "SELECT token FROM public.create_tenant_token(%s, %s, %s)"
        row = connection.execute(create, [tenant, name, operations]).fetchone()
    if row is None:
        raise click.ClickException("the database gave no answer")
    click.echo(row[0])


@main.command("migrate")
@click.option("--gateway", metavar="ROLE", help="Let the service log in as this role; run it as a superuser.")
def migrate_command(gateway: str | None) -> None:
    """Bring the database's schema up to date."""
    with _database(_config()) as conninfo:
        migrate.wait_for_database(conninfo, _report)
        migrate.upgrade(conninfo)
        _report(f"The database is at revision {migrate.head()}.")
        if gateway is not None:
            migrate.admit(conninfo, gateway)
            _report(f"The role {gateway} may serve it.")


@main.command("doctor")
def doctor_command() -> None:
    """Try what protects tenants from each other; exit 1 when one could reach another, or postgate cannot work."""
    with _database(_config()) as conninfo:
        checks = list(doctor.examine(conninfo))
    table = [(check.mark, check.name, check.state, check.loss, check.remedy) for check in checks]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if any(check.fatal for check in checks):
        raise click.exceptions.Exit(1)


def _config() -> Config:
    from postgate.config import Config, ConfigError

    try:
        return Config.from_env(os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _database(config: Config) -> Iterator[str]:
    """The conninfo of the database, which runs as long as the body if it is the embedded one."""
    _end_on_signals()
    with _one_line_errors(), embedded.database(config) as conninfo:
        yield conninfo


@contextmanager
def _connected() -> Iterator[psycopg.Connection]:
    """A transaction on the migrated metadata database, committed when the body ends well."""
    config = _config()
    with _database(config) as conninfo:
        if not config.skip_migrations:
            migrate.upgrade(conninfo)
        try:
            with psycopg.connect(conninfo, prepare_threshold=None) as connection:
                yield connection
        except psycopg.Error as error:
            raise click.ClickException(explain(error, conninfo)) from None


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (migrate.MigrationError, protections.Unprotected, embedded.EmbeddedError) as error:
        raise click.ClickException(str(error)) from None


def _end_on_signals() -> None:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does, so that an embedded database is stopped as well."""

    def end(signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, end)


def _report(line: str) -> None:
    click.echo(line, err=True)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise click.ClickException(f"DATABASE_ID must be a UUID, not {text!r}") from None


def _operations(text: str) -> list[str]:
    operations = [part.strip().upper() for part in text.split(",") if part.strip()]
    for operation in operations:
        if operation not in OPERATIONS:
            raise click.ClickException(f"{operation!r} is not a permission; there are {', '.join(OPERATIONS)}")
    return operations


def _check_dedicated(name: str, max_rows: int) -> None:
    """What create_tenant_database checks for a schema."""
    if not name.strip():
        raise click.ClickException("the name of a database must not be empty")
    if max_rows < 1:
        raise click.ClickException("max_rows must be at least 1")
