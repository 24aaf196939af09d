"""Nothing that is remembered of a statement outlives the definitions that it was made for.

The values are those that PostgreSQL stores for a text of unknown type, on whatever worker and however often before.
"""

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from support.databases import a_database
from support.paths import FIXTURES
from support.service import Service, Tenant, a_service

WAYS = list(itertools.product(("INSERT", "UPDATE", "WHERE"), ("ALTER", "DROP"), ("tenant", "administrator")))
# These have no operator = with a text of unknown type.
INCOMPARABLE = ("json", "pair", "other_pair")
TYPES = """
    CREATE TYPE {s}.mood AS ENUM ('a', 'b');
    CREATE TYPE {s}.other_mood AS ENUM ('b', 'c');
    CREATE DOMAIN {s}.positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN {s}.short AS varchar(3);
    CREATE DOMAIN {s}.numbers AS int[];
    CREATE TYPE {s}.pair AS (a int, b text);
    CREATE TYPE {s}.other_pair AS (a text, b int)
"""


class Json(str):
    """A parameter as it stands in a body."""


def pairs() -> Iterator[Any]:
    lines = (FIXTURES / "definitions.tsv").read_text().splitlines()
    for number, line in enumerate(lines):
        if line and not line.startswith("#"):
            old, new, first, then, stored = line.split("\t")
            yield pytest.param(old, new, Json(first), Json(then), stored, id=f"{number}: {old} to {new}")


class Workers:
    """Two services on one database, as two worker processes are, and a tenant of both."""

    def __init__(self, first: Service, second: Service) -> None:
        self.services = (first, second)
        self.tenant: Tenant = first.tenant()
        self.schema = self.tenant.schema
        first.execute(TYPES.format(s=self.schema))

    def ask(self, worker: int, sql: str, *params: Any) -> list[dict[str, Any]]:
        texts = [param if isinstance(param, Json) else json.dumps(param) for param in params]
        body = f'{{"sql": {json.dumps(sql)}, "params": [{", ".join(texts)}]}}'
        return self.services[worker].post(body.encode(), self.tenant.token).rows

    def define(self, who: str, sql: str) -> None:
        if who == "tenant":
            for statement in sql.split(";"):
                self.ask(0, statement)
        else:
            self.services[0].execute(f"SET search_path = {self.schema}; {sql}")

    def stored(self) -> list[str]:
        return [text for (text,) in self.services[0].execute(f"SELECT v::text FROM {self.schema}.p ORDER BY n")]


@pytest.fixture(scope="module")
def workers(shared_service: Service) -> Iterator[Workers]:
    with a_service(shared_service.conninfo) as second:
        yield Workers(shared_service, second)


@pytest.mark.parametrize(("old", "new", "first", "then", "stored"), list(pairs()))
def test_a_parameter_has_the_type_that_its_column_has_now(
    workers: Workers, old: str, new: str, first: Json, then: Json, stored: str
) -> None:
    workers.services[0].execute(f"DROP TABLE IF EXISTS {workers.schema}.p")
    old, new = old.format(s=workers.schema), new.format(s=workers.schema)
    for place, change, who in WAYS:
        if place == "WHERE" and {old.split(".")[-1], new.split(".")[-1]} & set(INCOMPARABLE):
            continue
        where = f"{place}, {change} by the {who}"
        workers.define(who, f"CREATE TABLE p (n serial, v {old}); INSERT INTO p VALUES (0, NULL)")
        sql = {
            "INSERT": "INSERT INTO p (v) VALUES ($1)",
            "UPDATE": "UPDATE p SET v = $1 WHERE n = 0",
            "WHERE": "SELECT n FROM p WHERE v = $1",
        }[place]
        for worker in (0, 1, 0, 1):
            workers.ask(worker, sql, first)
        if change == "ALTER":
            workers.define(who, f"ALTER TABLE p ALTER COLUMN v TYPE {new} USING NULL")
        else:
            workers.define(who, f"DROP TABLE p; CREATE TABLE p (n serial, v {new}); INSERT INTO p VALUES (0, NULL)")
        if place == "WHERE":
            literal = stored.replace("'", "''")
            workers.services[0].execute(f"UPDATE {workers.schema}.p SET v = '{literal}' WHERE n = 0")
            assert [workers.ask(worker, sql, then) for worker in (0, 1)] == [[{"n": 0}]] * 2, where
        else:
            for worker in (0, 1):
                workers.ask(worker, sql, then)
            found = workers.stored()
            assert [text for text in found if text is not None][-1] == stored, where
            assert found.count(stored) == (2 if place == "INSERT" else 1), where
        workers.define(who, "DROP TABLE p")


@pytest.mark.parametrize("who", ["tenant", "administrator"])
def test_a_type_that_is_made_anew(workers: Workers, who: str) -> None:
    for _ in range(2):
        workers.define(who, "CREATE TYPE s AS ENUM ('a', 'b'); CREATE TABLE q (v s, l s[])")
        for worker in (0, 1) * 3:
            workers.ask(worker, "INSERT INTO q VALUES ($1, $2)", "a", ["a", "b"])
            assert workers.ask(worker, "SELECT v, l FROM q LIMIT 1") == [{"v": "a", "l": ["a", "b"]}]
        workers.define(who, "DROP TABLE q; DROP TYPE s")


@pytest.mark.parametrize("who", ["tenant", "administrator"])
def test_a_label_that_is_renamed(workers: Workers, who: str) -> None:
    workers.define(who, "CREATE TYPE s AS ENUM ('a', 'b'); CREATE TABLE q (v s); INSERT INTO q VALUES ('a')")
    for worker in (0, 1) * 3:
        assert workers.ask(worker, "SELECT count(*) AS n FROM q WHERE v = 'a'") == [{"n": 1}]
    workers.define(who, "ALTER TYPE s RENAME VALUE 'a' TO 'z'")
    for worker in (0, 1):
        answer = workers.services[worker].query("SELECT count(*) AS n FROM q WHERE v = 'a'", token=workers.tenant.token)
        assert answer.json["sqlstate"] == "22P02"
        assert workers.ask(worker, "SELECT count(*) AS n FROM q WHERE v = $1", "z") == [{"n": 1}]
    workers.define(who, "DROP TABLE q; DROP TYPE s")


@pytest.mark.parametrize("who", ["tenant", "administrator"])
def test_a_default_of_a_domain_that_is_dropped(workers: Workers, who: str) -> None:
    workers.define(who, "CREATE DOMAIN s AS int DEFAULT 5; CREATE TABLE q (n int, v s)")
    for worker in (0, 1) * 3:
        assert workers.ask(worker, "INSERT INTO q (n) VALUES ($1) RETURNING v", 1) == [{"v": 5}]
    workers.define(who, "ALTER DOMAIN s DROP DEFAULT")
    for worker in (0, 1):
        assert workers.ask(worker, "INSERT INTO q (n) VALUES ($1) RETURNING v", 1) == [{"v": None}]
    workers.define(who, "DROP TABLE q; DROP DOMAIN s")


@pytest.mark.parametrize("constant", ["now", "NOW", " now ", "today", "tomorrow", "yesterday", "today 10:00:00.5"])
def test_a_constant_that_means_another_time_each_time(workers: Workers, constant: str) -> None:
    workers.define("tenant", "CREATE TABLE hb (n serial, at timestamptz)")
    texts = (f"INSERT INTO hb (at) VALUES ('{constant}')", f"INSERT INTO hb (at) VALUES (timestamptz E'{constant}')")
    for _ in range(3):
        for sql in texts:
            workers.ask(0, sql)
    is_clock = constant.strip().lower() == "now"
    count = workers.ask(0, "SELECT count(DISTINCT at) AS n FROM hb")
    assert count == [{"n": 6 if is_clock else 1}]
    workers.define("tenant", "DROP TABLE hb")


def test_what_is_defined_outside_of_the_tenants_schemas(workers: Workers) -> None:
    """A type that an administrator keeps in another schema, for tenants to use."""
    service = workers.services[0]
    service.execute("CREATE SCHEMA common; CREATE TYPE common.s AS ENUM ('a'); GRANT USAGE ON SCHEMA common TO PUBLIC")
    service.execute(f"CREATE TABLE {workers.schema}.q (v common.s[])")
    for worker in (0, 1) * 3:
        workers.ask(worker, "INSERT INTO q VALUES ($1)", ["a"])
    service.execute(f"ALTER TABLE {workers.schema}.q ALTER COLUMN v TYPE jsonb USING NULL; DROP TYPE common.s")
    for worker in (0, 1):
        workers.ask(worker, "INSERT INTO q VALUES ($1)", [])
    assert service.execute(f"SELECT count(*) FROM {workers.schema}.q WHERE v = '[]'") == [(2,)]
    service.execute(f"DROP TABLE {workers.schema}.q; DROP SCHEMA common CASCADE")


def test_a_change_that_is_under_way(workers: Workers) -> None:
    """What waits for a lock while a column changes has the new type when it goes on."""
    workers.define("administrator", "DROP TABLE IF EXISTS p; CREATE TABLE p (n serial, v int)")
    for worker in (0, 1) * 2:
        workers.ask(worker, "INSERT INTO p (v) VALUES ($1)", 7)
    with psycopg.connect(workers.services[0].conninfo) as changing, ThreadPoolExecutor() as threads:
        changing.execute(f"ALTER TABLE {workers.schema}.p ALTER COLUMN v TYPE text".encode())
        waiting = [threads.submit(workers.ask, worker, "INSERT INTO p (v) VALUES ($1)", "007") for worker in (0, 1)]
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        deadline = time.monotonic() + 10
        while workers.services[0].execute(waits) != [(2,)]:
            assert time.monotonic() < deadline
        changing.commit()
        for done in waiting:
            done.result(10)
    assert workers.stored()[-2:] == ["007", "007"]
    workers.define("tenant", "DROP TABLE p")


def test_a_dedicated_database_remembers_nothing(service: Service, server: str, template: str) -> None:
    with a_database(server, "template1") as far, a_service(service.conninfo, allow_dedicated_superuser=True) as served:
        tenant = served.dedicated(far)
        ask = lambda sql, *params: served.query(sql, *params, token=tenant.token).rows  # noqa: E731
        ask("CREATE TABLE p (v int, l text[])")
        for _ in range(3):
            ask("INSERT INTO p VALUES ($1, $2)", 7, ["a"])
        ask("ALTER TABLE p ALTER COLUMN v TYPE text, ALTER COLUMN l TYPE jsonb USING NULL")
        ask("INSERT INTO p VALUES ($1, $2)", "007", [])
        assert ask("SELECT v, l FROM p WHERE v = $1", "007") == [{"v": "007", "l": []}]


# What a tenant can define, change and drop; some of it takes objects along that have no schema of their own.
OWN = """
    CREATE TABLE own (id serial PRIMARY KEY, v text DEFAULT 'x', big text);
    CREATE VIEW own_view AS SELECT v FROM own; CREATE TYPE own_type AS ENUM ('a');
    CREATE DOMAIN own_domain AS int DEFAULT 1;
    ALTER TABLE own ALTER COLUMN v DROP DEFAULT; ALTER TABLE own ALTER COLUMN v SET DEFAULT 'y';
    ALTER TABLE own ADD CONSTRAINT short CHECK (length(v) < 9); ALTER TABLE own DROP CONSTRAINT short;
    ALTER DOMAIN own_domain DROP DEFAULT; ALTER TYPE own_type ADD VALUE 'b'; CREATE INDEX ON own (v);
    CREATE STATISTICS own_statistics ON id, v FROM own; DROP STATISTICS own_statistics;
    CREATE MATERIALIZED VIEW own_m AS SELECT v FROM own; REFRESH MATERIALIZED VIEW own_m; DROP MATERIALIZED VIEW own_m;
    COMMENT ON TABLE own IS 'x'; TRUNCATE own; CREATE TABLE own_copy AS SELECT * FROM own; DROP TABLE own_copy;
    ALTER TABLE own DROP COLUMN big; DROP VIEW own_view; DROP TABLE own; DROP TYPE own_type; DROP DOMAIN own_domain
"""


def test_a_tenant_makes_nobody_elses_memory_stale(service: Service) -> None:
    tenants = [service.tenant() for _ in range(3)]
    versions = "SELECT schema_name, version::text FROM postgate_internal.definitions WHERE schema_name <> %s"
    service.query("SELECT 1 AS a", token=tenants[0].token)
    before = service.execute(versions, tenants[0].schema)
    for statement in OWN.split(";"):
        answer = service.query(statement, token=tenants[0].token)
        assert answer.status == 200, (statement, answer.text)
        assert service.execute(versions, tenants[0].schema) == before, statement
    # Nor do tenants that come and go.
    service.execute("SELECT delete_tenant_database(%s)", service.tenant().id)
    service.execute("SELECT delete_tenant_database(%s)", tenants[2].id)
    service.tenant()
    assert {row for row in before if row[0] == ""} == {row for row in service.execute(versions, "-") if row[0] == ""}
    schemas = [name for (name,) in service.execute("SELECT schema_name FROM postgate_internal.definitions")]
    assert tenants[2].schema not in schemas


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TYPE common_type AS ENUM ('a')",
        "CREATE CAST (text AS circle) WITH INOUT",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE EXTENSION vector",
    ],
)
def test_what_every_tenant_may_use_makes_all_memory_stale(service: Service, sql: str) -> None:
    version = "SELECT version::text FROM postgate_internal.definitions WHERE schema_name = ''"
    before = service.execute(version)
    try:
        service.execute(sql)
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server has no such extension")
    assert service.execute(version) != before
