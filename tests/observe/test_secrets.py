"""Nothing that a client has sent is in anything that the service says of itself: log, metrics and traces of all tests.

It runs last, whatever runs; on its own it sees the requests that it makes itself.
"""

import json

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from support.events import counted, log_lines
from support.secrets import SECRETS, Secrets
from support.service import Service, Tenant

from postgate.observe import telling
from postgate.observe.metrics import Board

VALUE = "canary-7c1f"


@pytest.fixture
def tenant(service: Service) -> Tenant:
    tenant = service.tenant()
    service.query("CREATE TABLE people (name text PRIMARY KEY, age int CHECK (age < 150))", token=tenant.token)
    return tenant


def ask_in_every_way(service: Service, tenant: Tenant) -> None:
    texts = [
        f"INSERT INTO people VALUES ('{VALUE}', 1)",
        # PostgreSQL's errors quote values, in the message, the detail and the context.
        f"INSERT INTO people VALUES ('{VALUE}', 1)",
        f"INSERT INTO people VALUES ('{VALUE}', 1000)",
        f"SELECT '{VALUE}'::int",
        f'SELECT * FROM people WHERE name = "{VALUE}"',
        f'SELECT name AS "{VALUE}" FROM people -- {VALUE}',
        f"SELECT $a${VALUE}$a$, E'{VALUE}', U&'{VALUE}', /* {VALUE} */ 1",
        f"SELECT '{VALUE}",
        f"SELEC '{VALUE}'",
        f"SELECT pg_read_file('{VALUE}')",
        f'SELECT 1 FROM "{VALUE}".people',
        f"CREATE VIEW v AS SELECT '{VALUE}' AS a",
        f"COMMENT ON TABLE people IS '{VALUE}'",
        f"SELECT '{VALUE}' FROM generate_series(1, 100000)",
    ]
    for text in texts:
        service.query(text, token=tenant.token)
    for params in ([VALUE], [{"a": VALUE}], [[VALUE, VALUE]]):
        for text in ("INSERT INTO people VALUES ($1, 1)", "SELECT $1::int", "SELECT $1::text AS a", "SELECT $1 + $2"):
            service.query(text, *params, token=tenant.token)
    batch = {"queries": [{"sql": text} for text in texts[:3]]}
    service.post(json.dumps(batch).encode(), tenant.token)
    for body in (VALUE, f'{{"{VALUE}": 1}}', f'{{"sql": {{"{VALUE}": "{VALUE}"}}}}'):
        service.post(body.encode(), tenant.token)
    for token in ("pg_" + "a" * 64, f"pg_{VALUE}", VALUE, f"Basic {VALUE}"):
        service.query("SELECT 1", token=token)
    address = f"postgresql://user:{VALUE}@host/{VALUE}"
    service.request("POST", "/query", json.dumps({"query": "SELECT 1"}).encode(), {"Neon-Connection-String": address})
    far = service.dedicated(f"host=127.0.0.1 port=1 user=x password={VALUE} dbname=y")
    service.query("SELECT 1", token=far.token)
    broken = service.dedicated(f"postgresql://x:{VALUE}@[/y")
    service.query("SELECT 1", token=broken.token)


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_a_value_is_nowhere(service: Service, tenant: Tenant, as_json: bool) -> None:
    with counted(0, by_database=True) as tally, log_lines(as_json=as_json, statements="all", slow_ms=0) as lines:
        ask_in_every_way(service, tenant)
    registry = CollectorRegistry()
    registry.register(Board(tally, lambda: True, "1"))
    said = "".join(lines) + generate_latest(registry).decode()
    assert len(lines) > 40
    assert VALUE not in said
    assert tenant.token not in said
    assert "a" * 64 not in said


def test_what_is_looked_for_would_be_found() -> None:
    secrets = Secrets()
    secrets.send("SELECT 'a value in quotes'", ["a parameter", 17, "short"])
    for text in (
        "x a value in quotes x",
        "[a parameter]",
        "pg_" + "0" * 64,
        "postgresql://u:p@h/d",
        "host=h password=p",
    ):
        secrets.look(text)
        assert len(secrets.found) == 1, text
        secrets.found.clear()
    secrets.look("postgresql://u@h/d short 17 pg_12345 password=***")
    assert secrets.found == []


def test_nothing_was_told_in_all_tests() -> None:
    telling.tell_now()
    assert SECRETS.looked_at > 0
    assert SECRETS.found == []
