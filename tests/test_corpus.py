"""The sample of legitimate statements, run as a tenant runs them: over HTTP, with the operations that each names."""

import pytest
from support.sample import corpus, text
from support.service import Service

CASES = corpus("accepts.jsonl")
# Made by a case that the sample leaves out.
LEFT_OUT = "CREATE TABLE alt1 (a int, note2 text)"


@pytest.fixture(scope="module")
def tokens(shared_service: Service) -> dict[str, str]:
    """A token of one tenant for each set of operations, after every set-up; later cases build on earlier ones."""
    tenant = shared_service.tenant()
    made = {}
    for case in CASES:
        operations = ",".join(case["token_ops"])
        if operations not in made:
            made[operations] = shared_service.token(tenant.id, operations, tuple(case["token_ops"]))
    for sql in [*CASES[0]["setup"], LEFT_OUT]:
        assert shared_service.query(sql, token=tenant.token).status == 200, sql
    return made | {"all": tenant.token}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES if case.get("sql")])
def test_a_legitimate_statement_runs(shared_service: Service, tokens: dict[str, str], case: dict[str, object]) -> None:
    if case is not CASES[0]:
        for sql in case.get("setup", ()):  # type: ignore[attr-defined]
            assert shared_service.query(text(sql), token=tokens["all"]).status == 200, sql
    token = tokens[",".join(case["token_ops"])]  # type: ignore[arg-type]
    answer = shared_service.query(text(str(case["sql"])), *case.get("params", ()), token=token)  # type: ignore[misc]
    if answer.status != 200:
        # Where two columns have one name, an object would lose one of them; xml is an option of the server's build.
        assert "columns are named" in answer.json["error"] or answer.json.get("sqlstate") == "0A000", answer.text
