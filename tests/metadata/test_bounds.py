"""How much a tenant may define, by the database alone."""

from collections.abc import Iterator

import pytest
from support import walls
from support.service import Answer, Service, Tenant

# Statements, with {n} and {below} for a level and the one that it stands on; the first stands on nothing.
CHAINS = {
    "domains over arrays": ("CREATE DOMAIN o0 AS int", "CREATE DOMAIN o{n} AS o{below}[]"),
    "domains": ("CREATE DOMAIN o0 AS int", "CREATE DOMAIN o{n} AS o{below} CHECK (VALUE > 0)"),
    "conditions of domains": (
        "CREATE DOMAIN o0 AS int",
        "CREATE DOMAIN o{n} AS int CHECK (VALUE::o{below} > 0)",
    ),
    "composite types": ("CREATE TYPE o0 AS (a int)", "CREATE TYPE o{n} AS (a o{below}[])"),
    "ranges": ("CREATE DOMAIN o0 AS int", "CREATE TYPE o{n} AS RANGE (subtype = o{below})"),
    "row types of tables": ("CREATE TABLE o0 (a int)", "CREATE TABLE o{n} (a o{below})"),
    "views": ("CREATE TABLE o0 (a int)", "CREATE VIEW o{n} AS SELECT a FROM o{below}"),
    "materialized views": ("CREATE TABLE o0 (a int)", "CREATE MATERIALIZED VIEW o{n} AS SELECT a FROM o{below}"),
    "row types of views": ("CREATE TABLE o0 (a int)", "CREATE VIEW o{n} AS SELECT o AS a FROM o{below} AS o"),
    "partitions": (
        "CREATE TABLE o0 (a int) PARTITION BY LIST (a)",
        "CREATE TABLE o{n} PARTITION OF o{below} DEFAULT PARTITION BY LIST (a)",
    ),
}
DEPTH = 32


@pytest.fixture
def tenant(conninfo: str) -> Iterator[tuple[Service, Tenant]]:
    # The largest view that is allowed takes PostgreSQL a second or two to plan.
    with walls.service_with("database", conninfo, timeout_ms=20_000) as service:
        yield service, service.tenant()


def too_much(answer: Answer, words: str) -> bool:
    return answer.code == "DATABASE_ERROR" and answer.json["sqlstate"] == "54000" and words in answer.json["error"]


@pytest.mark.parametrize("chain", CHAINS)
def test_definitions_stand_on_each_other_so_many_levels_deep(tenant: tuple[Service, Tenant], chain: str) -> None:
    service, who = tenant
    first, following = CHAINS[chain]
    assert service.query(first, token=who.token).status == 200
    for n in range(1, DEPTH + 1):
        answer = service.query(following.format(n=n, below=n - 1), token=who.token)
        assert answer.status == 200, (n, answer.text)
    answer = service.query(following.format(n=DEPTH + 1, below=DEPTH), token=who.token)
    assert too_much(answer, "levels deep"), answer.text


def test_a_change_below_counts_with_what_stands_on_it(tenant: tuple[Service, Tenant]) -> None:
    service, who = tenant
    for name in ("low", "high"):
        assert service.query(f"CREATE TYPE {name}0 AS (a int)", token=who.token).status == 200
        for n in range(1, 18):
            made = service.query(f"CREATE TYPE {name}{n} AS (a {name}{n - 1})", token=who.token)
            assert made.status == 200, made.text
    answer = service.query("ALTER TYPE high0 ADD ATTRIBUTE b low17", token=who.token)
    assert too_much(answer, "levels deep"), answer.text
    assert service.query("ALTER TYPE high0 ADD ATTRIBUTE b low12", token=who.token).status == 200
    assert service.query("CREATE TABLE t (a high0)", token=who.token).status == 200
    answer = service.query("ALTER TABLE t ALTER COLUMN a TYPE high17 USING NULL", token=who.token)
    assert answer.status == 200, answer.text


def test_a_view_comes_to_so_many_relations(tenant: tuple[Service, Tenant]) -> None:
    service, who = tenant
    for sql in ("CREATE TABLE t (a int)", "CREATE VIEW v0 AS SELECT a FROM t", "CREATE VIEW top AS SELECT a FROM v0"):
        assert service.query(sql, token=who.token).status == 200
    n = 0
    while True:
        n += 1
        answer = service.query(
            f"CREATE VIEW v{n} AS SELECT a FROM v{n - 1} JOIN v{n - 1} AS o USING (a)", token=who.token
        )
        if answer.status != 200:
            break
    assert n == 9
    assert too_much(answer, "1000 relations"), answer.text
    # A view in the middle, which makes those that stand on it larger.
    replaced = "CREATE OR REPLACE VIEW v0 AS SELECT t.a FROM t, t AS o, t AS p, t AS q"
    answer = service.query(replaced, token=who.token)
    assert too_much(answer, "1000 relations"), answer.text
    # What is materialized is read like a table.
    assert service.query("CREATE MATERIALIZED VIEW m AS SELECT a FROM v8", token=who.token).status == 200
    assert service.query("CREATE VIEW w AS SELECT a FROM m JOIN m AS o USING (a)", token=who.token).status == 200


def test_views_that_stand_on_each_other_in_a_circle_are_refused(tenant: tuple[Service, Tenant]) -> None:
    service, who = tenant
    for sql in ("CREATE VIEW a AS SELECT 1 AS x", "CREATE VIEW b AS SELECT x FROM a"):
        assert service.query(sql, token=who.token).status == 200
    answer = service.query("CREATE OR REPLACE VIEW a AS SELECT x FROM b", token=who.token)
    assert too_much(answer, "levels deep"), answer.text


def test_a_database_has_so_many_objects(tenant: tuple[Service, Tenant]) -> None:
    service, who = tenant
    service.execute("UPDATE postgate_databases SET max_objects = 20 WHERE id = %s", who.id)
    columns = ", ".join(f"c{n} serial" for n in range(20))
    refused = [
        f"CREATE TABLE t ({columns})",
        f"CREATE TYPE e AS ENUM ({', '.join(repr(str(n)) for n in range(20))})",
        f"CREATE TYPE c AS ({columns.replace('serial', 'int')})",
        f"CREATE VIEW v AS SELECT {', '.join(f'1 AS c{n}' for n in range(20))}",
    ]
    for sql in refused:
        answer = service.query(sql, token=who.token)
        assert too_much(answer, "20 objects"), (sql, answer.text)
    for step, sql in enumerate(["CREATE TABLE a (b int, c int)"] + ["CREATE INDEX ON a (b)"] * 17):
        assert service.query(sql, token=who.token).status == 200, step
    for sql in (
        "CREATE INDEX ON a (b)",
        "CREATE STATISTICS s ON b, c FROM a",
        "CREATE DOMAIN d AS int",
        "CREATE SEQUENCE q",
        "ALTER TABLE a ADD COLUMN d int",
    ):
        answer = service.query(sql, token=who.token)
        assert too_much(answer, "20 objects"), (sql, answer.text)
    # Of another tenant's nothing counts, and what is gone does not either.
    assert service.query("CREATE TABLE a (b int)", token=service.tenant().token).status == 200
    assert service.query("DROP INDEX a_b_idx", token=who.token).status == 200
    assert service.query("CREATE SEQUENCE q", token=who.token).status == 200
    # Who is over the limit comes down again.
    service.execute("UPDATE postgate_databases SET max_objects = 5 WHERE id = %s", who.id)
    for sql in ("ALTER TABLE a RENAME TO b", "ALTER TABLE b ALTER COLUMN c SET DEFAULT 1", "DROP INDEX a_b_idx1"):
        assert service.query(sql, token=who.token).status == 200, sql
    for sql in ("ALTER TABLE b ADD COLUMN d int", "ALTER TABLE b\nadd column d int", "CREATE VIEW v AS SELECT 1 AS x"):
        assert too_much(service.query(sql, token=who.token), "5 objects"), sql


def test_an_administrator_may_define_more(tenant: tuple[Service, Tenant]) -> None:
    service, who = tenant
    service.execute("UPDATE postgate_databases SET max_objects = 1 WHERE id = %s", who.id)
    service.execute(f"CREATE TABLE {who.schema}.t (a int, b int)")
    assert service.query("SELECT a FROM t", token=who.token).status == 200
