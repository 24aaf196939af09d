"""docs/coming-from.md and llms.txt: whatever they say that works here is sent to the service."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.test_cli import url_of
from clients.test_node import packages
from docs.test_examples import follow
from support.examples import Shell, a_shell, blocks
from support.paths import ROOT
from support.service import ALL, Answer, Service

__all__ = ["packages"]
DOCUMENT = (ROOT / "docs" / "coming-from.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| (.+) \|$", DOCUMENT, re.MULTILINE)
STATEMENTS = [
    text for _, here in ROWS for text in re.findall("`([^`]+)`", here) if re.match("SELECT|INSERT|UPDATE|CREATE", text)
]
REQUESTS = [block.text for block in blocks("llms.txt") if block.language == "json"]


class Reader:
    """Somebody who has followed the document to its tables."""

    def __init__(self, service: Service, shell: Shell, token: str) -> None:
        self._service = service
        self._token = token
        self.shell = shell

    def post(self, body: str) -> Answer:
        return self._service.post(body.encode(), self._token)


@pytest.fixture(scope="module")
def reader(shared_service: Service, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    (shop,) = shared_service.query("SELECT id FROM create_tenant_database('shop')").rows
    token = shared_service.token(shop["id"], "reader", ALL)
    settings = {
        "DATABASE_URL": url_of(shared_service.conninfo),
        "POSTGATE_URL": f"http://127.0.0.1:{shared_service.port}/query",
        "POSTGATE_TOKEN": token,
    }
    with a_shell(tmp_path_factory.mktemp("shell"), **settings) as shell:
        (shell.directory / "node_modules").symlink_to(packages / "node_modules")
        follow(shell, "docs/coming-from.md")
        yield Reader(shared_service, shell, token)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_works_here(reader: Reader, statement: str) -> None:
    body = {"sql": statement, "params": [1] if "$1" in statement else []}
    answer = reader.post(json.dumps(body | {"dry_run": True}))
    assert answer.status == 200, answer.text


def test_each_table_has_something_that_works() -> None:
    assert len(STATEMENTS) >= 20


@pytest.mark.parametrize("request_body", REQUESTS)
def test_what_agents_are_told_to_send(reader: Reader, request_body: str) -> None:
    answer = reader.post(request_body)
    assert answer.status == 200, answer.text
    assert len(REQUESTS) == 4


def test_the_links_of_agents_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "llms.txt").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
