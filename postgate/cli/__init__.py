"""The command line: `postgate`, `flask postgate` and `python -m postgate` are this one group."""

from __future__ import annotations

import click

from postgate.cli.databases import change_db, create_db, delete_db, list_dbs, show_db
from postgate.cli.serving import serve
from postgate.cli.settings import config
from postgate.cli.sql import sql
from postgate.cli.tokens import change_token, gen_token, list_tokens, revoke_token
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


for _command in (
    serve,
    create_db,
    list_dbs,
    show_db,
    change_db,
    delete_db,
    gen_token,
    list_tokens,
    change_token,
    revoke_token,
    sql,
    migrate,
    doctor,
    config,
):
    main.add_command(_command)
