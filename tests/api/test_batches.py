"""Several statements in one transaction, transactions that are only tried, and the shapes of a result."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from support.databases import a_database
from support.paths import FIXTURES
from support.service import ALL, Answer, Service, Tenant, a_service, until_somebody_waits

CASES = [json.loads(line) for line in (FIXTURES / "batches.jsonl").read_text().splitlines()]
MAKE = """
    CREATE TYPE {0}.feeling AS ENUM ('well', 'ill');
    CREATE TABLE {0}.kept (id serial PRIMARY KEY, v varchar(20), m {0}.feeling);
    CREATE TABLE {0}.late (a int CONSTRAINT late_a_key UNIQUE DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture
def tenant(shared_service: Service) -> Iterator[Tenant]:
    tenant = shared_service.tenant()
    shared_service.execute(MAKE.format(tenant.schema))
    yield tenant
    shared_service.execute("SELECT delete_tenant_database(%s)", tenant.id)


def post(service: Service, token: str, **body: Any) -> Answer:
    return service.post(json.dumps(body).encode(), token)


def batch(service: Service, token: str, *statements: str, **options: Any) -> Answer:
    return post(service, token, queries=[{"sql": sql} for sql in statements], **options)


def kept(service: Service, tenant: Tenant) -> list[str]:
    return [v for (v,) in service.execute(f"SELECT v FROM {tenant.schema}.kept ORDER BY id")]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_a_body_gives(shared_service: Service, tenant: Tenant, case: dict[str, Any]) -> None:
    answer = post(shared_service, tenant.token, **case["body"])
    if "error" in case:
        assert case["error"].items() <= answer.json.items()
        assert ("index" in answer.json) == ("index" in case["error"])
    else:
        (number,) = shared_service.execute(f"SELECT '{tenant.schema}.feeling'::regtype::oid::int")[0]
        text = answer.text.replace(f'"oid":{number}', '"oid":"feeling"')
        assert json.loads(text) == (case["result"] if "result" in case else {"results": case["results"]})
    if "lost" in json.dumps(case):
        assert kept(shared_service, tenant) == []
    assert shared_service.execute("SELECT to_regclass(%s)", f"{tenant.schema}.undone") == [(None,)]


def test_columns_stand_before_the_rows_and_in_their_order(shared_service: Service, tenant: Tenant) -> None:
    answer = post(shared_service, tenant.token, sql="SELECT 2 AS b, 1 AS a", row_mode="array")
    fields = '[{"name":"b","type":"int4","oid":23},{"name":"a","type":"int4","oid":23}]'
    assert answer.text == f'{{"fields":{fields},"rows":[[2,1]],"row_count":1}}'


@pytest.mark.parametrize("level", ["serializable", "repeatable read", "read committed", "read uncommitted"])
@pytest.mark.parametrize("options", [{}, {"read_only": True}, {"read_only": True, "deferrable": True}])
def test_the_transaction_is_as_it_was_asked_for(
    shared_service: Service, tenant: Tenant, level: str, options: dict[str, bool]
) -> None:
    body = """CREATE FUNCTION {}.modes() RETURNS text[] LANGUAGE sql SECURITY DEFINER AS $$ SELECT ARRAY[
        current_setting('transaction_isolation'), current_setting('transaction_read_only'),
        current_setting('transaction_deferrable')] $$"""
    shared_service.execute(body.format(tenant.schema))
    expected = [level, *("on" if options.get(name) else "off" for name in ("read_only", "deferrable"))]
    answer = batch(shared_service, tenant.token, "SELECT 1", "SELECT modes() AS v", isolation=level, **options)
    assert answer.json["results"][1]["rows"] == [{"v": expected}]
    answer = post(shared_service, tenant.token, sql="SELECT modes() AS v", isolation=level, **options)
    assert answer.rows == [{"v": expected}]
    # Nothing of it is left for the next request.
    assert shared_service.query("SELECT modes() AS v", token=tenant.token).rows == [
        {"v": ["read committed", "off", "off"]}
    ]


def test_of_two_that_cannot_both_be_the_loser_may_try_again(shared_service: Service, tenant: Tenant) -> None:
    """Each reads what the other one writes (manual, "Serializable Isolation Level")."""
    read = "SELECT count(*) FROM kept"
    with psycopg.connect(shared_service.conninfo) as other, ThreadPoolExecutor() as threads:
        other.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        other.execute(f"SET search_path = {tenant.schema}".encode())
        other.execute(read.encode())
        other.execute("INSERT INTO kept (v) VALUES ('y')")
        # The batch waits here until the other one has ended.
        other.execute("LOCK TABLE late")
        waiting = threads.submit(
            batch, shared_service, tenant.token,
            read, "INSERT INTO late VALUES (1)", "INSERT INTO kept (v) VALUES ('x')", isolation="serializable",
        )  # fmt: skip
        until_somebody_waits(shared_service)
        other.commit()
        answer = waiting.result()
    assert (answer.json["sqlstate"], answer.json["retryable"]) == ("40001", True)


def test_a_deadlock_may_be_tried_again(shared_service: Service, tenant: Tenant) -> None:
    shared_service.execute(f"INSERT INTO {tenant.schema}.kept (v) VALUES ('a'), ('b')")
    update = "UPDATE kept SET v = 'c' WHERE id = {}"
    with psycopg.connect(shared_service.conninfo) as other, ThreadPoolExecutor() as threads:
        other.execute(f"SET search_path = {tenant.schema}; SET deadlock_timeout = '1h'".encode())
        other.execute(update.format(2).encode())
        waiting = threads.submit(batch, shared_service, tenant.token, update.format(1), update.format(2))
        until_somebody_waits(shared_service)
        other.execute(update.format(1).encode())
        answer = waiting.result()
    expected = {"code": "DATABASE_ERROR", "index": 1, "sqlstate": "40P01", "retryable": True}
    assert expected.items() <= answer.json.items()


def test_each_statement_needs_its_own_operations(shared_service: Service, tenant: Tenant) -> None:
    token = shared_service.token(tenant.id, "creator", ("SELECT", "CREATE"))
    create = "CREATE TABLE made (a int)"
    assert batch(shared_service, token, create, "SELECT a FROM made").status == 200
    for number, sql in enumerate(("INSERT INTO made VALUES (1)", "DROP TABLE made", "ALTER TABLE made ADD b int")):
        answer = batch(shared_service, token, f"CREATE TABLE made_{number} (a int)", sql)
        assert (answer.code, answer.json["index"]) == ("PARSE_ERROR", 1)
        assert shared_service.execute("SELECT to_regclass(%s)", f"{tenant.schema}.made_{number}") == [(None,)]


def test_a_batch_has_a_largest_size(shared_service: Service, tenant: Tenant) -> None:
    with a_service(shared_service.conninfo, max_batch=3) as service:
        assert batch(service, tenant.token, *["SELECT 1"] * 3).status == 200
        answer = batch(service, tenant.token, *["SELECT 1"] * 4)
        assert (answer.status, answer.json) == (
            400,
            {
                "error": "Parse error: a batch has at most 3 statements",
                "code": "PARSE_ERROR",
                "reason": "limit",
                "limit": 3,
            },
        )


def test_the_bytes_of_all_results_count(shared_service: Service, tenant: Tenant) -> None:
    with a_service(shared_service.conninfo, max_result_bytes=1_000_000) as service:
        large = "SELECT repeat('x', 300000) AS v"
        assert batch(service, tenant.token, *[large] * 3).status == 200
        answer = batch(service, tenant.token, "INSERT INTO kept (v) VALUES ('x')", *[large] * 4)
        assert (answer.code, answer.json["index"]) == ("RESULT_TOO_LARGE", 4)
        assert kept(service, tenant) == []
        # Types that have to be looked up are written at the end.
        named = "SELECT 'well'::feeling AS m, repeat('x', 300000) AS v"
        assert batch(service, tenant.token, *[named] * 3).status == 200
        assert batch(service, tenant.token, *[named] * 4).code == "RESULT_TOO_LARGE"


def test_results_that_come_while_statements_are_sent_count(shared_service: Service, tenant: Tenant) -> None:
    """PostgreSQL answers the first ones before it takes the last ones."""
    with a_service(shared_service.conninfo, max_result_bytes=4_000_000) as service:
        large = "SELECT repeat('x', 1000000) AS v"
        padding = "SELECT length('" + "y" * 900_000 + "')"
        assert batch(service, tenant.token, large, large, *[padding] * 8).status == 200
        assert batch(service, tenant.token, *[large] * 6, *[padding] * 8).code == "RESULT_TOO_LARGE"
        assert service.query("SELECT 1 AS a", token=tenant.token).rows == [{"a": 1}]


def test_a_thousand_statements(shared_service: Service, tenant: Tenant) -> None:
    insert = {"sql": "INSERT INTO kept (v) VALUES ($1) RETURNING id", "params": ["x"]}
    answer = post(shared_service, tenant.token, queries=[insert] * 1000)
    assert [result["rows"][0]["id"] for result in answer.json["results"]] == list(range(1, 1001))


def test_a_batch_has_the_time_of_one_statement(shared_service: Service, tenant: Tenant) -> None:
    with a_service(shared_service.conninfo, statement_timeout_ms=500) as service:
        slow = "SELECT count(*) FROM generate_series(1, 1000000) AS a, generate_series(1, 1000) AS b"
        answer = batch(service, tenant.token, "INSERT INTO kept (v) VALUES ('x')", slow)
        assert (answer.status, answer.code, answer.json["index"]) == (504, "TIMEOUT", 1)
        assert kept(service, tenant) == []


def test_a_batch_on_a_dedicated_database(shared_service: Service, template: str, server: str) -> None:
    with (
        a_database(server, "template0") as far,
        a_service(shared_service.conninfo, allow_dedicated_superuser=True) as service,
    ):
        tenant = service.dedicated(far, ALL)
        answer = batch(
            service, tenant.token,
            "CREATE TABLE t (a int[])", "INSERT INTO t VALUES ('{1}')", "SELECT a FROM t", "DROP TABLE t",
        )  # fmt: skip
        assert answer.json["results"][2]["rows"] == [{"a": [1]}]


def test_what_explain_makes_belongs_to_the_owner_at_once(shared_service: Service, tenant: Tenant) -> None:
    """No event trigger sees it, and the next statement may change it."""
    answer = batch(
        shared_service, tenant.token,
        "EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1 AS a", "ALTER TABLE made ADD COLUMN b int",
        "SELECT a, b FROM made",
    )  # fmt: skip
    assert answer.json["results"][2]["rows"] == [{"a": 1, "b": None}]
    answer = batch(
        shared_service, tenant.token, "DROP TABLE made", "EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1 / 0 AS a"
    )
    assert answer.json["sqlstate"] == "22012"
    assert shared_service.query("SELECT a FROM made", token=tenant.token).rows == [{"a": 1}]


def test_a_batch_is_not_run_again_and_again(shared_service: Service, tenant: Tenant) -> None:
    """Each placeholder that PostgreSQL cannot give a type costs another try, with all that comes before it."""
    shared_service.execute(
        f"""CREATE FUNCTION {tenant.schema}.nap() RETURNS bigint LANGUAGE sql SECURITY DEFINER
            AS $$ SELECT pg_sleep(0.1); SELECT nextval('{tenant.schema}.kept_id_seq') $$"""
    )
    placeholders = ", ".join(f"concat('{number}', ${number})" for number in range(1, 40))
    with a_service(shared_service.conninfo, statement_timeout_ms=1000) as service:
        queries = [{"sql": "SELECT nap()"}, {"sql": f"SELECT {placeholders}", "params": [1] * 39}]
        answer = post(service, tenant.token, queries=queries)
    assert (answer.json["sqlstate"], answer.json["index"]) == ("42P18", 1)
    ((tries,),) = shared_service.execute(f"SELECT last_value FROM {tenant.schema}.kept_id_seq")
    assert tries <= 12
