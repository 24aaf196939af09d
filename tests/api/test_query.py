"""The two endpoints: their forms, their headers, and who may ask."""

import json
import time
from hashlib import sha256
from uuid import UUID

import pytest
from support.service import ALL, Service

ONE = b'{"sql": "SELECT 1 AS one"}'


def test_health(shared_service: Service) -> None:
    answer = shared_service.request("GET", "/health")
    assert (answer.status, answer.text) == (200, '{"status":"ok"}')
    assert answer.headers["Content-Type"] == "application/json"


def test_an_answer_to_the_byte(shared_service: Service) -> None:
    answer = shared_service.post(b'{"sql": "SELECT 2 AS b, $1::text AS a, NULL AS c", "params": ["x"]}')
    assert (answer.status, answer.text) == (200, '{"rows":[{"b":2,"a":"x","c":null}],"row_count":1}')
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        ONE,
        b'{"sql": "SELECT 1 AS one", "params": []}',
        b'{"sql": "SELECT 1 AS one", "params": null}',
        b'{"params": [], "sql": "SELECT 1 AS one", "unknown": {"a": [1]}}',
        b' \n{"sql":\t"SELECT 1 AS one"} \r\n',
    ],
)
def test_forms_of_the_body(shared_service: Service, body: bytes) -> None:
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"):
        assert shared_service.post(body, **{"Content-Type": kind}).rows == [{"one": 1}]


def test_a_chunked_body(shared_service: Service) -> None:
    parts = iter([ONE[:5], ONE[5:]])
    assert shared_service.post(parts, **{"Transfer-Encoding": "chunked"}).rows == [{"one": 1}]


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  ", ""])
def test_forms_of_the_token(shared_service: Service, scheme: str) -> None:
    headers = {"Authorization": scheme + shared_service.admin}
    assert shared_service.request("POST", "/query", ONE, headers).status == 200


TOKEN = "pg_" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        f"Bearer{TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}0",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN[3:]}",
        f"Bearer {TOKEN[:-1]}g",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN},",
        f"Bearer {TOKEN[:-1]}\u00e9",
        f"Bearer {TOKEN}' OR 1=1",
        f"Bearer {TOKEN}",
        "Bearer " + "a" * 4000,
    ],
)
def test_every_other_token_is_unauthorized(shared_service: Service, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = shared_service.request("POST", "/query", ONE, headers)
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert set(answer.json) == {"error", "code", "hint"}


def test_unknown_revoked_and_expired_look_the_same(service: Service) -> None:
    tenant = service.tenant()
    assert service.query("SELECT 1", token=tenant.token).status == 200
    unknown = service.query("SELECT 1", token=TOKEN)
    service.execute("UPDATE postgate_tokens SET expires_at = now() WHERE database_id = %s", tenant.id)
    expired = service.query("SELECT 1", token=tenant.token)
    service.execute("DELETE FROM postgate_tokens WHERE database_id = %s", tenant.id)
    revoked = service.query("SELECT 1", token=tenant.token)
    assert (unknown.status, unknown.json) == (expired.status, expired.json) == (revoked.status, revoked.json)
    assert unknown.status == 401


def test_a_revoked_token_learns_nothing_of_its_statement(service: Service) -> None:
    tenant = service.tenant()
    service.query("SELECT 1", token=tenant.token)
    service.execute("DELETE FROM postgate_tokens WHERE database_id = %s", tenant.id)
    assert service.query("SELEC 1", token=tenant.token).code == "UNAUTHORIZED"


def test_changes_of_a_token_hold_for_the_next_request(service: Service) -> None:
    tenant = service.tenant(operations=("SELECT",))
    service.query("SELECT 1", token=tenant.token)
    create = "CREATE TABLE t (a int)"
    assert service.query(create, token=tenant.token).json["error"] == (
        "Parse error: Operation CREATE is not allowed; the token has SELECT"
    )
    grant = "UPDATE postgate_tokens SET allowed_operations = %s::text[] WHERE database_id = %s"
    service.execute(grant, list(ALL), tenant.id)
    assert service.query(create, token=tenant.token).status == 200
    service.execute(grant, ["SELECT"], tenant.id)
    assert service.query("INSERT INTO t VALUES (1)", token=tenant.token).code == "PARSE_ERROR"
    service.execute("UPDATE postgate_databases SET max_rows = 1 WHERE id = %s", tenant.id)
    assert service.query("SELECT * FROM (VALUES (1), (2)) AS v", token=tenant.token).code == "ROW_LIMIT_EXCEEDED"


def test_only_the_hash_of_a_token_is_stored(service: Service) -> None:
    token = service.token(UUID(int=0), "other")
    stored = service.execute("SELECT * FROM postgate_tokens WHERE name = 'other'")
    assert token not in repr(stored)
    assert sha256(token.encode()).hexdigest() in repr(stored)


def test_last_use_is_noted_outside_of_the_request(service: Service) -> None:
    tenant = service.tenant()
    used = "SELECT last_used_at FROM postgate_tokens WHERE database_id = %s"
    assert service.execute(used, tenant.id) == [(None,)]
    service.query("SELECT 1", token=tenant.token)
    deadline = time.monotonic() + 10
    while (first := service.execute(used, tenant.id)) == [(None,)]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for _ in range(3):
        assert service.query("SELECT 1", token=tenant.token).status == 200
    time.sleep(1.5)
    assert service.execute(used, tenant.id) == first


def test_tenants_see_only_their_own_tables(service: Service) -> None:
    one, other = service.tenant(), service.tenant()
    for number, tenant in enumerate((one, other)):
        service.query("CREATE TABLE t (a int)", token=tenant.token)
        service.query("INSERT INTO t VALUES ($1)", number, token=tenant.token)
    for number, tenant in [(0, one), (1, other), (0, one)]:
        assert service.query("SELECT a FROM t", token=tenant.token).rows == [{"a": number}]


def test_the_administration_of_a_tenant_over_http(service: Service) -> None:
    (database,) = service.query("SELECT * FROM create_tenant_database($1, $2)", "crm", 2).rows
    assert database["schema_name"].startswith("tenant_")
    (token,) = service.query("SELECT * FROM create_tenant_token($1, $2, $3)", database["id"], "web", ALL).rows
    assert service.query("CREATE TABLE t (a int)", token=token["token"]).json == {"rows": [], "row_count": 0}
    listed = service.query("SELECT * FROM postgate_helpers.list_tables()", token=token["token"])
    assert listed.rows == [{"table_name": "t", "row_count": 0, "kind": "table"}]
    deleted = service.query("SELECT delete_tenant_token($1) AS done", token["id"])
    assert deleted.rows == [{"done": True}]
    assert service.query("SELECT 1", token=token["token"]).code == "UNAUTHORIZED"
    assert service.query("SELECT delete_tenant_database($1) AS done", database["id"]).rows == [{"done": True}]
    assert service.execute("SELECT to_regnamespace(%s)::text", database["schema_name"]) == [(None,)]


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("INSERT INTO t VALUES (1), (2)", 2),
        ("UPDATE t SET a = a + 1 WHERE a > 1", 1),
        ("DELETE FROM t WHERE a = 7", 0),
        ("CREATE TABLE u (a int)", 0),
        ("SELECT a INTO u FROM t", 2),
        ("CREATE TABLE u AS SELECT a FROM t", 2),
        ("MERGE INTO t USING (VALUES (2)) v (x) ON t.a = v.x WHEN MATCHED THEN DELETE", 1),
    ],
)
def test_row_count_without_rows_is_that_of_those_affected(service: Service, sql: str, count: int) -> None:
    service.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    assert service.query(sql).json == {"rows": [], "row_count": count}


def test_returning_gives_rows(service: Service) -> None:
    service.execute("CREATE TABLE t (a serial, b text)")
    answer = service.query("INSERT INTO t (b) VALUES ($1), ($2) RETURNING a, b", "x", None)
    assert json.loads(answer.text) == {"rows": [{"a": 1, "b": "x"}, {"a": 2, "b": None}], "row_count": 2}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NOT_FOUND"),
        ("POST", "/query/", 404, "NOT_FOUND"),
        ("GET", "/static/x", 404, "NOT_FOUND"),
        ("GET", "/query", 405, "METHOD_NOT_ALLOWED"),
        ("OPTIONS", "/query", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/query", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/health", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_everything_else_is_refused_in_the_envelope(
    shared_service: Service, method: str, path: str, status: int, code: str
) -> None:
    answer = shared_service.request(method, path)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["Content-Type"] == "application/json"
    if status == 405:
        assert answer.headers["Allow"] in ("POST", "GET, HEAD")
