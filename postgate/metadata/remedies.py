"""What to do where PostgreSQL does not let the administration of postgate do something."""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

from postgate.conninfo import explain, is_malformed


def explain_with_remedy(error: BaseException, conninfo: str) -> str:
    """`explain`, and how to get the privilege that was missing, or what stands in the way."""
    line = explain(error, conninfo)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{line}: {remedy(conninfo)}"
    if isinstance(error, psycopg.errors.DependentObjectsStillExist):
        # Such as a tenant's view on list_tables(), which is not ours to drop.
        return f"{line}: {', '.join((error.diag.message_detail or '').splitlines())}; drop what depends on it first"
    return line


def remedy(conninfo: str) -> str:
    """How the login of the conninfo gets what it lacks."""
    parts = {} if is_malformed(conninfo) else conninfo_to_dict(conninfo)
    role = _quoted(str(parts.get("user") or "ROLE"))
    return (
        f"run `postgate migrate --gateway {role}` once with an administrator's DATABASE_URL, and this login may serve"
        f" as it is; where there is no superuser to be had, `ALTER ROLE {role} CREATEROLE`, and `postgate doctor` says"
        " what is missing then"
    )


def _quoted(name: str) -> str:
    """As an identifier of SQL."""
    return name if re.fullmatch("[a-z_][a-z0-9_]*|[A-Z]+", name) else '"' + name.replace('"', '""') + '"'
