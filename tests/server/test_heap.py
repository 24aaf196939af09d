"""What large requests took of a worker's memory is given back."""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from support.processes import running
from support.service import Service

SERVE = [sys.executable, "-m", "postgate", "serve"]
MEGABYTE = 1024 * 1024


def statement(number: int) -> str:
    return f"SELECT length('{number}{'x' * 1_000_000}') AS n"


def rows(_: int) -> str:
    return "SELECT n, repeat('x', 100) AS a FROM generate_series(1, 300000) AS n"


def value(_: int) -> str:
    return "SELECT repeat('x', 25000000) AS a"


def long_list(number: int) -> str:
    return f"SELECT 1 AS a WHERE 1 IN ({','.join(str(number * 100_000 + n) for n in range(20_000))})"


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="only Linux tells")  # noqa: PTH110
@pytest.mark.parametrize(("sql", "count"), [(statement, 200), (rows, 12), (value, 16), (long_list, 48)])
def test_memory_of_large_requests_comes_back(
    conninfo: str, tmp_path: Path, sql: Callable[[int], str], count: int
) -> None:
    with running(SERVE, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="1") as served:
        served.healthy()
        service = Service(served.port, conninfo)
        service.execute("UPDATE postgate_databases SET max_rows = 10000000")
        (worker,) = psutil.Process(served.process.pid).children()

        def megabytes() -> float:
            return worker.memory_info().rss / MEGABYTE

        assert service.query("SELECT 1 AS a").status == 200
        before = megabytes()
        bodies = [json.dumps({"sql": sql(number)}).encode() for number in range(count)]
        with ThreadPoolExecutor(6) as threads:
            assert set(threads.map(lambda body: service.post(body).status, bodies)) == {200}
        deadline = time.monotonic() + 45
        while megabytes() > before + 100:
            assert time.monotonic() < deadline, f"{before:.0f} MB have become {megabytes():.0f}"
            # A service that is used: what the garbage collector has to free is found as it goes on.
            service.query("SELECT 1 AS a")
