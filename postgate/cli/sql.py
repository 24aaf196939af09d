"""`postgate sql`."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import uuid4

import click
import orjson
import psycopg

from postgate.cli.database import configured, migrated
from postgate.cli.output import aligned
from postgate.cli.tenants import PERMISSIONS_HELP, find_database, operations_of
from postgate.conninfo import explain
from postgate.operations import OPERATIONS

# A script of so many statements gets a line that says how far it is.
_LONG = 100
# What the token of a script is called; it is deleted when the script ends, and past this time if that fails.
_NAME = "postgate sql"
_LIFE = "1 day"


@click.command("sql")
@click.argument("database_name", metavar="DATABASE")
@click.argument("file", required=False, type=click.File(encoding="utf-8-sig"))
@click.option("-c", "--command", metavar="TEXT", help="Run this text instead of a file.")
@click.option("--csv", "as_csv", is_flag=True, help="Print rows as CSV with a header line.")
@click.option("--json", "as_json", is_flag=True, help='Print {"results": [...]}, a line for each batch.')
@click.option(
    "-p",
    "--permissions",
    default=",".join(OPERATIONS),
    help=f"{PERMISSIONS_HELP} All when not given.",
)
@click.option("--timeout", type=click.FloatRange(0.1, 86_400), default=3600, show_default=True, metavar="SECONDS")
def sql(
    database_name: str,
    file: io.TextIOBase | None,
    command: str | None,
    as_csv: bool,
    as_json: bool,
    permissions: str,
    timeout: float,
) -> None:
    """Run a script in a tenant's database.

    It is FILE, - for standard input, or the text of -c; DATABASE is an id or name. All statements are one
    transaction, unless BEGIN and COMMIT in the script say otherwise; BEGIN ... ROLLBACK only tries. Both walls hold as
    over HTTP. --timeout is for each transaction; the database's own limits hold as well.
    """
    if (file is None) == (command is None):
        raise click.UsageError("give one of FILE, - and -c TEXT")
    if as_csv and as_json:
        raise click.UsageError("give one of --csv and --json")
    operations = operations_of(permissions)
    # The validator and the service take longer to load than the other commands to run.
    from postgate.results.json_rows import JsonRows
    from postgate.results.neon import NeonRows
    from postgate.script import ScriptError, batches_of, run
    from postgate.service import Service

    name = "-c" if file is None else getattr(file, "name", "-")
    config = configured()
    try:
        batches = batches_of(command if command is not None else _text(file))
        with migrated(config) as conninfo:
            service = Service(
                dataclasses.replace(config, conninfo=conninfo, statement_timeout_ms=round(timeout * 1000))
            )
            total = sum(len(batch.pieces) for batch in batches)
            try:
                with _token(conninfo, database_name, operations) as token_hash, _progress(total) as progress:
                    new_format = JsonRows if as_json else partial(NeonRows, as_arrays=True, is_raw=True)
                    show = _show_json if as_json else _show_csv if as_csv else _show_tables
                    for number, answer in enumerate(run(service, token_hash, batches, new_format, progress)):
                        show(b"".join(answer), number)
            finally:
                service.close()
    except ScriptError as error:
        kept = (
            "",
            " (the transaction before it is committed)",
            f" (the {error.batch} transactions before it are committed)",
        )
        raise click.ClickException(f"{name}, {error}{kept[min(error.batch, 2)]}") from error


def _text(file: Any) -> str:
    try:
        return str(file.read())
    except UnicodeDecodeError:
        raise click.ClickException(f"{file.name} is not UTF-8") from None


@contextmanager
def _token(conninfo: str, name: str, operations: list[str]) -> Iterator[str]:
    """The hash of a token for the database of this id or name, as long as the body runs."""
    try:
        with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as connection:
            identity = find_database(connection, name)["id"]
            left = "DELETE FROM public.postgate_tokens WHERE database_id = %s AND name LIKE %s AND expires_at < now()"
            connection.execute(left, [identity, f"{_NAME} %"])
            create = "SELECT id, token FROM public.create_tenant_token(%s, %s, %s)"
            row = connection.execute(create, [identity, f"{_NAME} {uuid4()}", operations]).fetchone()
            if row is None:
                raise click.ClickException("the database gave no answer")
            expire = "UPDATE public.postgate_tokens SET expires_at = now() + %s::interval WHERE id = %s"
            connection.execute(expire, [_LIFE, row[0]])
        try:
            yield sha256(row[1].encode()).hexdigest()
        finally:
            with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as connection:
                connection.execute("SELECT public.delete_tenant_token(%s)", [row[0]])
    except psycopg.Error as error:
        raise click.ClickException(explain(error, conninfo)) from None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Takes how many statements have run."""
    if total < _LONG:
        yield lambda _: None
        return
    with click.progressbar(length=total, label=f"{total} statements", file=sys.stderr) as bar:
        # A batch that is tried again begins anew.
        yield lambda count: bar.update(max(0, count - bar.pos))


def _show_json(answer: bytes, _: int) -> None:
    click.echo(answer.decode())


def _show_csv(answer: bytes, number: int) -> None:
    """Each result with columns, with an empty line between them (RFC 4180 has one table only)."""
    tables = [result for result in orjson.loads(answer)["results"] if result["fields"]]
    for position, result in enumerate(tables):
        if number or position:
            click.echo()
        lines = io.StringIO()
        writer = csv.writer(lines)
        writer.writerow([field["name"] for field in result["fields"]])
        writer.writerows(result["rows"])
        click.echo(lines.getvalue(), nl=False)


def _show_tables(answer: bytes, _: int) -> None:
    for result in orjson.loads(answer)["results"]:
        names = [field["name"] for field in result["fields"]]
        if not names:
            click.echo(" ".join(str(part) for part in (result["command"], result["rowCount"]) if part is not None))
            continue
        rows = [["" if value is None else value for value in row] for row in result["rows"]]
        click.echo("\n".join(aligned([names, *rows], has_rule=True)))
        click.echo(f"({len(rows)} {'row' if len(rows) == 1 else 'rows'})")
