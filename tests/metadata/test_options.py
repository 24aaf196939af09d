"""What a tenant may set of its relations, by the database alone: autovacuum's workers serve every tenant."""

import re
from collections.abc import Iterator

import pytest
from support import walls
from support.paths import ROOT
from support.service import Service, Tenant

from postgate.validator.rules import definitions

REFUSED = [
    "CREATE TABLE t (a int) WITH (autovacuum_enabled = false)",
    "CREATE TABLE t (a int) WITH (autovacuum_vacuum_cost_delay = 100)",
    "CREATE TABLE t (a int) WITH (autovacuum_vacuum_scale_factor = 90)",
    "CREATE TABLE t (a text) WITH (toast.autovacuum_enabled = off)",
    "CREATE TABLE t (a int) WITH (parallel_workers = 99)",
    "ALTER TABLE own SET (autovacuum_enabled = false)",
    "ALTER TABLE own SET (toast.autovacuum_enabled = false)",
    "ALTER TABLE own SET (autovacuum_analyze_scale_factor = 0)",
    "ALTER TABLE own ALTER COLUMN a SET STATISTICS 10000",
    "CREATE STATISTICS s ON (a + 1), b FROM own",
    "ALTER STATISTICS own_statistics SET STATISTICS 10000",
    "CREATE INDEX ON own USING spgist (b)",
    "CREATE MATERIALIZED VIEW m WITH (autovacuum_enabled = false) AS SELECT 1 AS a",
]
ALLOWED = [
    "CREATE TABLE t (a int UNIQUE WITH (fillfactor = 70)) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1)",
    "CREATE TABLE u (a text) WITH (toast.autovacuum_vacuum_scale_factor = 0.2)",
    "ALTER TABLE own SET (autovacuum_analyze_scale_factor = 0.02), ALTER COLUMN a SET STATISTICS 1000",
    "ALTER TABLE own RESET (autovacuum_analyze_scale_factor)",
    "CREATE INDEX ON own USING gin (c) WITH (fastupdate = off)",
    "CREATE INDEX ON own USING brin (a) WITH (pages_per_range = 32)",
    "CREATE VIEW v WITH (security_barrier) AS SELECT a FROM own",
    "CREATE STATISTICS s (ndistinct) ON a, b FROM own",
]


@pytest.fixture
def tenant(conninfo: str) -> Iterator[tuple[Service, Tenant]]:
    with walls.service_with("database", conninfo) as service:
        tenant = service.tenant()
        for sql in (
            "CREATE TABLE own (a int, b text, c int[])",
            "CREATE STATISTICS own_statistics ON a, b FROM own",
        ):
            assert service.query(sql, token=tenant.token).status == 200
        yield service, tenant


@pytest.mark.parametrize("sql", REFUSED)
def test_what_would_keep_the_others_waiting_is_refused(tenant: tuple[Service, Tenant], sql: str) -> None:
    service, who = tenant
    answer = service.query(sql, token=who.token)
    assert (answer.code, answer.json["sqlstate"]) == ("DATABASE_ERROR", "42501"), answer.text
    assert "the token may not set" in answer.json["error"]


def test_what_helps_a_tenant_alone_is_allowed(tenant: tuple[Service, Tenant]) -> None:
    service, who = tenant
    for sql in ALLOWED:
        answer = service.query(sql, token=who.token)
        assert answer.status == 200, (sql, answer.text)


def test_both_walls_have_the_same_ranges() -> None:
    present = (ROOT / "alembic" / "sql" / "present" / "check_options.sql").read_text()
    ranges = {
        name: (float(least), float(most))
        for name, least, most in re.findall(r"\('(\w+)', ([\d.-]+), ([\d.-]+)\)", present)
    }
    # Of columns and of their operator classes, which hold nobody up.
    columns = ("n_distinct", "n_distinct_inherited", "n_distinct_per_range")
    assert ranges == {name: bounds for name, bounds in definitions.NUMBERS.items() if name not in columns}
