"""How commands answer: a table for a person, JSON for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click
import orjson

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def aligned(lines: Sequence[Sequence[str]], has_rule: bool = False) -> Iterator[str]:
    """Each line with its columns below those of the others.

    Args:
        has_rule: whether a rule stands below the first line, which has the names of the columns then.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]] if has_rule else lines
    for line in ruled:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def show_records(records: Sequence[dict[str, Any]], is_json: bool) -> None:
    """Print each record as a line of a table, or all as a JSON array."""
    if is_json:
        click.echo(_json(records))
    elif records:
        lines = [list(records[0]), *([_text(value) for value in record.values()] for record in records)]
        click.echo("\n".join(aligned(lines, has_rule=True)))


def show_record(record: dict[str, Any], is_json: bool) -> None:
    """Print one record, a line for each of its members, or as a JSON object."""
    if is_json:
        click.echo(_json(record))
    else:
        click.echo("\n".join(aligned([[name, _text(value)] for name, value in record.items()])))


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, datetime):
        return value.astimezone().isoformat(" ", "seconds")
    return str(value)
