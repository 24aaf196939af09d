"""The second wall, tried: what a throw-away tenant may do on this server, in a transaction that leaves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg import sql

from postgate.conninfo import explain
from postgate.operations import OPERATIONS

BY_SUPERUSER = "have a superuser run `postgate migrate --gateway ROLE`, with the role that postgate logs in as"
ALLOWED = "POSTGATE_ALLOW_UNPROTECTED=true serves all the same"
TIMEOUT_MS = 10_000


class Unprotected(Exception):
    """The server does not keep tenants apart; the text says what to do."""


@dataclass(frozen=True)
class Protection:
    """Something that PostgreSQL must refuse a tenant.

    Attributes:
        attempt: the statement, with {victim} and {victim_role} for another tenant's schema and owner.
        loss: what is lost where it is not refused.
        reaches: whether one tenant can then reach another's data, whatever the validator thinks of it.
        operations: those of the token that tries it.
        defines: the operation that `postgate_internal.enter` is told.
        open_answer: for what cannot be refused, the answer that it must not give.
    """

    name: str
    attempt: str
    loss: str
    remedy: str = BY_SUPERUSER
    reaches: bool = False
    operations: tuple[str, ...] = OPERATIONS
    defines: str = ""
    open_answer: str | None = None


@dataclass(frozen=True)
class Finding:
    protection: Protection
    holds: bool


PROTECTIONS = (
    Protection(
        "rows of other tenants",
        "SELECT secret FROM {victim}.secrets",
        "every tenant reads every other one's rows",
        "revoke what was granted to PUBLIC on the tenants' schemas and tables",
        reaches=True,
    ),
    Protection(
        "tokens and connection strings",
        "SELECT token_hash FROM public.postgate_tokens",
        "tenants read the metadata",
        "revoke what was granted to PUBLIC on schema public",
        reaches=True,
    ),
    Protection(
        "DO blocks",
        "DO $do$ BEGIN SET LOCAL ROLE {victim_role}; PERFORM secret FROM {victim}.secrets; END $do$",
        "a block becomes another tenant's role and reads its rows",
        reaches=True,
    ),
    Protection(
        "settings inside a statement",
        "SELECT pg_catalog.set_config('role', {victim_role_text}, true)",
        "a statement becomes another tenant's role and runs text as SQL with it",
        reaches=True,
    ),
    Protection(
        "other settings",
        "SELECT pg_catalog.set_config('statement_timeout', '0', false)",
        "a statement lifts its own limits, and leaves settings behind",
    ),
    Protection(
        "functions of tenants",
        "CREATE FUNCTION {own}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "tenants keep code that the validator never sees",
        defines="CREATE",
    ),
    Protection(
        "operations of the token: rows",
        "INSERT INTO {own}.t VALUES (1)",
        "a token that may only read writes",
        "run `postgate migrate`",
        operations=("SELECT",),
    ),
    Protection(
        "operations of the token: definitions",
        "DROP TABLE {own}.t",
        "a token that may CREATE drops tables too",
        operations=("SELECT", "CREATE"),
        defines="CREATE",
    ),
    Protection(
        "other statements",
        "GRANT SELECT ON {own}.t TO PUBLIC",
        "definitions that no token allows: grants, rules, triggers, policies",
        defines="CREATE",
    ),
    Protection(
        "text run as SQL",
        "SELECT pg_catalog.query_to_xml('SELECT 1', true, false, '')",
        "functions run text that the validator never sees",
    ),
    Protection(
        "files of the server",
        "SELECT pg_catalog.pg_read_file('PG_VERSION')",
        "tenants read every database's files",
        "revoke EXECUTE on pg_read_file from PUBLIC",
        reaches=True,
    ),
    Protection(
        "programs on the server",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "tenants run programs on the server",
        "revoke pg_execute_server_program from the tenants' roles",
        reaches=True,
    ),
    Protection("the catalog", "SELECT relname FROM pg_catalog.pg_class", "names and definitions of others are seen"),
    Protection("activity", "SELECT query FROM pg_catalog.pg_stat_activity", "sessions of others are seen"),
    Protection("locks", "SELECT pg_catalog.pg_advisory_xact_lock(1)", "a tenant holds up others, and us"),
    Protection("large objects", "SELECT pg_catalog.lo_from_bytea(0, '')", "tenants keep data outside their schema"),
    Protection("temporary tables", "CREATE TEMP TABLE t (a int)", "sessions carry tables from one request to the next"),
    Protection(
        "space for sorting",
        "SHOW temp_file_limit",
        "one statement can fill the disk",
        "GRANT SET ON PARAMETER temp_file_limit TO the role that postgate logs in as",
        open_answer="-1",
    ),
)


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
            found.protection.name for found in examine(conninfo) if found.protection.reaches and not found.holds
        ]
    except psycopg.Error as error:
        raise Unprotected(
            f"it cannot be tried whether tenants are kept apart: {explain(error, conninfo)}; {ALLOWED}"
        ) from None
    if open_ones:
        raise Unprotected(
            f"without the validator one tenant could reach another here: {', '.join(open_ones)}."
            f" `postgate doctor` says how to close that; {ALLOWED}"
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
        version = """
            SELECT t.xmin::text || ':' || d.xmin::text
            FROM public.postgate_tokens AS t JOIN public.postgate_databases AS d ON d.id = t.database_id
            WHERE t.token_hash = %s"""
        seen = (self._connection.execute(version, [token_hash]).fetchone() or ("",))[0]
        enter = "SELECT postgate_internal.enter(%s, %s, %s, %s)"
        self._connection.execute(enter, [token_hash, seen, TIMEOUT_MS, defines])
