"""Each wall alone against the sample of attacks: the roles and grants of the database, and the validator."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support import walls
from support.databases import a_database
from support.sample import corpus
from support.service import Service
from support.walls import WALLS, Attack

CASES = [
    pytest.param(wall, case, id=f"{wall}-{case['id']}")
    for wall in WALLS
    for case in corpus("attacks.jsonl")
    if wall in case.get("walls", WALLS)
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


@pytest.mark.parametrize("case", READS)
def test_without_a_wall_the_attack_succeeds(defenceless: Service, case: dict[str, Any]) -> None:
    attack = Attack(defenceless, case)
    try:
        assert attack.success()
    finally:
        attack.clean_up()
