"""How a script is cut into statements and batches."""

import json
from typing import Any

import pytest
from support.paths import FIXTURES

from postgate.script import ScriptError, batches_of

CASES = [json.loads(line) for line in (FIXTURES / "scripts.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["script"] for case in CASES])
def test_a_script_is_cut_where_postgresql_cuts_it(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(ScriptError) as caught:
            batches_of(case["script"])
        assert str(caught.value).startswith(case["error"])
        return
    batches = batches_of(case["script"])
    assert [
        [[list(piece) for piece in batch.pieces], list(batch.modes), batch.rolls_back] for batch in batches
    ] == case["batches"]


def test_a_long_script_takes_time_in_proportion_to_its_length() -> None:
    (batch,) = batches_of("INSERT INTO t VALUES (1, 'x');\n" * 50_000)
    assert (len(batch.pieces), batch.pieces[-1].line) == (50_000, 50_000)
