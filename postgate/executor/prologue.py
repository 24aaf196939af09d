"""What opens each transaction: the tenant's settings, all of them local to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postgate.postgres.pipeline import Command

if TYPE_CHECKING:
    from postgate.access.registry import Access

TEXT, INT4 = 25, 23
_ENTER = b"SELECT postgate_internal.enter($1, $2, $3, $4)"

# What postgate_internal.enter sets, for a server that has no such function.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "xmlbinary": "base64",
    "row_security": "on",
    "search_path": "public, pg_temp",
}
_SET = "pg_catalog.set_config('{}', '{}', true)"
_DEDICATED = (
    "SELECT pg_catalog.set_config('statement_timeout', $1, true),"
    " pg_catalog.set_config('idle_in_transaction_session_timeout', $1, true),"
    " pg_catalog.set_config('lock_timeout', $2, true), pg_catalog.set_config('work_mem', $3, true), "
    + ", ".join(_SET.format(name, value) for name, value in _SETTINGS.items())
).encode()
_READ_ONLY = b", pg_catalog.set_config('transaction_read_only', 'on', true)"


def entrance(access: Access, timeout_ms: int, defines: str = "") -> Command:
    """The first command of the transaction: it raises when the look-up behind `access` is no longer true.

    Args:
        defines: what `Facts.defines` says of the statement.
    """
    timeout = str(timeout_ms).encode()
    if access.dedicated is None:
        parameters = [access.token_hash.encode(), access.version.encode(), timeout, defines.encode()]
        return Command(_ENTER, parameters, [TEXT, TEXT, INT4, TEXT])
    limits = [timeout, str(access.limits.lock_timeout_ms).encode(), f"{access.limits.work_mem_kb}kB".encode()]
    return Command(_DEDICATED + (_READ_ONLY if access.reads_only else b""), limits, [TEXT, TEXT, TEXT])
