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
    name = f"postgate {_NOT_PRINTABLE.sub('?', access.name)}"
    return Prologue(sql, [parameter.encode() for parameter in parameters], types, limit_ms, name)
