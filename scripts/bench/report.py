"""What was measured, as a table, as JSON and as a picture."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from load import Measured


class Line(NamedTuple):
    """A measurement: of whom, doing what, and under which load where that varies."""

    side: str
    scenario: str
    measured: Measured
    load: str = ""


HEAD = ("what", "who", "requests/s", "p50 ms", "p99 ms", "server us", "PostgreSQL us", "both us")


def table(lines: list[Line]) -> str:
    """Rows for people, and for docs/performance.md: a Markdown table with columns of one width."""
    rows = [HEAD, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    texts = [_row(row, widths) for row in rows]
    dashes = ["-" * (width + 2) if column < 2 else "-" * (width + 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([texts[0], "|" + "|".join(dashes) + "|", *texts[1:]])


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        cell.ljust(width) if column < 2 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join(padded) + " |"


def _cells(line: Line) -> tuple[str, ...]:
    one = line.measured
    what = f"{line.scenario}, {line.load}" if line.load else line.scenario
    known = one.server_us is not None or one.postgres_us is not None
    times = (one.rate, one.p50_ms, one.p99_ms)
    costs = (one.server_us, one.postgres_us, one.cpu_us if known else None)
    return (what, line.side, *(_number(number) for number in (*times, *costs)))


def _number(number: float | None) -> str:
    if number is None or number != number:
        return ""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def write_json(path: Path, about: dict[str, Any], lines: list[Line]) -> None:
    measured = [
        {"side": line.side, "scenario": line.scenario, "load": line.load, **line.measured._asdict()} for line in lines
    ]
    path.write_text(json.dumps({"about": about, "measured": measured}, indent=2, allow_nan=True))


# Two colours that differ for people who see no red or no green, and in grey.
_SERVER, _POSTGRES, _INK, _SOFT = "#0b6e99", "#e69f00", "#1f2328", "#59636e"
_LEFT, _RIGHT, _TOP, _STEP, _BAR, _WIDTH = 220, 200, 70, 34, 20, 860


def write_svg(path: Path, title: str, lines: list[Line]) -> None:
    """Bars of the processor time of a request, of the server and of PostgreSQL."""
    path.write_text("\n".join(_svg(title, lines)) + "\n")


def _svg(title: str, lines: list[Line]) -> Iterator[str]:
    height = _TOP + _STEP * len(lines) + 20
    most = max(line.measured.cpu_us for line in lines)
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" font-family="sans-serif"'
        f' font-size="13"><title>{html.escape(title)}</title>'
    )
    yield f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    yield f'<text x="16" y="26" font-size="16" font-weight="600" fill="{_INK}">{html.escape(title)}</text>'
    for x, colour, name in ((16, _SERVER, "server"), (100, _POSTGRES, "PostgreSQL")):
        yield f'<rect x="{x}" y="40" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="51" fill="{_SOFT}">{name}</text>'
    for number, line in enumerate(lines):
        y = _TOP + _STEP * number
        middle = y + _BAR / 2 + 5
        one = line.measured
        yield f'<text x="{_LEFT - 12}" y="{middle}" text-anchor="end" fill="{_INK}">{html.escape(line.side)}</text>'
        x = float(_LEFT)
        for cost, colour in ((one.server_us or 0, _SERVER), (one.postgres_us or 0, _POSTGRES)):
            if cost:
                yield f'<rect x="{x:.1f}" y="{y}" width="{cost * scale:.1f}" height="{_BAR}" fill="{colour}"/>'
            x += cost * scale
        yield (
            f'<text x="{x + 8:.1f}" y="{middle}" fill="{_INK}">{one.cpu_us:,.0f} us'
            f'<tspan fill="{_SOFT}">, {one.rate:,.0f} requests/s</tspan></text>'
        )
    yield "</svg>"
