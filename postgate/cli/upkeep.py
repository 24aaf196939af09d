"""`postgate migrate` and `postgate doctor`."""

from __future__ import annotations

import click

from postgate.cli import output
from postgate.cli.database import configured, database, report
from postgate.metadata import doctor as examination
from postgate.metadata import migrate as migration


@click.command()
@click.option("--gateway", metavar="ROLE", help="Let the service log in as this role; run it as a superuser.")
@click.option("--adopt", is_flag=True, help="Take a database that has somebody else's tables.")
@click.option("--undo", is_flag=True, help="Take everything of postgate's out of the database again.")
@click.option("--yes", is_flag=True, help="Do not ask before --undo.")
@output.as_json
def migrate(gateway: str | None, adopt: bool, undo: bool, yes: bool, as_json: bool) -> None:
    """Bring the database's schema up to date."""
    if undo and (adopt or gateway is not None):
        raise click.UsageError("--undo goes with no other option than --yes")
    with database(configured()) as conninfo:
        migration.wait_for_database(conninfo, report)
        before = migration.current(conninfo)
        if undo:
            if before is None:
                raise click.ClickException("the database has nothing of postgate's")
            _undo(conninfo, yes)
            _show_revisions(before, None, as_json)
            return
        migration.upgrade(conninfo, adopts=adopt, report=report)
        report(f"The database is at revision {migration.head()}.")
        if gateway is not None:
            migration.admit(conninfo, gateway)
            report(f"The role {gateway} may serve it.")
        _show_revisions(before, migration.head(), as_json)


def _show_revisions(before: str | None, after: str | None, is_json: bool) -> None:
    if is_json:
        output.show_record({"before": before, "after": after}, is_json=True)


def _undo(conninfo: str, yes: bool) -> None:
    question = (
        "Delete all tokens and what postgate knows of its databases? The schemas of tenants stay, with their tables"
    )
    if not yes:
        click.confirm(question, abort=True, err=True)
    migration.downgrade(conninfo, "base")
    report("Nothing of postgate's is left, and PUBLIC has what it had.")


@click.command()
@output.as_json
def doctor(as_json: bool) -> None:
    """Try what protects tenants from each other.

    Exits with 1 when one could reach another, or postgate cannot work.
    """
    with database(configured()) as conninfo:
        checks = list(examination.examine(conninfo))
    names = ("mark", "name", "state", "loss", "remedy")
    table = [{name: getattr(check, name) for name in names} for check in checks]
    if as_json:
        output.show_records(table, is_json=True)
    else:
        click.echo("\n".join(output.aligned([list(line.values()) for line in table])))
    if any(check.fatal for check in checks):
        raise click.exceptions.Exit(1)
