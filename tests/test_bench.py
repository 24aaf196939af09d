"""The benchmark's own parts, without a database: what it counts is there, and what it writes can be read."""

import itertools
import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from support.loops import serving
from support.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "bench"))

import load
import report
from scenarios import SCENARIOS, TEMPLATE, bodies


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["wsgi.input"].read() == b"refused":
        start_response("503 Service Unavailable", [("Content-Length", "5")])
        return [b"later"]
    if environ["PATH_INFO"] == "/chunks":
        start_response("200 OK", [])
        return iter([b"a" * 5000, b"b"])
    start_response("200 OK", [("Content-Length", "100000")])
    return [b"x" * 100_000]


@pytest.mark.parametrize("path", ["/", "/chunks"])
def test_a_load_counts_whole_answers(path: str) -> None:
    with serving(application) as server:
        target = load.Target(f"http://127.0.0.1:{server.port}{path}", "token", None, None)
        shares: list[float] = []
        measured = load.run(target, itertools.repeat(b"{}"), 3, 0.3, shares.append)
    assert measured.requests > 10
    assert 0 < measured.p50_ms <= measured.p99_ms
    assert (measured.server_us, measured.postgres_us) == (None, None)
    assert shares == sorted(shares)


def test_several_are_loaded_in_turn() -> None:
    with serving(application) as one, serving(application) as other:
        targets = [
            load.Target(f"http://127.0.0.1:{server.port}/", "token", os.getpid(), None) for server in (one, other)
        ]
        measured = load.run_in_turn(targets, itertools.repeat(b"{}"), 2, 3)
    assert [len(costs) for costs in measured] == [3, 3]
    whole = load.together(measured[0])
    assert whole.requests == sum(cost.requests for cost in measured[0])
    assert whole.server_us and min(cost.server_us or 0 for cost in measured[0]) <= whole.server_us
    assert whole.postgres_us is None


def test_a_load_does_not_count_errors_as_answers() -> None:
    with serving(application) as server:
        target = load.Target(f"http://127.0.0.1:{server.port}/", "", None, None)
        with pytest.raises(load.Failed, match="503 Service Unavailable"):
            load.run(target, itertools.repeat(b"refused"), 1, 0.2)


def test_another_service_gets_its_own_kind_of_body() -> None:
    for scenario in SCENARIOS:
        first = next(bodies(scenario, TEMPLATE))
        if scenario.statements is not None:
            assert set(json.loads(first or b"")) == {"sql", "params"}
            other = json.loads(next(bodies(scenario, '{"query": SQL, "args": PARAMS}')) or b"")
            assert set(other) == {"query", "args"}


def test_what_was_measured_can_be_read(tmp_path: Path) -> None:
    lines = [
        report.Line("postgate", "point read", load.Measured(1000, 2.0, 1.5, 9.25, 200.0, 150.0)),
        report.Line("a <service>", "point read", load.Measured(10, 2.0, 150.0, float("nan"), None, None), "4 workers"),
    ]
    rows = report.table(lines).splitlines()
    assert len({len(row) for row in rows}) == 1
    cells = ["point read", "postgate", "500", "1.50", "9.25", "200", "150", "350"]
    assert [cell.strip() for cell in rows[2].strip("|").split("|")] == cells
    assert rows[3].startswith("| point read, 4 workers | a <service> |")
    report.write_json(tmp_path / "bench.json", {"python": "3"}, lines)
    assert json.loads((tmp_path / "bench.json").read_text())["measured"][0]["requests"] == 1000
    report.write_svg(tmp_path / "bench.svg", "Time & cost", lines)
    picture = ElementTree.parse(tmp_path / "bench.svg")  # noqa: S314
    assert "a <service>" in "".join(picture.getroot().itertext())
