"""The dashboard and the alerts ask for what the service tells."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from support.paths import ROOT
from support.processes import free_port, running
from support.service import Service

from postgate.observe.metrics import METRICS

DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "postgate.json").read_text())
ALERTS = yaml.safe_load((ROOT / "docs" / "prometheus" / "alerts.yml").read_text())
# What Grafana puts in their place.
VARIABLES = {"$__rate_interval": "5m", "$job": "postgate"}
# Prometheus' own, and the labels that it adds.
OWN, ADDED = {"up"}, {"job", "instance"}
# What happens only where something is wrong.
RARE = {
    "postgate_refused_total",
    "postgate_limits_total",
    "postgate_cancelled_statements_total",
    "postgate_pool_full_total",
}
RARE |= {"postgate_pool_wait_seconds_total"}


def of_panels() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def of_rules() -> list[str]:
    return [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]


QUERIES = of_panels() + of_rules()


def selectors(expression: Any) -> Iterator[tuple[str, set[str], set[str]]]:
    """Each metric that an expression asks for, the labels it is chosen by, and those that it is put together by."""

    def walk(node: Any, grouped: set[str]) -> Iterator[tuple[str, set[str], set[str]]]:
        modifier = getattr(node, "modifier", None)
        grouped = grouped | set(getattr(modifier, "labels", None) or ())
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name, {matcher.name for matcher in node.matchers.matchers}, grouped
        for name in ("expr", "lhs", "rhs", "vector_selector", "vs", "param"):
            below = getattr(node, name, None)
            if isinstance(below, promql_parser.Expr):
                yield from walk(below, grouped)
        for argument in getattr(node, "args", ()):
            yield from walk(argument, grouped)

    yield from walk(expression, set())


def read(query: str) -> list[tuple[str, set[str], set[str]]]:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    found = list(selectors(promql_parser.parse(query)))
    assert found, query
    return found


@pytest.fixture(scope="module")
def told(shared_service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each series that a running service tells."""
    port, metrics_port = free_port(), free_port()
    settings = {
        "DATABASE_URL": shared_service.conninfo,
        "POSTGATE_METRICS_PORT": str(metrics_port),
        "POSTGATE_METRICS_BY_DATABASE": "true",
    }
    serve = [sys.executable, "-m", "postgate", "serve"]
    with running(serve, tmp_path_factory.mktemp("dashboard"), port, **settings) as process:
        process.healthy()
        there = Service(port, shared_service.conninfo)
        for _ in range(3):
            there.query("SELECT 1 AS a")
        # When it stops, all is told; before that, within a second or two.
        labels: dict[str, set[str]] = {}
        while "postgate_prologues_total" not in labels or "postgate_clients" not in labels:
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10) as answer:
                for family in text_string_to_metric_families(answer.read().decode()):
                    for sample in family.samples:
                        labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_is_answered(told: dict[str, set[str]], query: str) -> None:
    for name, chosen, grouped in read(query):
        if name in OWN:
            continue
        base = name.removesuffix("_total").removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        labels = set(METRICS[base].labels) if base in METRICS else {"version", "python"}
        assert name in told or name in RARE, name
        assert chosen <= labels | ADDED | told.get(name, set()), query
        assert grouped <= labels | ADDED | told.get(name, set()), query


def test_each_metric_is_on_the_dashboard() -> None:
    """What nobody sees need not be counted."""
    asked = " ".join(QUERIES)
    assert [name for name in METRICS if name not in asked] == []


def test_the_panels_fit() -> None:
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and all(x < 24 for x, _ in cells)
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_each_alert_says_what_to_do() -> None:
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "action"}
            assert rule["labels"]["severity"] in ("critical", "warning")


def test_the_documents_name_them() -> None:
    text = (ROOT / "docs" / "observability.md").read_text()
    for path in ("grafana/postgate.json", "prometheus/alerts.yml"):
        assert (ROOT / "docs" / path).is_file() and Path(path).as_posix() in text


def test_the_documents_list_each_metric() -> None:
    text = (ROOT / "docs" / "observability.md").read_text()
    for name, definition in METRICS.items():
        shown = f"{name}_total" if definition.kind == "counter" else name
        assert f"| `{shown}` | {', '.join(definition.labels)} | {definition.words}" in text
