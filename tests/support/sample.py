"""The sample of attacks and of legitimate statements, and its templates."""

import json
import re
from collections.abc import Mapping
from typing import Any

from support.paths import FIXTURES

CORPUS = FIXTURES / "corpus"
VALUES = {"victim": "tenant_b", "attacker": "tenant_a", "uniq": "fresh", "gwrole": "gateway", "canary_pid": "1"}


def corpus(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPUS / name).read_text().splitlines()]


def text(template: str, values: Mapping[str, str] = VALUES) -> str:
    """A statement with its placeholders filled in."""
    text = re.sub(r"\{\{rep\|(.*?)\|(\d+)\}\}", lambda m: m[1] * int(m[2]), template, flags=re.DOTALL)
    text = re.sub(
        r"\{\{seq\|(.*?)\|(\d+)\}\}",
        lambda m: ",".join(m[1].replace("#", str(n)) for n in range(1, int(m[2]) + 1)),
        text,
    )
    return re.sub(r"\{\{(\w+)\}\}", lambda m: values.get(m[1], "x"), text)
