"""Neon's dialect where its driver does not go: wrong headers, both dialects at once, tokens in connection strings."""

import json
from typing import Any

import pytest
from support.events import log_lines
from support.service import Answer, Service

RAW = {"Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true"}


def post(service: Service, body: dict[str, Any], **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.post(json.dumps(body).encode(), **(RAW | given))


def test_the_answer_to_the_byte(shared_service: Service) -> None:
    answer = post(shared_service, {"query": "SELECT $1::int AS a, NULL AS b", "params": ["1"]})
    field = '"tableID":0,"columnID":0,"dataTypeSize":{},"dataTypeModifier":-1,"format":"text"}}'
    assert answer.text == (
        '{"fields":[{"name":"a","dataTypeID":23,' + field.format(4) + ',{"name":"b","dataTypeID":25,' + field.format(-1)
        + '],"rows":[["1",null]],"command":"SELECT","rowCount":1,"rowAsArray":true}'
    )  # fmt: skip


def test_the_answer_to_a_batch(shared_service: Service) -> None:
    answer = post(shared_service, {"queries": [{"query": "SELECT 1 AS a"}, {"query": "SELECT 2 AS a"}]})
    assert [result["rows"] for result in answer.json["results"]] == [[["1"]], [["2"]]]
    assert post(shared_service, {"queries": []}).json == {"results": []}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Neon_Batch_Isolation_Level", "serializable"),
        ("Neon_Batch_Read_Only", "yes"),
        ("Neon_Batch_Deferrable", ""),
        ("Neon_Raw_Text_Output", "TRUE"),
        ("Neon_Array_Mode", "1"),
    ],
)
def test_a_header_with_another_value_is_refused(shared_service: Service, name: str, value: str) -> None:
    answer = post(shared_service, {"query": "SELECT 1"}, **{name: value})
    assert (answer.status, answer.json["code"]) == (400, "PARSE_ERROR")
    assert f"the header {name.replace('_', '-')} must be one of" in answer.json["message"]


def test_the_key_of_the_body_chooses_the_dialect(shared_service: Service) -> None:
    # Headers alone change nothing for a client of ours.
    assert post(shared_service, {"sql": "SELECT 1 AS a"}).json == {"rows": [{"a": 1}], "row_count": 1}
    # For node-postgres `line` is one of PostgreSQL's source, and `column` a name.
    told = post(shared_service, {"query": "SELECT 1 FRM t"}).json
    assert told["position"] == "14"
    assert not {"line", "column"} & told.keys()
    for body in ({"sql": "SELECT 1", "query": "SELECT 1"}, {"queries": [{"sql": "SELECT 1", "query": "SELECT 1"}]}):
        assert post(shared_service, body).json["code"] == "PARSE_ERROR"
    for second in ({"sql": "SELECT 1"}, {}, 1):
        answer = post(shared_service, {"queries": [{"query": "SELECT 1"}, second]})
        assert (answer.status, answer.json["code"], answer.json["index"]) == (400, "PARSE_ERROR", 1)


def test_an_error_of_a_batch_says_which(shared_service: Service) -> None:
    answer = post(shared_service, {"queries": [{"query": "SELECT 1"}, {"query": "SELECT 1/0"}]})
    expected = {"message": "division by zero", "code": "22012", "severity": "ERROR", "index": 1}
    assert answer.status == 400
    assert expected.items() <= answer.json.items()


def test_the_token_in_a_connection_string(shared_service: Service) -> None:
    body = json.dumps({"query": "SELECT 1 AS a"}).encode()

    def ask(address: str) -> Answer:
        return shared_service.request("POST", "/query", body, {**RAW, "Neon-Connection-String": address})

    assert ask(f"postgresql://u:{shared_service.admin}@host/db?application_name=x").json["rows"] == [["1"]]
    for address in ("", "x", "postgresql://u@host/db", "postgresql://u:s3cret@host/db", "postgresql://[u:s3cret@/db"):
        with log_lines() as lines:
            answer = ask(address)
        assert answer.status == 401
        assert "s3cret" not in answer.text + "".join(lines)
    # A header of its own counts first.
    answer = shared_service.request(
        "POST",
        "/query",
        body,
        {"Authorization": "Bearer x", "Neon-Connection-String": f"postgresql://u:{shared_service.admin}@host/db"},
    )
    assert answer.status == 401


def test_a_fault_of_ours_tells_nothing(shared_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("postgate.service.Service._judge", fail)
    answer = post(shared_service, {"query": "SELECT 1"})
    assert (answer.status, answer.json) == (
        500,
        {"message": "Internal error", "severity": "ERROR", "code": "INTERNAL_ERROR"},
    )
