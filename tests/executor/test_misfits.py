"""Parameters that do not fit: an error that names the parameter, and never a value that nobody meant."""

import json
from typing import Any

import pytest
from support.paths import FIXTURES
from support.service import Service, Tenant

CASES = [json.loads(line) for line in (FIXTURES / "misfits.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def tenant(shared_service: Service) -> Tenant:
    tenant = shared_service.tenant()
    shared_service.execute(f"CREATE TYPE {tenant.schema}.feeling AS ENUM ('well', 'ill')")
    shared_service.execute(f"CREATE DOMAIN {tenant.schema}.bytes AS bytea")
    return tenant


@pytest.mark.parametrize("in_batch", [False, True], ids=["alone", "after a definition"])
@pytest.mark.parametrize("case", CASES, ids=[f"{case['type']} {case['value']}" for case in CASES])
def test_a_value_fits_or_is_refused(
    shared_service: Service, tenant: Tenant, case: dict[str, Any], in_batch: bool
) -> None:
    create = {"sql": f"CREATE TABLE t (a int, b {case['type']})"}
    insert = {"sql": "INSERT INTO t VALUES ($1, $2) RETURNING b::text AS b", "params": [1, case["value"]]}
    if in_batch:
        body: dict[str, Any] = {"queries": [create, insert], "dry_run": True}
    else:
        shared_service.query(create["sql"], token=tenant.token)
        body = insert
    for _ in range(2):  # What is remembered refuses it too.
        answer = shared_service.post(json.dumps(body).encode(), tenant.token).json
        if "error" in case:
            assert case["error"].items() <= answer.items()
            assert answer.get("index") == (1 if in_batch else None)
            assert "s3cret" not in answer.get("context", "")
        else:
            assert (answer["results"][1] if in_batch else answer)["rows"] == [{"b": case["text"]}]
    if not in_batch:
        shared_service.query("DROP TABLE t", token=tenant.token)
