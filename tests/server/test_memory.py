"""What one request takes of a worker's memory: at most twice the largest result, whatever the database sends."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.databases import a_database
from support.processes import running
from support.service import Service, Tenant

LIMIT_MB = 16
# What Python and the allocator keep besides.
SLACK_MB = 8
CASES = {
    "one value": ("SELECT repeat('x', 7000000) AS a", 200),
    "a value of more than a row may have": ("SELECT repeat('x', 12000000) AS a", "RESULT_TOO_LARGE"),
    "a value of 20 times the limit": (
        "SELECT repeat('x', 200000000) || repeat('x', 120000000) AS a",
        "RESULT_TOO_LARGE",
    ),
    "rows of a megabyte": ("SELECT repeat('x', 1000000) AS a FROM generate_series(1, 15)", 200),
    "many rows": ("SELECT repeat('x', 15000) AS a FROM generate_series(1, 900)", 200),
    "more rows": ("SELECT repeat('x', 500000) AS a FROM generate_series(1, 900)", "RESULT_TOO_LARGE"),
    "many columns": ("SELECT " + ", ".join(f"repeat('x', 9000) AS c{n}" for n in range(800)), 200),
    "an array of empty texts": ("SELECT array_fill(''::text, ARRAY[15000000]) AS a", "RESULT_TOO_LARGE"),
    "an array of short texts": ("SELECT array_fill('x'::text, ARRAY[1500000]) AS a", 200),
    "an array of numbers": ("SELECT array_agg(n) AS a FROM generate_series(1, 5000000) AS n", "RESULT_TOO_LARGE"),
    "control characters": ("SELECT repeat(chr(1), 4000000) AS a", "RESULT_TOO_LARGE"),
    "an error that quotes a value": ("SELECT repeat('x', 100000000)::int AS a", "RESULT_TOO_LARGE"),
    "an error that quotes a shorter one": ("SELECT repeat('x', 7000000)::int AS a", "DATABASE_ERROR"),
}


@pytest.fixture(scope="module")
def served(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Tenant, int]]:
    command = [sys.executable, "-m", "postgate", "serve"]
    settings = {"POSTGATE_WORKERS": "1", "POSTGATE_MAX_RESULT_MB": str(LIMIT_MB)}
    directory = tmp_path_factory.mktemp("served")
    with (
        a_database(server, template) as conninfo,
        running(command, directory, DATABASE_URL=conninfo, **settings) as process,
    ):
        process.healthy()
        service = Service(process.port, conninfo)
        found = subprocess.run(["pgrep", "-P", str(process.process.pid)], capture_output=True, text=True, check=True)
        yield service, service.tenant(), int(found.stdout)


def megabytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith(f"{name}:")]
    return kilobytes // 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the most that a process had")
@pytest.mark.parametrize("case", CASES)
def test_no_result_takes_more_than_twice_the_limit(served: tuple[Service, Tenant, int], case: str) -> None:
    service, tenant, worker = served
    sql, outcome = CASES[case]
    assert service.query("SELECT 1 AS a", token=tenant.token).status == 200
    # proc(5): the most that it had so far is forgotten.
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    rest = megabytes(worker, "VmRSS")
    answer = service.query(sql, token=tenant.token)
    assert (answer.status if outcome == 200 else answer.code) == outcome, answer.text[:300]
    assert megabytes(worker, "VmHWM") - rest < 2 * LIMIT_MB + SLACK_MB
    # The worker and its connections go on.
    assert service.query("SELECT 1 AS a", token=tenant.token).status == 200


def test_a_large_result_is_what_the_database_sent(served: tuple[Service, Tenant, int]) -> None:
    service, tenant, _ = served
    sql = """SELECT n, repeat(chr(64 + n), 250000) AS a, array_fill(n, ARRAY[50000]) AS b,
            CASE WHEN n % 2 = 0 THEN repeat('"\\\u00e4', 100000) END AS c
        FROM generate_series(1, 20) AS n"""
    rows = service.query(sql, token=tenant.token).rows
    assert len(rows) == 20
    for n, row in enumerate(rows, start=1):
        assert row["n"] == n and row["a"] == chr(64 + n) * 250_000 and row["b"] == [n] * 50_000
        assert row["c"] == (None if n % 2 else '"\\\u00e4' * 100_000)
