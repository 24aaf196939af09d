"""The commands for databases."""

from __future__ import annotations

import sys
from typing import Any

import click
import psycopg

from postgate.cli import output
from postgate.cli.database import connected, report
from postgate.cli.tenants import find_database, records
from postgate.conninfo import describe, explain, is_malformed, without_secrets

_CONNECT_S = 10
_LIST = """
    SELECT d.id, d.name, d.backend_type AS backend, d.schema_name AS schema, d.max_rows, d.created_at,
        (SELECT count(*) FROM public.postgate_tokens AS t WHERE t.database_id = d.id) AS tokens
    FROM public.postgate_databases AS d
    ORDER BY d.name, d.created_at"""
# The limits of a database, and whether it may have none.
_LIMITS = {
    "max_rows": ("Most rows of one answer", False),
    "statement_timeout_ms": ("Most time of a statement", True),
    "lock_timeout_ms": ("Most time of a wait for a lock", False),
    "work_mem_kb": ("Most memory of a sort or hash", False),
    "temp_file_limit_kb": ("Most temporary files of a statement", False),
    "max_objects": ("Most relations, columns, types and the like", False),
    "max_concurrency": ("Most statements at once", True),
    "statements_per_second": ("Most statements a second", True),
    "bytes_per_minute": ("Most bytes of bodies and answers a minute", True),
}


@click.command("create-db")
@click.argument("name")
@click.option("-m", "--max-rows", type=int, default=1000, show_default=True, help="Most rows of one answer.")
@click.option("-d", "--dedicated", metavar="CONNINFO", help="Use this database, not a schema; - reads it.")
@click.option("--if-not-exists", is_flag=True, help="Print the id of the database of this name where there is one.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask whether there shall be another one of this name.")
@output.as_json
def create_db(name: str, max_rows: int, dedicated: str | None, if_not_exists: bool, yes: bool, as_json: bool) -> None:
    """Create a tenant database and print its id."""
    conninfo = None if dedicated is None else _dedicated(dedicated)
    if conninfo is not None:
        _check(name, max_rows)
    with connected() as connection:
        if if_not_exists:
            # Two at once would both find none.
            connection.execute("LOCK TABLE public.postgate_databases IN SHARE ROW EXCLUSIVE MODE")
        same = records(connection, "SELECT id FROM public.postgate_databases WHERE name = %s", [name])
        if same and if_not_exists:
            database = find_database(connection, name)
            report("It is there already.")
        else:
            if same and not yes:
                _confirm_another(name, same)
            database = _create(connection, name, max_rows, conninfo)
    if as_json:
        output.show_record(_shown(database), is_json=True)
        return
    is_schema = database["backend_type"] == "schema"
    report(f"Schema: {database['schema_name']}" if is_schema else "Backend: dedicated")
    click.echo(database["id"])


@click.command("list-dbs")
@output.as_json
def list_dbs(as_json: bool) -> None:
    """List the databases."""
    with connected() as connection:
        output.show_records(records(connection, _LIST), as_json)


@click.command("show-db")
@click.argument("database_name", metavar="DATABASE")
@output.as_json
def show_db(database_name: str, as_json: bool) -> None:
    """Show a database, its limits and tokens.

    DATABASE is its id or name.
    """
    with connected() as connection:
        database = find_database(connection, database_name)
        query = "SELECT name FROM public.postgate_tokens WHERE database_id = %s ORDER BY name"
        tokens = [row["name"] for row in records(connection, query, [database["id"]])]
    output.show_record({**_shown(database), "tokens": tokens}, as_json)


def _limit(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    is_optional = _LIMITS[str(parameter.name)][1]
    if value is None or (value == "none" and is_optional):
        return value
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise click.BadParameter(f"takes a whole number{' or none' if is_optional else ''}, not {value!r}")
    return int(value)


def _limits(command: Any) -> Any:
    for column, (meaning, is_optional) in reversed(_LIMITS.items()):
        option = "--" + column.replace("_", "-")
        text = meaning + ("; none lifts it." if is_optional else ".")
        command = click.option(option, column, metavar="NUMBER", callback=_limit, help=text)(command)
    return command


@click.command("change-db")
@click.argument("database_name", metavar="DATABASE")
@click.option("--name", "new_name", help="Call it so from now on.")
@click.option("-d", "--dedicated", metavar="CONNINFO", help="Of a dedicated one: use this database; - reads it.")
@_limits
@output.as_json
def change_db(
    database_name: str, new_name: str | None, dedicated: str | None, as_json: bool, **limits: int | str | None
) -> None:
    """Change the name or the limits of a database.

    DATABASE is its id or name. It holds from the next request on.
    """
    changes: dict[str, object] = {
        column: None if value == "none" else value for column, value in limits.items() if value is not None
    }
    if new_name is not None:
        changes["name"] = new_name
    if dedicated is not None:
        changes["connection_string"] = _dedicated(dedicated)
    if not changes:
        raise click.UsageError("give at least one option that changes something")
    _check(str(changes.get("name", "x")), changes.get("max_rows", 1))
    with connected() as connection:
        database = find_database(connection, database_name)
        if dedicated is not None and database["backend_type"] != "dedicated":
            raise click.ClickException(f"{database_name!r} is no dedicated database")
        columns = ", ".join(f"{column} = %s" for column in changes)
        update = f"UPDATE public.postgate_databases SET {columns} WHERE id = %s RETURNING *"  # noqa: S608
        (changed,) = records(connection, update, [*changes.values(), database["id"]])
    output.show_record(_shown(changed), as_json)


@click.command("delete-db")
@click.argument("database_name", metavar="DATABASE")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output.as_json
def delete_db(database_name: str, yes: bool, as_json: bool) -> None:
    """Delete a database with its schema and tokens.

    DATABASE is its id or name. A dedicated one is only forgotten.
    """
    with connected() as connection:
        database = find_database(connection, database_name)
        if not yes:
            with_schema = f" with all in its schema {database['schema_name']}"
            what = with_schema if database["backend_type"] == "schema" else ""
            question = f"Delete the database {database['name']!r} ({database['id']}){what}, and its tokens, for ever?"
            click.confirm(question, abort=True, err=True)
        connection.execute("SELECT public.delete_tenant_database(%s)", [database["id"]])
    if as_json:
        output.show_record({"id": database["id"], "name": database["name"], "deleted": True}, is_json=True)
    else:
        report(f"The database {database['name']!r} is deleted.")


def _create(connection: psycopg.Connection, name: str, max_rows: int, conninfo: str | None) -> dict[str, Any]:
    if conninfo is None:
        call = "SELECT id FROM public.create_tenant_database(%s, %s::integer)"
        (made,) = records(connection, call, [name, max_rows])
    else:
        insert = """INSERT INTO public.postgate_databases (name, backend_type, connection_string, max_rows)
            VALUES (%s, 'dedicated', %s, %s) RETURNING id"""
        (made,) = records(connection, insert, [name, conninfo, max_rows])
    return find_database(connection, str(made["id"]))


def _confirm_another(name: str, same: list[dict[str, Any]]) -> None:
    known = ", ".join(str(row["id"]) for row in same[:3])
    if not sys.stdin.isatty():
        raise click.ClickException(
            f"there is a database {name!r} already ({known}); --if-not-exists prints its id, --yes makes another one"
        )
    click.confirm(f"There is a database {name!r} already ({known}). Make another one?", abort=True, err=True)


def _dedicated(given: str) -> str:
    """The connection string, which has been tried."""
    # Arguments are seen in the process list.
    conninfo = sys.stdin.readline().strip() if given == "-" else given
    if not conninfo or is_malformed(conninfo):
        raise click.ClickException("the connection string of --dedicated is malformed; percent-encode its password")
    try:
        psycopg.connect(conninfo, connect_timeout=_CONNECT_S).close()
    except psycopg.Error as error:
        raise click.ClickException(f"cannot connect to {describe(conninfo)}: {explain(error, conninfo)}") from None
    return conninfo


def _check(name: str, max_rows: Any) -> None:
    """What create_tenant_database checks, and the tables do not."""
    if not name.strip():
        raise click.ClickException("the name of a database must not be empty")
    if max_rows < 1:
        raise click.ClickException("max_rows must be at least 1")


def _shown(database: dict[str, Any]) -> dict[str, Any]:
    """Its row without a secret."""
    conninfo = database["connection_string"]
    return {**database, "connection_string": None if conninfo is None else without_secrets(conninfo)}
