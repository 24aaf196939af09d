"""What the commands for databases and for tokens share: which database is meant, and what a token may do until when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import click
import psycopg
from psycopg.rows import dict_row

from postgate.operations import DML, OPERATIONS

_WORDS = {"read": ("SELECT",), "write": DML, "all": OPERATIONS}
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
PERMISSIONS_HELP = f"What it allows: read, write (the four of rows), all, or a list of {', '.join(OPERATIONS)}."


class Expiry(NamedTuple):
    """When a token ends; None is never."""

    at: datetime | None


def _expiry(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Expiry | None:
    if value is None or value == "never":
        return None if value is None else Expiry(None)
    try:
        if match := re.fullmatch(r"(\d{1,5})([mhdw])", value):
            return Expiry(datetime.now(UTC) + int(match[1]) * _UNITS[match[2]])
        at = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no time; give one as 30d, 12h, 2w, 2027-01-31, 2027-01-31T12:00 or never"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at <= datetime.now(UTC):
        raise click.BadParameter(f"{value} is over already")
    return Expiry(at)


expires = click.option(
    "--expires",
    metavar="TIME",
    callback=_expiry,
    help="When it ends: 30d, 12h, a date, a time (UTC if it has no zone), or never.",
)


def find_database(connection: psycopg.Connection, name: str) -> dict[str, Any]:
    """The row of the database of this id or name; ends the command where it is not exactly one."""
    query = "SELECT * FROM public.postgate_databases WHERE id::text = lower(%s) OR name = %s"
    found = records(connection, query, [name, name])
    if not found:
        raise click.ClickException(f"there is no database {name!r}; `postgate list-dbs` lists them")
    if len(found) > 1:
        raise click.ClickException(f"there are {len(found)} databases {name!r}; give the id of one")
    return found[0]


def records(connection: psycopg.Connection, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    """What a query gives, each row by the names of its columns."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), parameters).fetchall()


def operations_of(text: str) -> list[str]:
    """The operations of a list with commas; ends the command where one is none."""
    operations: list[str] = []
    for word in (part.strip() for part in text.split(",") if part.strip()):
        meant = _WORDS.get(word.lower(), (word.upper(),))
        if not set(meant) <= set(OPERATIONS):
            raise click.ClickException(
                f"{word!r} is not a permission; there are {', '.join(_WORDS)}, {', '.join(OPERATIONS)}"
            )
        operations += [operation for operation in meant if operation not in operations]
    return operations
