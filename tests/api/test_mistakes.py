"""Typical mistakes, and that each answer says what to do; docs/errors.md has them as the service gives them."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from support.paths import FIXTURES, ROOT
from support.service import Answer, Service

DOCUMENT = ROOT / "docs" / "errors.md"
BEGIN, END = "<!-- made by tests/api/test_mistakes.py -->\n", "<!-- end -->\n"
MISTAKES = [json.loads(line) for line in (FIXTURES / "mistakes.jsonl").read_text().splitlines()]
# What PostgreSQL says of these is enough.
NO_HINT = {
    "a word where a number belongs",
    "a key that is taken",
    "a reference to nothing",
    "a function that is not allowed",
    "a body that is no JSON",
    "`LIMIT` with two numbers",
    "a path that is not there",
}


@pytest.fixture(scope="module")
def answers(shared_service: Service) -> Iterator[dict[str, Answer]]:
    tenant = shared_service.tenant()
    for sql in (
        "CREATE TABLE users (id int PRIMARY KEY, name text)",
        "CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users)",
        "INSERT INTO users VALUES (1, 'Ann')",
    ):
        assert shared_service.query(sql, token=tenant.token).status == 200
    tokens = {"reader": shared_service.token(tenant.id, "reader", ("SELECT",)), "all": tenant.token}
    yield {mistake["mistake"]: _answer(shared_service, mistake, tokens) for mistake in MISTAKES}


def _answer(service: Service, mistake: dict[str, Any], tokens: dict[str, str]) -> Answer:
    token = mistake.get("token", "all")
    headers = {"Authorization": f"Bearer {tokens.get(token, token)}"} if token else {}
    return service.request("POST", mistake.get("path", "/query"), _text(mistake).encode(), headers)


def _text(mistake: dict[str, Any]) -> str:
    body = mistake["body"]
    return body if isinstance(body, str) else json.dumps(body)


@pytest.mark.parametrize("mistake", [mistake["mistake"] for mistake in MISTAKES])
def test_each_answer_says_what_to_do(answers: dict[str, Answer], mistake: str) -> None:
    answer = answers[mistake]
    assert 400 <= answer.status <= 500
    assert ("hint" in answer.json) is (mistake not in NO_HINT), answer.text
    if answer.code in ("PARSE_ERROR", "DATABASE_ERROR", "ROW_LIMIT_EXCEEDED"):
        assert answer.json["reason"]


def test_the_document_has_these_answers(answers: dict[str, Answer]) -> None:
    table = "| mistake | sent | answer | says | hint |\n|---|---|---|---|---|\n"
    for mistake in MISTAKES:
        told = answers[mistake["mistake"]].json
        kind = " ".join(filter(None, (told["code"], told.get("sqlstate"), told.get("reason"))))
        sent = mistake["body"].get("sql") if _is_about_sql(mistake) else _text(mistake)
        cells = (mistake["mistake"], _code(sent), kind, told["error"], told.get("hint", ""))
        table += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    expected = before + BEGIN + table + END + after
    if os.environ.get("POSTGATE_TEST_WRITE"):
        DOCUMENT.write_text(expected)
    assert DOCUMENT.read_text() == expected, "POSTGATE_TEST_WRITE=1 writes it anew"


def _is_about_sql(mistake: dict[str, Any]) -> bool:
    body = mistake["body"]
    return isinstance(body, dict) and set(body) == {"sql"}


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"
