"""What `postgate doctor` examines: the server, and each protection by trying it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from postgate.config import MEGABYTE
from postgate.conninfo import explain
from postgate.metadata import migrate, trial
from postgate.metadata.remedies import explain_with_remedy

OLDEST = 150000


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        fatal: postgate cannot work like this, or one tenant could reach another.
        loss: what is lost where it is not good.
        remedy: how to make it good.
    """

    name: str
    state: str
    good: bool = True
    fatal: bool = False
    loss: str = ""
    remedy: str = ""

    @property
    def mark(self) -> str:
        return "ok" if self.good else "BAD" if self.fatal else "note"


def examine(conninfo: str) -> Iterator[Check]:
    """Examine the metadata database; without a connection there is nothing else to see."""
    try:
        connection = psycopg.connect(conninfo, connect_timeout=5, autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        yield Check("connection", explain(error, conninfo), good=False, fatal=True)
        return
    with connection:
        yield Check("connection", f"as {connection.info.user} to {connection.info.dbname}")
        try:
            for check in (_version, _encoding, _gateway, _memory):
                yield check(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            # Of a database that is hardened PUBLIC may not even ask for its version.
            yield Check("privileges", explain_with_remedy(error, conninfo), good=False, fatal=True)
            return
    revision = _revision(conninfo)
    yield revision
    if revision.good:
        yield from _protections(conninfo)


def _protections(conninfo: str) -> Iterator[Check]:
    try:
        for finding in trial.examine(conninfo):
            protection = finding.protection
            if finding.holds:
                yield Check(protection.name, "refused")
            else:
                yield Check(
                    protection.name,
                    "OPEN",
                    False,
                    protection.reaches,
                    protection.loss,
                    protection.remedy,
                )
    except psycopg.Error as error:
        yield Check("protections", f"cannot be tried: {explain_with_remedy(error, conninfo)}", good=False, fatal=True)


def _version(connection: psycopg.Connection) -> Check:
    new_enough = connection.info.server_version >= OLDEST
    version = _one(connection, "SELECT current_setting('server_version')")
    return Check("server version", version, good=new_enough, fatal=not new_enough)


def _encoding(connection: psycopg.Connection) -> Check:
    encoding = _one(connection, "SELECT current_setting('server_encoding')")
    return Check("encoding", encoding, good=encoding == "UTF8")


def _gateway(connection: psycopg.Connection) -> Check:
    superuser = _one(connection, "SELECT current_setting('is_superuser')") == "on"
    return Check("gateway role", "a superuser, which no tenant's statement is" if superuser else "not a superuser")


def _memory(connection: psycopg.Connection) -> Check:
    """Whether a statement that wants more memory than there is fails alone: by a limit of the processes, or because the
    kernel promises no more than it has (PostgreSQL's manual, Linux Memory Overcommit)."""
    try:
        limits = _one(connection, "SELECT pg_catalog.pg_read_file('/proc/self/limits')")
        overcommit = _one(connection, "SELECT pg_catalog.pg_read_file('/proc/sys/vm/overcommit_memory')")
    except psycopg.Error:
        # Files are for superusers, and other systems have none of these.
        limits, overcommit = "", ""
    limit = re.search(r"^Max address space +(\d+)", limits, re.MULTILINE)
    if limit:
        return Check("memory of a statement", f"at most {int(limit[1]) // MEGABYTE} MB a process")
    if overcommit.strip() == "2":
        return Check("memory of a statement", "what the kernel has: no overcommitment")
    return Check(
        "memory of a statement",
        "without a limit" if limits else "cannot be seen by this login",
        good=False,
        loss="one statement can use up the memory, and PostgreSQL then restarts for all tenants",
        remedy="see docs/operations.md",
    )


def _revision(conninfo: str) -> Check:
    current, head = migrate.current(conninfo), migrate.head()
    if current == head:
        return Check("revision", head)
    return Check("revision", f"{current or 'none'}, should be {head}: run postgate migrate", good=False, fatal=True)


def _one(connection: psycopg.Connection, query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    return "" if row is None else str(row[0])
