"""The command line: `postgate`, `flask postgate` and `python -m postgate` are this one group."""

from __future__ import annotations

import click

from postgate.cli.serving import serve
from postgate.cli.sql import sql
from postgate.cli.tenants import create_db, gen_token
from postgate.cli.upkeep import doctor, migrate


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="postgate", prog_name="postgate")
@click.pass_context
def main(context: click.Context) -> None:
    """An HTTP proxy that gives many tenants safe SQL access to PostgreSQL.

    Without a command it serves. Settings come from the environment and from a .env file.
    """
    if context.invoked_subcommand is None:
        context.invoke(serve)


for _command in (serve, create_db, gen_token, sql, migrate, doctor):
    main.add_command(_command)
