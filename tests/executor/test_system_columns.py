"""A column named xmax is a view's own or PostgreSQL's: where the text does not tell, the database does."""

import pytest
from support.service import Service, Tenant

REFUSED = [
    "SELECT xmax FROM users",
    "SELECT cmin, cmax FROM users",
    "SELECT u.tableoid FROM users AS u",
    "SELECT age(xmin) FROM users",
    "SELECT name FROM users ORDER BY xmin",
    "SELECT name FROM users ORDER BY xmin::text::bigint",
    "SELECT max(xmin::text::bigint) FROM users",
    "SELECT count(*) FROM users GROUP BY xmax",
    "SELECT count(*) FROM users WHERE xmin::text::bigint > $1",
    "SELECT count(*) FROM users WHERE xmax <> $1",
    "SELECT count(*) FROM users WHERE xmax = 1",
    "SELECT (SELECT xmax FROM users LIMIT 1) FROM (SELECT 1 AS xmax) AS a",
    "SELECT (SELECT u.xmax) FROM users AS u, orders AS o",
    "UPDATE users SET name = 'x' RETURNING xmax",
    "INSERT INTO users (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x' RETURNING xmax",
]
ALLOWED = {
    "SELECT xmax - xmin AS a FROM bounds": [{"a": 2}],
    "SELECT b.xmax + 1 AS a FROM bounds AS b WHERE b.xmin = 1 ORDER BY b.xmax": [{"a": 4}],
    "SELECT (s.area).xmax AS a FROM shapes AS s": [{"a": 6}],
    "SELECT b.xmax AS a FROM (SELECT max(id) AS xmax FROM users) AS b ORDER BY xmax": [{"a": 2}],
    "SELECT count(*) AS a FROM users WHERE tableoid = 'users'::regclass": [{"a": 2}],
}


@pytest.fixture(scope="module")
def tenant(shared_service: Service) -> Tenant:
    tenant = shared_service.tenant()
    for sql in (
        "CREATE TABLE users (id int PRIMARY KEY, name text)",
        "INSERT INTO users VALUES (1, 'a'), (2, 'b')",
        "CREATE TABLE orders (user_id int)",
        "CREATE VIEW bounds AS SELECT 1 AS xmin, 3 AS xmax",
        "CREATE TYPE box_of AS (xmin int, xmax int)",
        "CREATE TABLE shapes (area box_of)",
        "INSERT INTO shapes VALUES ((5, 6))",
    ):
        assert shared_service.query(sql, token=tenant.token).status == 200
    return tenant


@pytest.mark.parametrize("sql", REFUSED)
def test_a_system_column_is_refused(shared_service: Service, tenant: Tenant, sql: str) -> None:
    answer = shared_service.query(sql, *["1"] * sql.count("$"), token=tenant.token)
    assert answer.code == "PARSE_ERROR"
    assert "the system column" in answer.json["error"]
    assert answer.json["reason"] == "construct_denied"


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_column_of_that_name_is_one(shared_service: Service, tenant: Tenant, sql: str) -> None:
    assert shared_service.query(sql, token=tenant.token).rows == ALLOWED[sql]


def test_optimistic_locking(shared_service: Service, tenant: Tenant) -> None:
    def run(sql: str, *params: object) -> list[dict[str, object]]:
        return shared_service.query(sql, *params, token=tenant.token).rows

    ((seen),) = run("SELECT xmin FROM users WHERE id = 1")
    update = "UPDATE users SET name = $1 WHERE id = 1 AND xmin = $2 RETURNING xmin"
    ((newer),) = run(update, "c", seen["xmin"])
    assert run(update, "d", seen["xmin"]) == []
    assert len(run(update, "d", newer["xmin"])) == 1
    upsert = "INSERT INTO users VALUES ($1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'y' RETURNING (xmax = 0) AS new"
    assert run(upsert, 2) == [{"new": False}]
    assert run(upsert, 9) == [{"new": True}]
    assert len(run("DELETE FROM users WHERE id = 9 RETURNING id")) == 1
