"""Every reason to try again, met over HTTP: the client sees the right answer and no trace of the first try."""

from collections.abc import Callable

import pytest
from support.service import Service, Tenant, break_a_connection

from postgate.executor import attempts


@pytest.fixture
def reasons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each reason for which something is tried again, as it happens."""
    used: list[str] = []
    after = attempts.Attempt.after

    def noting(attempt: attempts.Attempt, failure: Exception) -> attempts.Attempt:
        changed = after(attempt, failure)
        used.extend(reason for reason, times in changed.tried.items() if times > attempt.tried.get(reason, 0))
        return changed

    monkeypatch.setattr(attempts.Attempt, "after", noting)
    return used


def refused_by_a_remembered_look_up(service: Service, tenant: Tenant) -> None:
    reader = service.token(tenant.id, "reader", ("SELECT",))
    assert service.query("SELECT 1 AS a", token=reader).status == 200
    service.execute("UPDATE postgate_tokens SET allowed_operations = '{SELECT,INSERT}' WHERE name = 'reader'")
    assert service.query("INSERT INTO t VALUES (9, '{}')", token=reader).status == 200


def a_stale_look_up(service: Service, tenant: Tenant) -> None:
    assert service.query("SELECT 1 AS a", token=tenant.token).status == 200
    service.execute("UPDATE postgate_databases SET max_rows = 1 WHERE id = %s", tenant.id)
    assert service.query("SELECT 1 AS a UNION ALL SELECT 2", token=tenant.token).code == "ROW_LIMIT_EXCEEDED"


def a_session_of_a_pooler(service: Service, tenant: Tenant) -> None:
    for _ in range(3):
        assert service.query("SELECT $1::int AS a", 1, token=tenant.token).rows == [{"a": 1}]
    pools = pools_of(service)
    with pools.connection(pools.shared) as connection:
        connection.execute("DEALLOCATE ALL")
    assert service.query("SELECT $1::int AS a", 1, token=tenant.token).rows == [{"a": 1}]


def an_outdated_plan(service: Service, tenant: Tenant) -> None:
    for _ in range(3):
        assert service.query("SELECT * FROM t", token=tenant.token).rows == []
    service.execute(f"ALTER TABLE {tenant.schema}.t ADD COLUMN more int; INSERT INTO {tenant.schema}.t VALUES (1)")
    assert service.query("SELECT * FROM t", token=tenant.token).rows == [{"a": 1, "list": None, "more": None}]


def an_outdated_type_of_a_list(service: Service, tenant: Tenant) -> None:
    insert = "INSERT INTO t VALUES (1, $1)"
    assert service.query(insert, [1, 2], token=tenant.token).status == 200
    service.execute(f"ALTER TABLE {tenant.schema}.t ALTER COLUMN list TYPE jsonb USING to_jsonb(list)")
    assert service.query(insert, [3, 4], token=tenant.token).status == 200
    assert service.execute(f"SELECT list FROM {tenant.schema}.t") == [([1, 2],), ([3, 4],)]


def an_untyped_parameter(service: Service, tenant: Tenant) -> None:
    assert service.query("SELECT concat('a', $1) AS a", 7, token=tenant.token).rows == [{"a": "a7"}]


def a_dead_connection(service: Service, tenant: Tenant) -> None:
    assert service.query("SELECT 1 AS a", token=tenant.token).status == 200
    closing = break_a_connection(service)
    assert service.query("SELECT 2 AS a", token=tenant.token).rows == [{"a": 2}]
    closing.join()


CASES: dict[str, Callable[[Service, Tenant], None]] = {
    "refused by a remembered look-up": refused_by_a_remembered_look_up,
    "stale look-up": a_stale_look_up,
    "pooler's session": a_session_of_a_pooler,
    "outdated plan": an_outdated_plan,
    "outdated type of a list": an_outdated_type_of_a_list,
    "untyped parameter": an_untyped_parameter,
    "dead connection": a_dead_connection,
}


@pytest.mark.parametrize("reason", CASES)
def test_a_reason_to_try_again(service: Service, reasons: list[str], reason: str) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int, list int[])", token=tenant.token)
    CASES[reason](service, tenant)
    assert reasons == [reason]


def test_every_reason_has_its_case() -> None:
    assert [retry.reason for retry in attempts.RETRIES] == list(CASES)


def test_an_error_of_the_statement_is_tried_once(service: Service, reasons: list[str]) -> None:
    tenant = service.tenant()
    assert service.query("SELECT * FROM missing", token=tenant.token).json["sqlstate"] == "42P01"
    assert service.query("SELECT 1 / $1::int AS a", 0, token=tenant.token).json["sqlstate"] == "22012"
    assert service.query("SELECT pg_sleep(1)", token=service.token(tenant.id, "fresh")).code == "PARSE_ERROR"
    assert reasons == []


def test_an_error_with_a_plan_is_looked_at_twice_and_keeps_the_connection(service: Service, reasons: list[str]) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int)", token=tenant.token)
    pools = pools_of(service)
    for _ in range(3):
        assert service.query("SELECT a FROM t WHERE a = $1", "x", token=tenant.token).json["sqlstate"] == "22P02"
    with pools.connection(pools.shared) as connection:
        before = connection.info.backend_pid
    assert service.query("SELECT a FROM t WHERE a = $1", "x", token=tenant.token).json["sqlstate"] == "22P02"
    with pools.connection(pools.shared) as connection:
        assert connection.info.backend_pid == before
    assert set(reasons) <= {"outdated plan"}


def test_a_token_that_changes_all_the_time_is_unavailable(service: Service, reasons: list[str]) -> None:
    """Each transaction finds another version than the look-up just before it."""
    tenant = service.tenant()
    service.query("SELECT 1 AS a", token=tenant.token)
    service.execute(
        """CREATE OR REPLACE FUNCTION postgate_internal.enter(
            p_token_hash text, p_version text, p_timeout_ms integer, p_operation text) RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'stale' USING ERRCODE = 'PX409'; END $$"""
    )
    answer = service.query("SELECT 1 AS a", token=tenant.token)
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert reasons == ["stale look-up"] * 4


def pools_of(service: Service):  # type: ignore[no-untyped-def]
    assert service.app is not None
    return service.app.extensions["postgate"].pools
