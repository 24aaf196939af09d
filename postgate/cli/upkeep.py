"""`postgate migrate` and `postgate doctor`."""

from __future__ import annotations

import click

from postgate.cli.database import configured, database, report
from postgate.metadata import doctor as examination
from postgate.metadata import migrate as migration


@click.command()
@click.option("--gateway", metavar="ROLE", help="Let the service log in as this role; run it as a superuser.")
def migrate(gateway: str | None) -> None:
    """Bring the database's schema up to date."""
    with database(configured()) as conninfo:
        migration.wait_for_database(conninfo, report)
        migration.upgrade(conninfo)
        report(f"The database is at revision {migration.head()}.")
        if gateway is not None:
            migration.admit(conninfo, gateway)
            report(f"The role {gateway} may serve it.")


@click.command()
def doctor() -> None:
    """Try what protects tenants from each other; exit 1 when one could reach another, or postgate cannot work."""
    with database(configured()) as conninfo:
        checks = list(examination.examine(conninfo))
    table = [(check.mark, check.name, check.state, check.loss, check.remedy) for check in checks]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if any(check.fatal for check in checks):
        raise click.exceptions.Exit(1)
