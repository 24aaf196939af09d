"""`postgate config`."""

from __future__ import annotations

import os

import click

from postgate.cli import output
from postgate.config import Config, ConfigError, settings_in_force


@click.command()
@output.as_json
def config(as_json: bool) -> None:
    """Print every setting and where it comes from.

    Exits with 1 where one has a value that it cannot have.
    """
    try:
        names = ("name", "value", "source")
        settings = [dict(zip(names, setting, strict=True)) for setting in settings_in_force(os.environ)]
        output.show_records(settings, as_json)
        Config.from_env(os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
