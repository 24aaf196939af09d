"""What the documents list is what there is."""

import re

from support.paths import ROOT

from postgate import errors

API = (ROOT / "docs" / "api.md").read_text()


def test_the_api_lists_every_error_code() -> None:
    table = dict(re.findall(r"^\| ([A-Z_]+) \| (4xx|\d{3}) \|", API, re.MULTILINE))
    kinds = errors.PostgateError.__subclasses__()
    assert table.keys() == {kind.code for kind in kinds}
    for kind in kinds:
        assert table[kind.code] in (str(kind.status), "4xx")
