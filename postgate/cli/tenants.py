"""`postgate create-db` and `postgate gen-token`."""

from __future__ import annotations

import sys
from uuid import UUID

import click

from postgate.cli.database import connected, report
from postgate.conninfo import is_malformed
from postgate.operations import DML, OPERATIONS


@click.command("create-db")
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
    with connected() as connection:
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


@click.command("gen-token")
@click.argument("database_id")
@click.argument("name", default="default")
@click.option(
    "-p",
    "--permissions",
    default=",".join(DML),
    show_default=True,
    help=f"Operations that the token allows, of {', '.join(OPERATIONS)}.",
)
def gen_token(database_id: str, name: str, permissions: str) -> None:
    """Create a token, replacing the database's token of the same name, and print it."""
    tenant = _uuid(database_id)
    operations = operations_of(permissions)
    with connected() as connection:
        delete = "DELETE FROM public.postgate_tokens WHERE database_id = %s AND name = %s"
        is_replaced = connection.execute(delete, [tenant, name]).rowcount > 0
        create = "SELECT token FROM public.create_tenant_token(%s, %s, %s)"
        row = connection.execute(create, [tenant, name, operations]).fetchone()
    if row is None:
        raise click.ClickException("the database gave no answer")
    if is_replaced:
        report(f"It replaces the token {name!r} of this database, which is valid no more.")
    click.echo(row[0])


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise click.ClickException(f"DATABASE_ID must be a UUID, not {text!r}") from None


def operations_of(text: str) -> list[str]:
    """The operations of a list with commas; ends the command where one is none."""
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
