"""Who is measured: postgate under its servers, and what it is compared with."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg
from load import Failed, Measured, Target, cpu_s
from scenarios import POINT_READ, ROWS, SCHEMA

from postgate.executor.prologue import ENTER
from postgate.sql_files import read_sql

ROOT = Path(__file__).parent.parent.parent
START_S = 30.0
OURS = "postgate"
# The same application under other servers; HOST and the like are replaced.
GUNICORN = "-m gunicorn -c gunicorn.conf.py -k"
SERVERS = {
    OURS: "-m postgate serve",
    "gthread": f"{GUNICORN} gthread postgate.wsgi:app",
    "granian": "-m granian --interface wsgi --blocking-threads 4 --port PORT --workers WORKERS postgate.wsgi:app",
}
OPERATIONS = "{SELECT,INSERT,UPDATE,DELETE,CREATE,ALTER,DROP}"


class Postgres(NamedTuple):
    """The database server; `pid` is None where its processes cannot be seen."""

    conninfo: str
    pid: int | None
    version: str

    @classmethod
    def at(cls, conninfo: str) -> Postgres:
        pid = None
        with psycopg.connect(conninfo) as connection:
            backend, version = _row(connection, "SELECT pg_backend_pid(), current_setting('server_version')")
            # While the session lives: its process may be another machine's.
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(backend).parent()
                pid = parent.pid if parent and "postgres" in parent.name() else None
        return cls(conninfo, pid, version.split()[0])


class Tenant(NamedTuple):
    schema: str
    token: str


def make_tenant(postgres: Postgres) -> Tenant:
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        database, schema = _row(connection, "SELECT id::text, schema_name FROM create_tenant_database('b', 1000000)")
        create = "SELECT token FROM create_tenant_token($1::uuid, 'bench', $2::text[])"
        return Tenant(schema, _row(connection, create, database, OPERATIONS)[0])


def make_tenants(postgres: Postgres, count: int) -> float:
    """Make so many tenants with a token each; how many milliseconds one took."""
    started = time.perf_counter()
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        for _ in range(count):
            connection.execute("SELECT create_tenant_token(id) FROM create_tenant_database('bench')")
    return (time.perf_counter() - started) * 1000 / max(1, count)


def make_tables(target: Target, template: str) -> None:
    """Through the service, as a tenant does it."""
    for sql in SCHEMA:
        body = template.replace("PARAMS", "[]").replace("SQL", json.dumps(sql)).encode()
        request = urllib.request.Request(target.url, body)  # noqa: S310
        request.add_header("Authorization", f"Bearer {target.token}")
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            answer.read()


def is_installed(side: str) -> bool:
    return side == OURS or find_spec("granian" if side == "granian" else "gunicorn") is not None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def on_processors(numbers: Iterable[int]) -> Iterator[None]:
    """This thread, and what it starts, has these processors; what it has started keeps them afterwards."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, numbers)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def serving(side: str, postgres: Postgres, token: str, workers: int | None = None, **settings: str) -> Iterator[Target]:
    """A server of ours from its first answer on.

    Args:
        workers: how many processes it has, by default what it chooses.
        settings: more of its environment.
    """
    port = free_port()
    words = {"PORT": str(port), "WORKERS": str(workers or 1)}
    command = [sys.executable, *(words.get(word, word) for word in SERVERS[side].split())]
    environment = {**os.environ, "DATABASE_URL": postgres.conninfo, "POSTGATE_PORT": str(port), **settings}
    if workers is not None:
        environment["POSTGATE_WORKERS"] = str(workers)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
        try:
            _wait(process, port)
            yield Target(f"http://127.0.0.1:{port}/query", token, process.pid, postgres.pid)
        except Exception:
            said.seek(0)
            sys.stderr.write(said.read().decode()[-2000:])
            raise
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failed("the server does not start")
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
            return
        time.sleep(0.1)


def memory_mb(target: Target) -> float:
    """What the largest worker has for itself and shares with the others."""
    if target.server is None:
        return 0.0
    return max(process.memory_info().rss for process in psutil.Process(target.server).children()) / 2**20


def pgbench(postgres: Postgres, tenant: Tenant, connections: int, seconds: float, *, enters: bool) -> Measured:
    """The point read straight on PostgreSQL, both statements prepared and in one round trip.

    Args:
        enters: it comes behind the statement that opens our transactions; otherwise behind SELECT 1.
    """
    with psycopg.connect(postgres.conninfo) as connection:
        token_hash, version = _token(connection, tenant)
        (directory,) = _row(connection, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")
    first = "SELECT 1"
    if enters:
        first = " ".join(re.sub("--.*", "", ENTER.decode()).split())
        for position, word in enumerate((":hash", ":version", "30000", "''", "'postgate bench'"), 1):
            first = first.replace(f"${position}", word)
    # Its name is read before the first statement has set the search path.
    read = POINT_READ.replace("items", f'"{tenant.schema}".items').replace("$1", ":id")
    script = f"\\set id random(1, {ROWS})\n\\startpipeline\n{first};\n{read};\n\\endpipeline\n"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        options = f"-n -M prepared -c {connections} -j 1 -T {max(1, round(seconds))} -f {file.name}"
        options += f" -D hash={token_hash} -D version={version}"
        before, started = cpu_s(postgres.pid), time.perf_counter()
        ran = subprocess.run(
            [Path(directory) / "pgbench", *options.split(), postgres.conninfo], capture_output=True, text=True
        )
        cost, took = cpu_s(postgres.pid) - before, time.perf_counter() - started
    if ran.returncode:
        raise Failed(ran.stderr[-1000:])
    count = int(re.findall(r"actually processed: (\d+)", ran.stdout)[0])
    mean_ms = float(re.findall(r"latency average = ([0-9.]+)", ran.stdout)[0])
    return Measured(count, took, mean_ms, float("nan"), None, cost / count * 1e6 if postgres.pid else None)


def psycopg_loop(postgres: Postgres, tenant: Tenant, seconds: float) -> Measured:
    """The same by psycopg in a loop: one connection, both statements in a pipeline, the rows as Python values.

    Behind SELECT 1, because nothing else comes from an application that has a database for itself.
    """
    code = f"""
import random, sys, time, psycopg
read = {POINT_READ.replace("$1", "%s").replace("items", f'"{tenant.schema}".items')!r}
with psycopg.connect({postgres.conninfo!r}, autocommit=True, prepare_threshold=0) as connection:
    latencies = []
    until = time.perf_counter() + {seconds}
    while (now := time.perf_counter()) < until:
        with connection.pipeline():
            connection.execute("SELECT 1")
            rows = connection.execute(read, [random.randint(1, {ROWS})])
        rows.fetchall()
        latencies.append(time.perf_counter() - now)
used = time.process_time()
latencies.sort()
print(len(latencies), latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100], used)
"""
    before = cpu_s(postgres.pid)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cost = cpu_s(postgres.pid) - before
    count, p50, p99, used = map(float, ran.stdout.split())
    server_us = used / count * 1e6
    return Measured(
        int(count), seconds, p50 * 1000, p99 * 1000, server_us, cost / count * 1e6 if postgres.pid else None
    )


def _token(connection: psycopg.Connection[tuple[str, ...]], tenant: Tenant) -> tuple[str, str]:
    """The hash of a token, and the version of what it opens."""
    (token_hash,) = _row(connection, "SELECT encode(sha256($1::bytea), 'hex')", tenant.token)
    return token_hash, _row(connection, read_sql("access", "look_up").decode(), token_hash)[3]


def _row(connection: psycopg.Connection[tuple[str, ...]], sql: str, *parameters: str) -> tuple[str, ...]:
    row = psycopg.RawCursor(connection).execute(sql.encode(), parameters).fetchone()
    if row is None:
        raise Failed(f"no row: {sql}")
    return row
