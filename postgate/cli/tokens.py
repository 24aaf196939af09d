"""The commands for tokens."""

from __future__ import annotations

from typing import Any

import click
import psycopg

from postgate.cli import output
from postgate.cli.database import connected, report
from postgate.cli.tenants import (
    PERMISSIONS_HELP,
    Expiry,
    expires,
    find_database,
    operations_of,
    records,
)
from postgate.operations import DML

_LIST = """
    SELECT d.name AS database, t.database_id, t.name, t.token_prefix AS prefix, t.allowed_operations AS operations,
        t.created_at, t.last_used_at, t.expires_at
    FROM public.postgate_tokens AS t JOIN public.postgate_databases AS d ON d.id = t.database_id
    WHERE t.database_id = %s::uuid OR %s::uuid IS NULL
    ORDER BY d.name, d.id, t.name"""


@click.command("gen-token")
@click.argument("database_name", metavar="DATABASE")
@click.argument("name", default="default")
@click.option("-p", "--permissions", default=",".join(DML), show_default=True, help=PERMISSIONS_HELP)
@expires
@output.as_json
def gen_token(database_name: str, name: str, permissions: str, expires: Expiry | None, as_json: bool) -> None:
    """Create a token and print it.

    DATABASE is an id or name. A token of the same NAME is replaced.
    """
    operations = operations_of(permissions)
    with connected() as connection:
        database = find_database(connection, database_name)
        delete = "DELETE FROM public.postgate_tokens WHERE database_id = %s AND name = %s"
        is_replaced = connection.execute(delete, [database["id"], name]).rowcount > 0
        create = "SELECT id, token FROM public.create_tenant_token(%s, %s, %s)"
        (token,) = records(connection, create, [database["id"], name, operations])
        if expires is not None:
            connection.execute(
                "UPDATE public.postgate_tokens SET expires_at = %s WHERE id = %s", [expires.at, token["id"]]
            )
        stored = _find_token(connection, database["id"], name)
    if is_replaced:
        report(f"It replaces the token {name!r} of this database, which is valid no more.")
    if as_json:
        output.show_record({"token": token["token"], **stored}, is_json=True)
    else:
        click.echo(token["token"])


@click.command("list-tokens")
@click.argument("database_name", metavar="[DATABASE]", required=False)
@output.as_json
def list_tokens(database_name: str | None, as_json: bool) -> None:
    """List the tokens of one or all databases.

    DATABASE is an id or name. Of a token only what it begins with is known.
    """
    with connected() as connection:
        identity = None if database_name is None else find_database(connection, database_name)["id"]
        found = records(connection, _LIST, [identity, identity])
    output.show_records([row if as_json else _short(row) for row in found], as_json)


@click.command("change-token")
@click.argument("database_name", metavar="DATABASE")
@click.argument("name")
@click.option("--name", "new_name", help="Call it so from now on.")
@click.option("-p", "--permissions", help=PERMISSIONS_HELP)
@expires
@output.as_json
def change_token(
    database_name: str, name: str, new_name: str | None, permissions: str | None, expires: Expiry | None, as_json: bool
) -> None:
    """Change what a token allows, or until when.

    DATABASE is an id or name. The token stays the same; the change holds from the next request on.
    """
    changes: dict[str, object] = {}
    if new_name is not None:
        changes["name"] = new_name
    if permissions is not None:
        changes["allowed_operations"] = operations_of(permissions)
    if expires is not None:
        changes["expires_at"] = expires.at
    if not changes:
        raise click.UsageError("give at least one of --name, --permissions and --expires")
    with connected() as connection:
        identity = find_database(connection, database_name)["id"]
        _find_token(connection, identity, name)
        columns = ", ".join(f"{column} = %s" for column in changes)
        update = f"UPDATE public.postgate_tokens SET {columns} WHERE database_id = %s AND name = %s"  # noqa: S608
        connection.execute(update.encode(), [*changes.values(), identity, name])
        changed = _find_token(connection, identity, name if new_name is None else new_name)
    output.show_record(changed, as_json)


@click.command("revoke-token")
@click.argument("database_name", metavar="DATABASE")
@click.argument("name")
@output.as_json
def revoke_token(database_name: str, name: str, as_json: bool) -> None:
    """Delete a token; its next request is refused.

    DATABASE is an id or name.
    """
    with connected() as connection:
        database = find_database(connection, database_name)
        _find_token(connection, database["id"], name)
        delete = "DELETE FROM public.postgate_tokens WHERE database_id = %s AND name = %s"
        connection.execute(delete, [database["id"], name])
    if as_json:
        output.show_record({"database_id": database["id"], "name": name, "revoked": True}, is_json=True)
    else:
        report(f"The token {name!r} of {database['name']!r} is valid no more.")


def _find_token(connection: psycopg.Connection, database_id: object, name: str) -> dict[str, Any]:
    """What is known of a token; ends the command where there is none of this name."""
    found = [token for token in records(connection, _LIST, [database_id, database_id]) if token["name"] == name]
    if not found:
        raise click.ClickException(f"the database has no token {name!r}; `postgate list-tokens` lists them")
    return found[0]


def _short(token: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in token.items() if name not in ("database_id", "created_at")}
