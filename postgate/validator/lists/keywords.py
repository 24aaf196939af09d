"""PostgreSQL's keywords in their four categories (manual, appendix "SQL Key Words"), of all supported versions.

`keywords.txt` is made by scripts/generate_keywords.py: a word, its category as in pg_get_keywords(), and whether it
can be a column label without AS.
"""

from pathlib import Path

_ROWS = [line.split() for line in (Path(__file__).parent / "keywords.txt").read_text().splitlines()]


def _category(code: str) -> frozenset[str]:
    return frozenset(word for word, category, _ in _ROWS if category == code)


UNRESERVED = _category("U")
COL_NAME = _category("C")
TYPE_FUNC_NAME = _category("T")
RESERVED = _category("R")
KEYWORDS = UNRESERVED | COL_NAME | TYPE_FUNC_NAME | RESERVED
BARE_LABEL = frozenset(word for word, _, bare in _ROWS if bare == "t")
