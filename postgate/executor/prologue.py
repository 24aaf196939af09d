"""What opens each transaction: the tenant's settings, all of them local to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from postgate.executor.job import Prologue
from postgate.postgres.types import BOOL, INT4, TEXT
from postgate.sql_files import read_sql

if TYPE_CHECKING:
    from postgate.access.registry import Access

_NOT_PRINTABLE = re.compile("[^ -~]")
# The SQLSTATEs that postgate_internal.enter raises.
NO_TOKEN, NO_DATABASE, STALE_LOOK_UP, NO_ROLES = "PX401", "PX404", "PX409", "PX503"
ENTER = read_sql("executor", "enter")
_ENTER_DEDICATED = read_sql("executor", "enter_dedicated")
# What PostgreSQL keeps of application_name (manual, "Error Reporting and Logging"), and what of it a request's id has.
_NAME_BYTES, _ID_BYTES = 63, 36


def application_name(database_name: str, request_id: str) -> bytes:
    """What PostgreSQL's log and pg_stat_activity call a transaction: of both parts the beginning, in ASCII."""
    own_id = request_id[:_ID_BYTES]
    most = _NAME_BYTES - len(f"postgate  {own_id}")
    name = (
        database_name
        if database_name.isascii() and database_name.isprintable()
        else _NOT_PRINTABLE.sub("?", database_name)
    )
    return f"postgate {name[:most]} {own_id}".encode()


def prologue_for(access: Access, service_timeout_ms: int, defines: str = "") -> Prologue:
    """The first command of a transaction: it raises when the look-up behind `access` is no longer true.

    Args:
        service_timeout_ms: what the service allows a statement; the database may allow less.
        defines: what `Facts.defines` says of the statement.
    """
    limit_ms = access.limits.timeout_ms(service_timeout_ms)
    if access.dedicated is None:
        parameters = [access.token_hash, access.version, str(limit_ms), defines]
        types = [TEXT, TEXT, INT4, TEXT, TEXT]
        sql = ENTER
    else:
        reads_only = access.tenant.operations <= {"SELECT"}
        lock_timeout, work_mem = str(access.limits.lock_timeout_ms), f"{access.limits.work_mem_kb}kB"
        parameters = [str(limit_ms), lock_timeout, work_mem, str(reads_only)]
        types = [TEXT, TEXT, TEXT, BOOL, TEXT]
        sql = _ENTER_DEDICATED
    return Prologue(sql, [parameter.encode() for parameter in parameters], types, limit_ms)
