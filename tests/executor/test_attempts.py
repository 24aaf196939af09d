"""Every reason to try again, met over HTTP: the client sees the right answer and no trace of the first try."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support import walls
from support.service import Service, Tenant, break_a_connection, until_somebody_waits

from postgate.executor import attempts, prologue
from postgate.postgres.errors import ConnectionLost


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


def stale_again(service: Service, tenant: Tenant) -> None:
    """Something is defined between each look-up and its use."""
    assert service.query("SELECT 1 AS a", token=tenant.token).status == 200
    assert service.app is not None
    registry = service.app.extensions["postgate"].registry
    look_up = registry.look_up

    def late(token_hash: str) -> object:
        access = look_up(token_hash)
        service.execute(f"ALTER TABLE {tenant.schema}.t ALTER COLUMN a SET DEFAULT 1")
        return access

    registry.look_up = late
    service.execute(f"ALTER TABLE {tenant.schema}.t ALTER COLUMN a SET DEFAULT 1")
    assert service.query("SELECT $1 = ANY (list) AS v, $2::int[] AS w FROM t", 1, [2], token=tenant.token).rows == []


def missing_roles(service: Service, tenant: Tenant) -> None:
    """As when they could not be made with the token."""
    with psycopg.connect(service.conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE postgate_tokens SET allowed_operations = '{SELECT,DELETE}' WHERE database_id = %s", [tenant.id]
        )
    assert service.query("SELECT a FROM t", token=tenant.token).rows == []


def a_session_of_a_pooler(service: Service, tenant: Tenant) -> None:
    for _ in range(3):
        assert service.query("SELECT $1::int AS a", 1, token=tenant.token).rows == [{"a": 1}]
    pools = pools_of(service)
    with pools.connection(pools.shared) as connection:
        connection.execute("DEALLOCATE ALL")
    assert service.query("SELECT $1::int AS a", 1, token=tenant.token).rows == [{"a": 1}]


def outdated_types(service: Service, tenant: Tenant) -> None:
    """The request waits for a lock while the type changes."""
    insert = "INSERT INTO t VALUES (1, $1)"
    assert service.query(insert, [1, 2], token=tenant.token).status == 200
    with psycopg.connect(service.conninfo) as changing, ThreadPoolExecutor() as threads:
        changing.execute(f"ALTER TABLE {tenant.schema}.t ALTER COLUMN list TYPE jsonb USING to_jsonb(list)".encode())
        waiting = threads.submit(service.query, insert, [], token=tenant.token)
        until_somebody_waits(service)
        changing.commit()
        assert waiting.result().status == 200
    assert service.execute(f"SELECT list FROM {tenant.schema}.t") == [([1, 2],), ([],)]


def an_untyped_placeholder(service: Service, tenant: Tenant) -> None:
    assert service.query("SELECT concat('a', $1) AS a", 7, token=tenant.token).rows == [{"a": "a7"}]


def a_dead_connection(service: Service, tenant: Tenant) -> None:
    assert service.query("SELECT 1 AS a", token=tenant.token).status == 200
    closing = break_a_connection(service)
    assert service.query("SELECT 2 AS a", token=tenant.token).rows == [{"a": 2}]
    closing.join()


CASES: dict[str, Callable[[Service, Tenant], None]] = {
    "refused by a remembered look-up": refused_by_a_remembered_look_up,
    "stale look-up": a_stale_look_up,
    "stale again": stale_again,
    "missing roles": missing_roles,
    "pooler's session": a_session_of_a_pooler,
    "untyped placeholder": an_untyped_placeholder,
    "outdated types": outdated_types,
    "dead connection": a_dead_connection,
}


OTHERS = CASES.keys() - {"stale look-up"}


@pytest.mark.parametrize("reason", CASES)
def test_a_reason_to_try_again(service: Service, reasons: list[str], reason: str) -> None:
    tenant = service.tenant()
    service.execute(f"CREATE TABLE {tenant.schema}.t (a int, list int[])")
    CASES[reason](service, tenant)
    # Whoever defines something makes the look-up stale as well.
    assert [used for used in reasons if used in (reason, *OTHERS)] == [reason]


def test_every_reason_has_its_case() -> None:
    assert [retry.reason for retry in attempts.RETRIES] == list(CASES)


def test_an_error_of_the_statement_is_tried_once(service: Service, reasons: list[str]) -> None:
    tenant = service.tenant()
    assert service.query("SELECT * FROM missing", token=tenant.token).json["sqlstate"] == "42P01"
    assert service.query("SELECT 1 / $1::int AS a", 0, token=tenant.token).json["sqlstate"] == "22012"
    assert service.query("SELECT pg_sleep(1)", token=service.token(tenant.id, "fresh")).code == "PARSE_ERROR"
    assert reasons == []


@pytest.mark.parametrize("failure", [ConnectionLost(repeatable=True), RuntimeError("x")], ids=["lost", "fault"])
def test_what_fails_before_the_commit_leaves_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """The types of what a change returns are asked for while it can still be undone."""
    tenant = service.tenant()
    for sql in ("CREATE TYPE mood AS ENUM ('a')", "CREATE TABLE t (m mood)"):
        service.query(sql, token=tenant.token)

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("postgate.executor.learn", fail)
    answer = service.query("INSERT INTO t VALUES ('a') RETURNING m", token=tenant.token)
    assert answer.status == (503 if isinstance(failure, ConnectionLost) else 500)
    assert "outcome" not in answer.json
    assert service.execute(f"SELECT count(*) FROM {tenant.schema}.t") == [(0,)]
    # What only reads asks when its transaction has ended; it is tried twice at most.
    service.execute(f"INSERT INTO {tenant.schema}.t VALUES ('a')")
    assert service.query("SELECT m FROM t", token=tenant.token).status == answer.status


def test_a_token_that_changes_all_the_time_is_unavailable(
    service: Service, reasons: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction finds another version than the look-up just before it."""
    monkeypatch.setattr(prologue, "ENTER", walls.BY_FUNCTION)
    tenant = service.tenant()
    service.query("SELECT 1 AS a", token=tenant.token)
    service.execute(
        """CREATE OR REPLACE FUNCTION postgate_internal.enter(
            p_token_hash text, p_version text, p_timeout_ms integer, p_operation text) RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'stale' USING ERRCODE = 'PX409'; END $$"""
    )
    answer = service.query("SELECT 1 AS a", token=tenant.token)
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert reasons == ["stale look-up"] + ["stale again"] * 3


def pools_of(service: Service):  # type: ignore[no-untyped-def]
    assert service.app is not None
    return service.app.extensions["postgate"].pools
