"""`postgate serve`."""

from __future__ import annotations

import dataclasses

import click

from postgate.cli.database import configured
from postgate.server.signals import end_on_signals


@click.command()
@click.option("--host", help="Address to listen on, instead of POSTGATE_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of POSTGATE_PORT.")
@click.option("--skip-migrations", is_flag=True, help="Leave the database's schema as it is.")
def serve(host: str | None = None, port: int | None = None, skip_migrations: bool = False) -> None:
    """Migrate the database and serve until interrupted."""
    end_on_signals()
    # Flask, gunicorn and the validator take longer to load than the other commands to run.
    from postgate.server import gunicorn

    config = configured()
    config = dataclasses.replace(
        config,
        host=config.host if host is None else host,
        port=config.port if port is None else port,
        skip_migrations=config.skip_migrations or skip_migrations,
    )
    gunicorn.serve(config)
