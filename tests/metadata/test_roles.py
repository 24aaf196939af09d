"""The roles of tenants: made and dropped with the rows, and what each may do with the validator out of the way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import walls
from support.catalog import schema_of
from support.databases import a_database
from support.service import ALL, DML, Answer, Service, Tenant, definitions_in_a_loop

from postgate.metadata import migrate, trial

TENANT_ROLES = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s) ORDER BY 1"


@pytest.fixture(scope="module")
def open_service(server: str, template: str) -> Iterator[Service]:
    """A service whose validator lets everything pass."""
    with a_database(server, template) as conninfo, walls.service_with("database", conninfo) as service:
        yield service


def roles_of(service: Service, tenant: Tenant) -> set[str]:
    prefix = f"postgate_{UUID(tenant.id).hex}_"
    return {name.removeprefix(prefix) for (name,) in service.execute(TENANT_ROLES, prefix)}


def test_a_role_for_each_set_of_operations_in_use(service: Service) -> None:
    tenant = service.tenant(operations=DML)
    assert roles_of(service, tenant) == {"owner", "tsiud"}
    service.token(tenant.id, "reader", ("SELECT",))
    service.token(tenant.id, "another reader", ("SELECT",))
    service.token(tenant.id, "all", ALL)
    service.token(tenant.id, "nothing", ())
    assert roles_of(service, tenant) == {"owner", "tsiud", "ts", "tsiudcar", "t"}
    service.execute("DELETE FROM postgate_tokens WHERE database_id = %s AND name = 'reader'", tenant.id)
    assert "ts" in roles_of(service, tenant)
    service.execute("DELETE FROM postgate_tokens WHERE database_id = %s AND name = 'another reader'", tenant.id)
    service.execute("UPDATE postgate_tokens SET allowed_operations = '{INSERT}' WHERE name = 'all'")
    assert roles_of(service, tenant) == {"owner", "tsiud", "ti", "t"}
    service.execute("SELECT delete_tenant_database(%s)", tenant.id)
    assert roles_of(service, tenant) == set()


def test_roles_cannot_log_in(service: Service) -> None:
    tenant = service.tenant()
    attributes = """SELECT DISTINCT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication
        FROM pg_roles WHERE starts_with(rolname, %s)"""
    assert service.execute(attributes, f"postgate_{UUID(tenant.id).hex}_") == [(False,) * 6]


def test_deleting_tenants_leaves_the_catalogs_as_they_were(conninfo: str, service: Service) -> None:
    counted = """
        SELECT (SELECT count(*) FROM pg_authid), (SELECT count(*) FROM pg_auth_members),
            (SELECT count(*) FROM pg_default_acl), (SELECT count(*) FROM pg_namespace),
            (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_type),
            (SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass)"""
    before, schema = service.execute(counted), schema_of(conninfo)
    tenants = [service.tenant() for _ in range(20)]
    for tenant in tenants:
        service.token(tenant.id, "reader", ("SELECT",))
        assert service.query("CREATE TABLE t (a serial, b text)", token=tenant.token).status == 200
    assert service.execute(counted) != before
    for tenant in tenants:
        assert service.query("SELECT delete_tenant_database($1)", tenant.id).rows == [{"delete_tenant_database": True}]
    assert service.execute(counted) == before
    assert schema_of(conninfo) == schema


def test_tokens_made_at_once(service: Service) -> None:
    tenant = service.tenant()
    sets = [ALL[:count] for count in range(7)]
    threads = [
        threading.Thread(target=service.token, args=(tenant.id, str(number), operations))
        for number, operations in enumerate(sets)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(roles_of(service, tenant)) == 1 + 1 + len(sets)


STATEMENTS = {
    "SELECT": "SELECT * FROM t",
    "INSERT": "INSERT INTO t (b) VALUES ('x')",
    "UPDATE": "UPDATE t SET b = 'y'",
    "DELETE": "DELETE FROM t",
    "CREATE": "CREATE TABLE u (a int)",
    "ALTER": "ALTER TABLE t ADD COLUMN c int",
    "DROP": "DROP TABLE t",
}


@pytest.mark.parametrize("allowed", STATEMENTS)
@pytest.mark.parametrize("tried", STATEMENTS)
def test_exactly_the_tokens_operations(open_service: Service, allowed: str, tried: str) -> None:
    tenant = open_service.tenant(operations=(allowed,))
    open_service.execute(f"CREATE TABLE {tenant.schema}.t (a serial, b text)")
    answer = open_service.query(STATEMENTS[tried], token=tenant.token)
    assert (answer.status == 200) == (allowed == tried), answer.text
    if allowed != tried:
        assert answer.json["sqlstate"] in ("42501", "25006"), answer.text


def test_what_an_administrator_makes_belongs_to_the_tenant(open_service: Service) -> None:
    tenant = open_service.tenant()
    reader = open_service.token(tenant.id, "reader", ("SELECT",))
    made = """
        CREATE TABLE {s}.t (a serial, b int GENERATED ALWAYS AS IDENTITY); CREATE VIEW {s}.v AS SELECT * FROM {s}.t;
        CREATE MATERIALIZED VIEW {s}.m AS SELECT 1 AS a; CREATE SEQUENCE {s}.q; CREATE TYPE {s}.e AS ENUM ('a');
        CREATE DOMAIN {s}.d AS int; CREATE TYPE {s}.c AS (a int); CREATE TABLE {s}.filled AS SELECT 1 AS a;
        CREATE TABLE public.moved (a int); ALTER TABLE public.moved SET SCHEMA {s}"""
    open_service.execute(made.format(s=tenant.schema))
    owners = f"""
        SELECT c.relname FROM pg_class AS c
        WHERE c.relnamespace = '{tenant.schema}'::regnamespace AND c.relowner::regrole::text NOT LIKE '%owner'
        UNION ALL SELECT t.typname FROM pg_type AS t
        WHERE t.typnamespace = '{tenant.schema}'::regnamespace AND t.typowner::regrole::text NOT LIKE '%owner'"""
    assert open_service.execute(owners) == []
    for sql in ("INSERT INTO t DEFAULT VALUES", "SELECT nextval('q')", "REFRESH MATERIALIZED VIEW m", "DROP TYPE e"):
        assert open_service.query(sql, token=tenant.token).status == 200, sql
    for relation in ("t", "v", "m", "q", "filled", "moved"):
        assert open_service.query(f"SELECT * FROM {relation}", token=reader).status == 200, relation


def test_what_a_query_makes_belongs_to_the_tenant(service: Service) -> None:
    tenant = service.tenant()
    reader = service.token(tenant.id, "reader", ("SELECT",))
    for number, sql in enumerate(
        [
            "CREATE TABLE t0 AS SELECT 1 AS a",
            "SELECT 1 AS a INTO t1",
            "EXPLAIN ANALYZE CREATE TABLE t2 AS SELECT 1 AS a",
        ]
    ):
        assert service.query(sql, token=tenant.token).status == 200, sql
        assert service.query(f"SELECT a FROM t{number}", token=reader).rows == [{"a": 1}]
        assert service.query(f"DROP TABLE t{number}", token=tenant.token).status == 200


def test_a_definition_that_runs_a_query_has_the_tokens_privileges(open_service: Service) -> None:
    tenant = open_service.tenant(operations=("CREATE",))
    open_service.execute(f"CREATE TABLE {tenant.schema}.t AS SELECT 'hidden' AS a")
    for sql in (
        "CREATE TABLE u AS SELECT * FROM t",
        "CREATE TABLE u AS WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "SELECT * INTO u FROM t",
        "CREATE MATERIALIZED VIEW u AS SELECT * FROM t",
    ):
        assert open_service.query(sql, token=tenant.token).json["sqlstate"] == "42501", sql


DEFINITIONS = (
    "CREATE TABLE t (a int PRIMARY KEY, b int)",
    "CREATE UNIQUE INDEX i ON t (b)",
    "CREATE VIEW v AS SELECT a FROM t",
    "CREATE OR REPLACE VIEW v AS SELECT a, b FROM t",
    "CREATE MATERIALIZED VIEW m AS SELECT a FROM t",
    "EXPLAIN ANALYZE CREATE MATERIALIZED VIEW n AS SELECT a FROM t",
    "REFRESH MATERIALIZED VIEW n",
    "CREATE SEQUENCE q",
    "CREATE TYPE e AS ENUM ('a')",
    "CREATE TYPE c AS (a int)",
    "CREATE TYPE r AS RANGE (subtype = int4)",
    "CREATE DOMAIN d AS int CHECK (value > 0)",
    "CREATE STATISTICS s ON a, b FROM t",
    "CREATE TABLE p (a int) PARTITION BY LIST (a)",
    "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
    "ALTER TABLE p DETACH PARTITION p1",
    "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)",
    "ALTER TABLE t RENAME COLUMN b TO x",
    "ALTER INDEX i RENAME TO j",
    "ALTER VIEW v RENAME TO w",
    "ALTER MATERIALIZED VIEW m RENAME TO k",
    "ALTER SEQUENCE q RESTART WITH 5",
    "ALTER TYPE e ADD VALUE 'b'",
    "ALTER DOMAIN d DROP CONSTRAINT d_check",
    "ALTER STATISTICS s SET STATISTICS 5",
    "COMMENT ON TABLE t IS 'x'",
    "COMMENT ON COLUMN t.a IS 'x'",
    "TRUNCATE t, p RESTART IDENTITY CASCADE",
    "DROP STATISTICS s",
    "DROP DOMAIN d",
    "DROP TYPE e, c, r",
    "DROP SEQUENCE q",
    "DROP MATERIALIZED VIEW k, n",
    "DROP VIEW w",
    "DROP INDEX j",
    "DROP TABLE t, p CASCADE",
)


def test_every_definition_that_the_validator_allows(service: Service) -> None:
    tenant = service.tenant()
    for sql in DEFINITIONS:
        answer = service.query(sql, token=tenant.token)
        assert answer.status == 200, (sql, answer.text)
    left = f"SELECT relname FROM pg_class WHERE relnamespace = '{tenant.schema}'::regnamespace"
    assert service.execute(left) == []


def test_replacing_a_view_drops_it(open_service: Service) -> None:
    tenant = open_service.tenant(operations=("CREATE",))
    sql = "CREATE OR REPLACE VIEW v AS SELECT 1 AS a"
    assert open_service.query(sql, token=tenant.token).status == 200
    answer = open_service.query(sql, token=tenant.token)
    assert (answer.json["sqlstate"], "may not replace" in answer.json["error"]) == ("42501", True)


LEFT_BEHIND = {
    "prepared statement": ("PREPARE p AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'p'"),
    "setting": (
        "SET work_mem = '77MB'",
        "SELECT count(*) FROM pg_settings WHERE name = 'work_mem' AND setting = '78848'",
    ),
    "custom setting": ("SET a.b = 'c'", "SELECT (coalesce(current_setting('a.b', true), '') = 'c')::int"),
    "cursor": (
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE name = 'c'",
    ),
    "LISTEN": ("LISTEN l", "SELECT count(*) FROM pg_listening_channels() AS c WHERE c = 'l'"),
    "role": ("SET ROLE NONE", "SELECT 0"),
    "session authorization": ("RESET SESSION AUTHORIZATION", "SELECT 0"),
    "transaction": ("BEGIN", "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"),
    "temporary table": ("CREATE TEMP TABLE t (a int)", "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"),
    "lock": (
        "SELECT pg_advisory_lock(7)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ),
    "setting by function": (
        "SELECT set_config('a.d', 'e', false)",
        "SELECT (coalesce(current_setting('a.d', true), '') = 'e')::int",
    ),
    "loaded library": ("LOAD 'plpgsql'", "SELECT 0"),
    "COPY": ("COPY (SELECT 1) TO STDOUT", "SELECT 0"),
    "default of the role": ("ALTER ROLE CURRENT_USER SET work_mem = '66MB'", "SELECT 0"),
}


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_nothing_is_left_behind_in_a_session(open_service: Service, what: str) -> None:
    leave, look = LEFT_BEHIND[what]
    tenant, other = open_service.tenant(), open_service.tenant()
    for _ in range(3):
        open_service.query(leave, token=tenant.token)
        # The administrator's statements run on the same connections, and see everything.
        found = open_service.query(
            f"SELECT ({look}) AS found, current_user = session_user AS plain", token=open_service.admin
        )
        assert found.rows == [{"found": 0, "plain": True}]
        assert open_service.query("SELECT 1 AS a", token=other.token).rows == [{"a": 1}]
    settings = "SELECT 'SET' FROM pg_settings WHERE source = 'session' AND name IN ('work_mem', 'role')"
    assert open_service.query(settings, token=open_service.admin).rows == []


def test_the_limits_of_a_database(open_service: Service) -> None:
    tenant = open_service.tenant()
    limits = "statement_timeout_ms = 300, lock_timeout_ms = 200, work_mem_kb = 640, temp_file_limit_kb = 1024"

    def shown(name: str) -> object:
        ((value,),) = [tuple(row.values()) for row in open_service.query(f"SHOW {name}", token=tenant.token).rows]
        return value

    assert [shown(name) for name in ("work_mem", "lock_timeout", "temp_file_limit")] == ["16MB", "10s", "1GB"]
    open_service.execute(f"UPDATE postgate_databases SET {limits} WHERE id = %s", tenant.id)
    names = ("work_mem", "lock_timeout", "temp_file_limit", "statement_timeout", "idle_in_transaction_session_timeout")
    assert [shown(name) for name in names] == ["640kB", "200ms", "1MB", "300ms", "300ms"]
    sort = (
        "SELECT count(*) FROM (SELECT a::text FROM generate_series(1, 200000) AS a ORDER BY a::text DESC OFFSET 1) AS s"
    )
    answer = open_service.query(sort, token=tenant.token)
    assert (answer.code, "temp_file_limit" in answer.text) in (("DATABASE_ERROR", True), ("TIMEOUT", False)), (
        answer.text
    )
    answer = open_service.query("SELECT count(*) FROM generate_series(1, 100000000)", token=tenant.token)
    assert answer.code in ("TIMEOUT", "DATABASE_ERROR"), answer.text


def test_a_parallel_plan_runs_as_the_tenant(service: Service) -> None:
    """A parallel worker takes the settings of its leader, the session's authorization among them."""
    ((database,),) = service.execute("SELECT current_database()")
    for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        service.execute(f"ALTER DATABASE {database} SET {setting} = 0")
    tenant = service.tenant()
    service.execute(f"CREATE TABLE {tenant.schema}.big AS SELECT a FROM generate_series(1, 50000) AS a")
    service.execute(f"ALTER TABLE {tenant.schema}.big SET (parallel_workers = 2)")
    for token in (tenant.token, service.token(tenant.id, "reader", ("SELECT",))):
        plan = service.query("EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) FROM big WHERE a > 5", token=token)
        assert "Workers Launched: 2" in plan.text, plan.text
        assert service.query("SELECT count(*) AS n FROM big WHERE a > 5", token=token).rows == [{"n": 49995}]


@contextmanager
def a_gateway(server: str, attributes: str) -> Iterator[tuple[str, str]]:
    """The conninfo of a database of its own for a role, which is no superuser, and the superuser's."""
    with a_database(server) as conninfo, psycopg.connect(server, autocommit=True) as admin:
        database = str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])
        role = f"{database}_gw"
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'gw' {attributes}".encode())
        try:
            admin.execute(f"ALTER DATABASE {database} OWNER TO {role}".encode())
            yield make_conninfo(conninfo, user=role, password="gw"), conninfo  # noqa: S106
        finally:
            with psycopg.connect(conninfo, autocommit=True) as inside:
                inside.execute(f"ALTER DATABASE {database} OWNER TO CURRENT_USER".encode())
                others = "SELECT delete_tenant_database(id) FROM postgate_databases WHERE id <> %s"
                inside.execute(others, [UUID(int=0)])
                inside.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def test_a_gateway_that_may_only_make_roles(server: str) -> None:
    with a_gateway(server, "CREATEROLE") as (conninfo, superuser):
        migrate.upgrade(conninfo)
        found = {finding.protection.name: finding.holds for finding in trial.examine(conninfo)}
        assert found["rows of other tenants"]
        assert found["operations of the token: rows"]
        assert not found["DO blocks"]
        with pytest.raises(trial.Unprotected, match=r"DO blocks.*POSTGATE_ALLOW_UNPROTECTED"):
            trial.require(conninfo)
        with walls.service_with("both", conninfo) as service:
            _use_every_operation(service)
        # What it lacks a superuser can give it.
        migrate.upgrade(superuser)
        migrate.admit(superuser, psycopg.conninfo.conninfo_to_dict(conninfo)["user"] or "")
        assert all(finding.holds for finding in trial.examine(conninfo))
        trial.require(conninfo)
        migrate.upgrade(conninfo)
        with walls.service_with("both", conninfo) as service:
            _use_every_operation(service)


def test_a_gateway_that_a_superuser_has_admitted(server: str) -> None:
    with a_gateway(server, "") as (conninfo, superuser):
        migrate.upgrade(superuser)
        migrate.admit(superuser, psycopg.conninfo.conninfo_to_dict(conninfo)["user"] or "")
        assert all(finding.holds for finding in trial.examine(conninfo))
        with walls.service_with("both", conninfo) as service:
            assert service.request("GET", "/health?ready").json == {"status": "ready"}
            _use_every_operation(service)
        # Written when the service stops, if not before.
        assert service.execute("SELECT sum(requests) > 10 FROM postgate_usage") == [(True,)]


def _use_every_operation(service: Service) -> None:
    tenant = service.tenant()
    reader = service.token(tenant.id, "reader", ("SELECT",))

    def run(sql: str, token: str = tenant.token) -> Answer:
        answer = service.query(sql, token=token)
        assert answer.status == 200, (sql, answer.text)
        return answer

    run("CREATE TABLE t (a serial PRIMARY KEY, b text)")
    run("CREATE TABLE u AS SELECT 1 AS a")
    run("ALTER TABLE t ADD COLUMN c int REFERENCES t (a) ON DELETE CASCADE")
    run("INSERT INTO t (b) VALUES ('x'), ('y')")
    run("UPDATE t SET c = 1 WHERE a = 2")
    assert run("SELECT a, b, c FROM t ORDER BY a", reader).rows == [
        {"a": 1, "b": "x", "c": None},
        {"a": 2, "b": "y", "c": 1},
    ]
    run("DELETE FROM t WHERE a = 1")
    assert run("SELECT * FROM postgate_helpers.list_tables()", reader).rows == [
        {"table_name": "t", "row_count": 0, "kind": "table"},
        {"table_name": "u", "row_count": 1, "kind": "table"},
    ]
    assert len(run("SELECT * FROM postgate_helpers.describe_table('t')").rows) == 3
    run("DROP TABLE t")
    run("DROP TABLE u")
    # Each in the role that it needs, in one transaction.
    texts = ["CREATE TABLE v (a serial)", "INSERT INTO v DEFAULT VALUES", "SELECT lastval() AS v", "DROP TABLE v"]
    body = json.dumps({"queries": [{"sql": text} for text in texts]}).encode()
    assert service.post(body, tenant.token).json["results"][2]["rows"] == [{"v": 1}]
    assert service.query("SELECT delete_tenant_database($1)", tenant.id).rows == [{"delete_tenant_database": True}]


def test_a_copy_of_the_database_on_the_same_server(server: str, conninfo: str, service: Service) -> None:
    """Roles are the server's, so the copy's tenants have the same ones; each database gives them its own grants."""
    tenant = service.tenant()
    service.query("CREATE TABLE t AS SELECT 1 AS a", token=tenant.token)
    assert service.app is not None
    service.app.extensions["postgate"].close()
    source = str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])
    with a_database(server, source) as copy, walls.service_with("both", copy) as copied:
        migrate.upgrade(copy)
        assert copied.query("SELECT a FROM t", token=tenant.token).rows == [{"a": 1}]
        copied.execute("SELECT delete_tenant_database(%s)", tenant.id)
        assert roles_of(service, tenant) == {"owner", "tsiudcar"}
    with walls.service_with("both", conninfo) as again:
        assert again.query("SELECT a FROM t", token=tenant.token).rows == [{"a": 1}]


def test_roles_that_a_restored_backup_lacks(conninfo: str, service: Service) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t AS SELECT 1 AS a", token=tenant.token)
    for role in ("owner", "tsiudcar"):
        name = f"postgate_{UUID(tenant.id).hex}_{role}"
        service.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")
    # A worker that finds them missing has them made; postgate migrate does it for all tenants at once.
    assert service.query("SELECT a FROM t", token=tenant.token).rows == [{"a": 1}]
    service.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")
    migrate.upgrade(conninfo)
    assert service.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", name) == [(1,)]
    assert service.query("SELECT a FROM t", token=tenant.token).rows == [{"a": 1}]


def test_a_token_is_revoked_whatever_its_tenant_is_doing(service: Service) -> None:
    """Definitions in a loop collide with changes of roles; the token's row is what counts."""
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int)", token=tenant.token)
    with definitions_in_a_loop(service, tenant, psycopg.errors.InternalError_, psycopg.errors.DeadlockDetected):
        for number, operations in enumerate([("SELECT",), ("SELECT", "INSERT"), ("SELECT", "DELETE"), ALL, DML] * 2):
            token = service.token(tenant.id, f"short {number}", operations)
            assert service.query("SELECT count(*) AS n FROM t", token=token).status == 200
            service.execute(
                "UPDATE postgate_tokens SET allowed_operations = '{SELECT}' WHERE name = %s", f"short {number}"
            )
            assert service.query("INSERT INTO t (a) VALUES (1)", token=token).code == "PARSE_ERROR"
            assert service.execute("DELETE FROM postgate_tokens WHERE name = %s RETURNING 1", f"short {number}") == [
                (1,)
            ]
            assert service.query("SELECT 1 AS a", token=token).code == "UNAUTHORIZED"


def test_what_no_timeout_ends_and_nobody_misses_is_taken_away(service: Service, conninfo: str) -> None:
    tenant = service.tenant()
    slow = {
        "SELECT '((0,0),(1,1))'::path <-> '((3,3),(4,4))'::path AS a": 2.8284271247461903,
        "SELECT '((0,0),(1,1))'::path ?# '((0,1),(1,0))'::path AS a": True,
        "SELECT '((0,0),(1,1),(1,0))'::polygon <-> '((3,0),(4,4),(4,0))'::polygon AS a": 2.0,
        "SELECT '((0,0),(1,1),(1,0))'::polygon && '((0,0),(1,1),(1,0))'::polygon AS a": True,
    }
    for sql in slow:
        assert service.query(sql, token=tenant.token).json["sqlstate"] == "42501"
    kept = "SELECT '((0,0),(1,1),(1,0))'::polygon AS a, area('((0,0),(1,1),(1,0))'::path) AS b"
    assert service.query(kept, token=tenant.token).rows == [{"a": "((0,0),(1,1),(1,0))", "b": 0.5}]
    dbname = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    service.execute(f"ALTER DATABASE {dbname} SET postgate.slow_functions = 'on'")
    service.execute(
        """GRANT EXECUTE ON FUNCTION path_distance(path, path), path_inter(path, path), poly_distance(polygon, polygon),
            poly_overlap(polygon, polygon) TO PUBLIC"""
    )
    migrate.upgrade(conninfo)
    for sql, value in slow.items():
        assert service.query(sql, token=tenant.token).rows == [{"a": value}]


def test_a_tenant_leaves_nothing_where_all_others_look(service: Service, conninfo: str) -> None:
    """What grows with each tenant makes the next one slower."""
    tenants = [service.tenant() for _ in range(3)]
    grants = """SELECT count(*) FROM pg_namespace AS n CROSS JOIN aclexplode(n.nspacl) AS a
        WHERE n.nspname = 'postgate_helpers' AND a.grantee <> 0 AND a.grantee <> n.nspowner"""
    assert service.execute(grants) == [(0,)]
    migrate.downgrade(conninfo, "0009")
    assert service.execute(grants)[0][0] >= 6
    for tenant in tenants:
        assert service.query("SELECT * FROM postgate_helpers.list_tables()", token=tenant.token).rows == []
    migrate.upgrade(conninfo)
    assert service.execute(grants) == [(0,)]
    for tenant in tenants:
        assert service.query("SELECT * FROM postgate_helpers.list_tables()", token=tenant.token).rows == []
