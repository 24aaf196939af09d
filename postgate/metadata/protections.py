"""What the second wall keeps a tenant from: a table of statements that PostgreSQL must refuse."""

from __future__ import annotations

from dataclasses import dataclass

from postgate.operations import OPERATIONS

BY_SUPERUSER = "have a superuser run `postgate migrate --gateway ROLE`, with the role that postgate logs in as"


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
