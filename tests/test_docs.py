"""What the documents list is what there is."""

import re

from support.paths import ROOT

from postgate import errors
from postgate.api import statuses

API = (ROOT / "docs" / "api.md").read_text()


ERRORS = (ROOT / "docs" / "errors.md").read_text()


def test_the_links_of_the_documents_lead_somewhere() -> None:
    for path in (*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_each_reason_is_in_the_table() -> None:
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`\w+`.*?) \| [A-Z]", ERRORS, re.MULTILINE))))
    source = "".join(path.read_text() for path in sorted((ROOT / "postgate").rglob("*.py")))
    used = set(re.findall(r'"(\w+_denied|qualified_name|system_catalog|several_statements|empty_statement)"', source))
    used |= set(re.findall(r'reason(?:"?:|: str =| =|=) "(\w+)"', source)) | {"syntax", "parameters", "body", "limit"}
    assert used <= documented | {""}
    assert {"syntax", "operation_denied", "function_denied", "statement_denied"} <= used


def test_the_statuses_are_those_of_the_table() -> None:
    table = ERRORS.partition("## The status")[2].partition("## Typical")[0]
    rows = dict(re.findall(r"^\| (.+) \| (\d{3}) \|$", table, re.MULTILINE))
    told = {
        code: int(status)
        for text, status in rows.items()
        for code in re.findall(r"\b[0-9A-Z]{5}\b|\b[0-9A-Z]{2}\b", text)
    }
    for code, status in told.items():
        assert statuses.of_sqlstate(code.ljust(5, "0")) == status, code


def test_the_api_lists_every_error_code() -> None:
    table = dict(re.findall(r"^\| ([A-Z_]+) \| (4xx|\d{3}) \|", API, re.MULTILINE))
    kinds = errors.PostgateError.__subclasses__()
    assert table.keys() == {kind.code for kind in kinds}
    for kind in kinds:
        assert table[kind.code] in (str(kind.status), "4xx")
