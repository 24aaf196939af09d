"""The second wall, tried: what a throw-away tenant may do on this server, in a transaction that leaves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg import sql

from postgate.metadata.protections import PROTECTIONS, Protection
from postgate.metadata.remedies import explain_with_remedy
from postgate.operations import OPERATIONS
from postgate.sql_files import read_sql

_TIMEOUT_MS = 10_000
_LOOK_UP = read_sql("access", "look_up")
_ENTER = read_sql("executor", "enter")


class Unprotected(Exception):
    """The server does not keep tenants apart; the text says what to do."""


@dataclass(frozen=True)
class Finding:
    protection: Protection
    holds: bool


def examine(conninfo: str) -> Iterator[Finding]:
    """Try every protection; nothing of it lasts.

    Raises:
        psycopg.Error: the tenants for it cannot be made: no migrated database, or not enough privileges.
    """
    with psycopg.connect(conninfo, prepare_threshold=None) as connection:
        try:
            trial = _Trial(connection)
            for protection in PROTECTIONS:
                yield Finding(protection, trial.refuses(protection))
        finally:
            connection.rollback()


def require(conninfo: str) -> None:
    """Try those protections without which one tenant reaches another.

    Raises:
        Unprotected: one of them does not hold, or none can be tried.
    """
    try:
        open_ones = [
            finding.protection.name for finding in examine(conninfo) if finding.protection.reaches and not finding.holds
        ]
    except psycopg.Error as error:
        reason = explain_with_remedy(error, conninfo)
        raise Unprotected(f"it cannot be tried whether tenants are kept apart: {reason}") from None
    if open_ones:
        raise Unprotected(
            f"without the validator one tenant could reach another here: {', '.join(open_ones)}."
            f" `postgate doctor` says how to close that; POSTGATE_ALLOW_UNPROTECTED=true serves all the same"
        )


class _Trial:
    """Two tenants: one that tries, and one that has something to lose."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.execute("SET LOCAL client_min_messages = error")
        self._own_id, own = self._tenant()
        victim_id, victim = self._tenant()
        for database, schema, table in ((self._own_id, own, "t (a int)"), (victim_id, victim, "secrets (secret text)")):
            self._enter(database, OPERATIONS, "CREATE")
            connection.execute(f"CREATE TABLE {schema}.{table}".encode())
            connection.execute("RESET SESSION AUTHORIZATION")
            connection.execute("RESET ROLE")
        role = connection.execute("SELECT postgate_internal.role_name(%s, NULL)", [victim_id]).fetchone()
        victim_role = "" if role is None else str(role[0])
        self._names = {
            "own": own,
            "victim": victim,
            "victim_role": victim_role,
            "victim_role_text": sql.Literal(victim_role).as_string(connection),
        }

    def refuses(self, protection: Protection) -> bool:
        """Whether PostgreSQL keeps the one tenant from what the protection is about."""
        attempt = protection.attempt
        for name, value in self._names.items():
            attempt = attempt.replace("{" + name + "}", value)
        self._connection.execute("SAVEPOINT trial")
        try:
            self._enter(self._own_id, protection.operations, protection.defines)
            try:
                cursor = self._connection.execute(attempt.encode())
            except psycopg.Error:
                return True
            return protection.open_answer is not None and cursor.fetchone() != (protection.open_answer,)
        finally:
            self._connection.execute("ROLLBACK TO SAVEPOINT trial")

    def _tenant(self) -> tuple[object, str]:
        created = self._connection.execute("SELECT id, schema_name FROM create_tenant_database('doctor')").fetchone()
        if created is None:
            raise psycopg.DataError("no tenant was made")
        return created[0], str(created[1])

    def _enter(self, database: object, operations: tuple[str, ...], defines: str) -> None:
        create = "SELECT token FROM public.create_tenant_token(%s, %s, %s)"
        (token,) = self._connection.execute(create, [database, str(uuid4()), list(operations)]).fetchone() or ("",)
        token_hash = hashlib.sha256(str(token).encode()).hexdigest()
        # The very statements of a request.
        cursor = psycopg.RawCursor(self._connection)
        _, _, _, version, *_ = cursor.execute(_LOOK_UP, [token_hash]).fetchone() or ("",) * 4
        cursor.execute(_ENTER, [token_hash, version, _TIMEOUT_MS, defines, "postgate doctor"])
