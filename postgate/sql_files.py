"""The SQL that runs with the requests, in files beside the code that sends it."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def read_sql(package: str, name: str) -> bytes:
    """The statement in postgate/<package>/sql/<name>.sql, without the comment above it."""
    lines = (_PACKAGE / package / "sql" / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).encode()
