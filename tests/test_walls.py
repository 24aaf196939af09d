"""Each wall alone against the sample of attacks: the roles and grants of the database, and the validator."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support import walls
from support.databases import a_database
from support.sample import corpus
from support.service import ALL, Service
from support.walls import WALLS, Attack

CASES = [
    pytest.param(wall, case, id=f"{wall}-{case['id']}")
    for wall in WALLS
    for case in corpus("attacks.jsonl")
    if wall in case.get("walls", WALLS)
]

# What an attacker could send first, if there were no validator: each of them runs, and takes something of the sandbox
# with it if nothing enters it again.
OPENERS = (
    "SELECT 1",
    "RESET SESSION AUTHORIZATION",
    "/**/ RESET ROLE",
    "COMMIT",
    "ROLLBACK",
    "SET LOCAL role TO DEFAULT",
    "SET search_path = pg_catalog, public",
    "SET session_authorization TO DEFAULT",
    "RESET ALL",
    "SET postgate.operations = 'SELECT,INSERT,UPDATE,DELETE,CREATE,ALTER,DROP'",
    "SET LOCAL statement_timeout = 0",
    "BEGIN",
)
IN_BATCHES = [
    pytest.param(case, OPENERS[number % len(OPENERS)], id=case["id"])
    for number, case in enumerate(corpus("attacks.jsonl"))
    if "database" in case.get("walls", WALLS) and "sql" in case
]

# Nothing but a wall stops these; XML is an option of the server's build.
READS = [
    pytest.param(case, id=case["id"])
    for case in corpus("attacks.jsonl")
    if case["class"] == "xread" and "xml" not in case["sql"].lower()
]


@pytest.fixture(scope="module")
def services(server: str, template: str) -> Iterator[dict[str, Service]]:
    """A service with each wall; what has the same wall is run one after the other, so that sessions are shared."""
    with ExitStack() as stack:
        yield {
            wall: stack.enter_context(walls.service_with(wall, stack.enter_context(a_database(server, template))))
            for wall in WALLS
        }


@pytest.fixture(scope="module")
def defenceless(server: str, template: str) -> Iterator[Service]:
    with a_database(server, template) as conninfo, walls.service_with("none", conninfo) as service:
        yield service


@pytest.mark.parametrize(("wall", "case"), CASES)
def test_one_wall_stops_the_attack(services: dict[str, Service], wall: str, case: dict[str, Any]) -> None:
    attack = Attack(services[wall], case)
    try:
        success = attack.success()
    finally:
        attack.clean_up()
    walls.tried[wall] += 1
    walls.stopped[wall] += not success
    assert not success


@pytest.mark.skipif("database" not in WALLS, reason="the other wall is asked for")
@pytest.mark.parametrize(("case", "opener"), IN_BATCHES)
def test_the_database_alone_stops_it_in_a_batch(
    services: dict[str, Service], case: dict[str, Any], opener: str
) -> None:
    attack = Attack(services["database"], case, opener)
    try:
        assert not attack.success()
    finally:
        attack.clean_up()


@pytest.mark.skipif("database" not in WALLS, reason="the other wall is asked for")
@pytest.mark.parametrize("operations", [ALL, ("SELECT",)], ids=["all", "select"])
@pytest.mark.parametrize("opener", OPENERS)
def test_nothing_before_it_takes_a_statement_out_of_the_sandbox(
    services: dict[str, Service], opener: str, operations: tuple[str, ...]
) -> None:
    service = services["database"]
    tenant = service.tenant(operations=operations)
    # What the role of the tenant's may not ask, a function of the administrator's tells.
    service.execute(
        f"""CREATE FUNCTION {tenant.schema}.state() RETURNS text[] LANGUAGE sql SECURITY DEFINER AS $$
            SELECT ARRAY[current_setting('search_path'), current_setting('statement_timeout'),
                current_setting('postgate.operations'), current_setting('work_mem'),
                current_setting('transaction_read_only'), current_setting('session_authorization'),
                current_setting('role')] $$"""
    )
    states = []
    for first in ("SELECT 1", opener):
        queries = [{"sql": first}, {"sql": "SELECT state() AS state, current_user::text AS me"}]
        answer = service.post(json.dumps({"queries": queries}).encode(), tenant.token)
        states.append(answer.json["results"][1]["rows"])
        refused = service.post(
            json.dumps({"queries": [{"sql": first}, {"sql": "SELECT count(*) FROM public.postgate_tokens"}]}).encode(),
            tenant.token,
        )
        assert refused.json["sqlstate"] == "42501"
    assert states[0] == states[1]
    assert states[0][0]["me"].startswith("postgate_")


@pytest.mark.parametrize("case", READS)
def test_without_a_wall_the_attack_succeeds(defenceless: Service, case: dict[str, Any]) -> None:
    attack = Attack(defenceless, case)
    try:
        assert attack.success()
    finally:
        attack.clean_up()
