"""What the commands share: the settings, the database they name, and failures as one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg

from postgate import embedded
from postgate.config import Config, ConfigError
from postgate.conninfo import describe
from postgate.metadata import migrate, trial
from postgate.metadata.remedies import explain_with_remedy
from postgate.server.signals import end_on_signals


def configured() -> Config:
    """The settings, or the end of the command with the one that is wrong."""
    try:
        return Config.from_env(os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def database(config: Config) -> Iterator[str]:
    """The conninfo of the database, which runs as long as the body if it is the embedded one; it is told which one.

    It has to be there: a command in the wrong directory makes no second one.
    """
    end_on_signals()
    where = f"embedded, in {config.data_dir.absolute()}" if config.conninfo is None else describe(config.conninfo)
    with one_line_errors(), embedded.database(config) as conninfo:
        report(f"Database: {where}")
        yield conninfo


@contextmanager
def migrated(config: Config) -> Iterator[str]:
    """The same, if it is as this version needs it: only `serve` and `migrate` change that."""
    with database(config) as conninfo:
        migrate.require_head(conninfo)
        yield conninfo


@contextmanager
def connected() -> Iterator[psycopg.Connection]:
    """A transaction on the migrated metadata database, committed when the body ends well."""
    with migrated(configured()) as conninfo:
        try:
            with psycopg.connect(conninfo, prepare_threshold=None) as connection:
                yield connection
        except psycopg.Error as error:
            raise click.ClickException(explain_with_remedy(error, conninfo)) from None


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the command with one line, where what fails has one for a person."""
    try:
        yield
    except (migrate.MigrationError, trial.Unprotected, embedded.EmbeddedError) as error:
        raise click.ClickException(str(error)) from None


def report(line: str) -> None:
    """Say it on stderr: stdout is for what a script reads."""
    click.echo(line, err=True)
