"""Run one judged statement for one token: enter, statement and Sync in one round trip, which is one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import orjson

from postgate.errors import (
    DatabaseError,
    DatabaseNotFound,
    InternalError,
    ParseError,
    PostgateError,
    Timeout,
    Unauthorized,
    Unavailable,
)
from postgate.executor.parameters import Key, ParameterTypes, dump, type_of, types_of
from postgate.executor.prologue import TEXT, entrance
from postgate.postgres.catalog import Catalog
from postgate.postgres.pipeline import Command, ConnectionLost, Pipeline, ServerError
from postgate.results.rows import Limits, Rows

if TYPE_CHECKING:
    from postgate.access.registry import Access
    from postgate.api.body import Statement
    from postgate.config import Config
    from postgate.postgres.catalog import Type
    from postgate.postgres.pools import Backend, Connection, Pools
    from postgate.validator import Facts

# What the server and the connection may take on top of the statement's own time.
GRACE_S = 2.0
# How long an extension may go unnoticed, and of how many schemas the functions of extensions are remembered.
EXTENSIONS_S = 10.0
MOST_SCHEMAS = 10_000
# Only these have plans that are worth keeping; longer texts come once.
PLANNED_KINDS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})
LONGEST_PREPARED = 8_192
# How an outdated plan can fail, by class or code: names and types, changed results, values that do not fit the types
# that were.
OUTDATED = ("42", "0A", "22P02", "22003", "22007", "22008")
# No such statement, or one of that name already: a pooler gives the connection another session each time, so that
# nothing can be prepared on it.
POOLED = ("26000", "42P05")
CANCELLED, NO_TYPE, BAD_TEXT, NOT_ALLOWED = "57014", "42P18", "22P02", "42501"

_STRANGERS = b"""
    SELECT f FROM pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb) AS f
    WHERE NOT coalesce((
        SELECT pg_catalog.bool_and(n.nspname OPERATOR(pg_catalog.=) $2 AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d
            WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
        ))
        FROM pg_catalog.pg_proc AS p
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
        WHERE p.proname OPERATOR(pg_catalog.=) f::pg_catalog.name
            AND n.nspname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog', $2]::pg_catalog.name[])
    ), false)
"""

_EXTENSION_FUNCTIONS = b"""
    SELECT DISTINCT p.proname
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) d.objid
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND d.deptype OPERATOR(pg_catalog.=) 'e'
        AND n.nspname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog', $1]::pg_catalog.name[])
        AND p.pronargs OPERATOR(pg_catalog.>=) 1
        AND p.pronargs OPERATOR(pg_catalog.-) p.pronargdefaults OPERATOR(pg_catalog.<=) 1
"""
_ADOPT = b"""
    SELECT postgate_internal.arrange_roles(t.database_id, true)
    FROM public.postgate_tokens AS t
    WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) $1
"""

_Answer = TypeVar("_Answer")


class StaleAccess(Exception):
    """The token or its database has changed since the look-up; nothing was run."""


@dataclass(frozen=True, slots=True)
class Job:
    """One statement, and for whom and where it runs."""

    access: Access
    facts: Facts
    statement: Statement
    backend: Backend
    timeout_ms: int
    entrance: Command

    @property
    def repeatable(self) -> bool:
        return not (self.facts.writes or self.facts.own_functions)

    @property
    def holds(self) -> bool:
        """Whether the rows have to be seen before the transaction may end."""
        return not self.repeatable and self.facts.returns_rows


class Executor:
    """Runs statements on the pools of this process."""

    def __init__(self, pools: Pools, config: Config) -> None:
        self._pools = pools
        self._timeout_ms = config.statement_timeout_ms
        self._max_bytes = config.max_result_bytes
        self._catalog = Catalog()
        self._parameter_types = ParameterTypes()
        self._extension_functions: dict[tuple[str, str], tuple[float, frozenset[str]]] = {}

    def run(self, access: Access, facts: Facts, statement: Statement) -> Rows:
        """The rows, or the number of those affected; the transaction has ended.

        Raises:
            StaleAccess: look the token up again, judge again and run once more.
            PostgateError: anything else that goes wrong.
        """
        backend = access.dedicated or self._pools.shared
        timeout_ms = access.limits.timeout_ms(self._timeout_ms)
        job = Job(access, facts, statement, backend, timeout_ms, entrance(access, timeout_ms, facts.defines))
        if facts.own_functions:
            self._check_functions(job)
        if facts.fields:
            self._check_fields(job)
        types = types_of(statement.params, facts.untyped)
        try:
            return self._run_typed(job, types)
        except DatabaseError as error:
            if error.fields.get("sqlstate") != NO_TYPE or not statement.params:
                raise
        return self._run_typed(job, [type_of(value) for value in statement.params])

    def _run_typed(self, job: Job, types: list[int]) -> Rows:
        if not _has_open_list(job, types):
            return self._execute(job, self._command(job, types, types))
        key = Key(job.backend.key, job.access.tenant.schema, job.statement.sql, tuple(types))
        wanted = self._parameter_types.get(key)
        if wanted is not None:
            try:
                return self._execute(job, self._command(job, types, wanted))
            except DatabaseError as error:
                # A column may have another type since then; what failed has left nothing.
                if error.fields.get("sqlstate") != BAD_TEXT:
                    raise
                self._parameter_types.forget(key)
        wanted = self._describe(job, types)
        self._parameter_types.put(key, wanted)
        return self._execute(job, self._command(job, types, wanted))

    def _check_fields(self, job: Job) -> None:
        """x.f must not be a call of an extension's function; which there are is asked for now and then."""
        key = (job.backend.key, job.access.tenant.schema)
        asked, names = self._extension_functions.get(key, (0.0, frozenset()))
        if time.monotonic() - asked > EXTENSIONS_S or not asked:
            names = self._ask_for_extension_functions(job)
            if len(self._extension_functions) >= MOST_SCHEMAS:
                self._extension_functions.clear()
            self._extension_functions[key] = (time.monotonic(), names)
        if called := job.facts.fields & names:
            raise ParseError(f"Function {min(called)} is not allowed")

    def _ask_for_extension_functions(self, job: Job) -> frozenset[str]:
        def talk(connection: Connection) -> frozenset[str]:
            with _pipeline(job, connection) as pipeline:
                pipeline.send(Command(_EXTENSION_FUNCTIONS, [job.access.tenant.schema.encode()], [TEXT]), "extensions")
                pipeline.commit()
                result = pipeline.result()
                pipeline.finish()
            return frozenset((result.get_value(row, 0) or b"").decode() for row in range(result.ntuples))

        return self._converse(job, talk, repeatable=True)

    def _command(self, job: Job, types: list[int], wanted: list[int]) -> Command:
        def kinds(oid: int) -> Type | None:
            return self._catalog.get(job.backend.key, oid)

        pairs = zip(job.statement.params, wanted, strict=True)
        parameters = [dump(value, kinds(oid) if oid else None, kinds) for value, oid in pairs]
        return Command(job.statement.sql.encode(), parameters, types)

    def _execute(self, job: Job, command: Command) -> Rows:
        key = _plan_key(job, command)

        def talk(connection: Connection) -> Rows:
            connection.prepared.was_reused = False
            try:
                return attempt(connection, key)
            except ServerError as error:
                if error.sqlstate not in POOLED and not (
                    connection.prepared.was_reused and error.sqlstate.startswith(OUTDATED)
                ):
                    raise
                first = error.sqlstate
            # Nothing of it has happened. What was prepared may have been for a table as it is no more: run the text
            # itself, and where that ends otherwise, let nobody meet the old plans again.
            connection.prepared.disable()
            try:
                rows = attempt(connection, key)
            except ServerError as error:
                if error.sqlstate == first:
                    connection.prepared.enable()
                elif first not in POOLED:
                    connection.is_stained = True
                raise
            if first not in POOLED:
                connection.is_stained = True
            return rows

        def attempt(connection: Connection, key: Hashable) -> Rows:
            rows = Rows(job.backend.key, self._catalog, Limits(job.access.max_rows, self._max_bytes))
            with _pipeline(job, connection) as pipeline:
                pipeline.send(job.entrance, job.entrance.sql)
                pipeline.send(command, key)
                if job.holds:
                    pipeline.flush()
                else:
                    pipeline.commit()
                _enter(job, pipeline)
                for result in pipeline.results(chunked=True):
                    rows.add(result)
                if job.holds:
                    pipeline.commit()
                pipeline.finish()
            if job.facts.defines == "CREATE AS" and job.facts.kind == "EXPLAIN":
                self._adopt(job, connection)
            if rows.waits_for_types:
                self._catalog.learn(connection, job.backend.key, rows.oids)
                rows.encode_kept()
            return rows

        return self._converse(job, talk, repeatable=job.repeatable)

    def _adopt(self, job: Job, connection: Connection) -> None:
        """No event trigger sees what EXPLAIN ANALYZE makes, so its owner is still the role that ran it."""
        if job.access.dedicated is not None:
            return
        with _pipeline(job, connection) as pipeline:
            pipeline.send(Command(_ADOPT, [job.access.token_hash.encode()], [TEXT]))
            pipeline.commit()
            pipeline.result()
            pipeline.finish()

    def _describe(self, job: Job, types: list[int]) -> list[int]:
        """The types that the server infers for the parameters; nothing is run."""

        def talk(connection: Connection) -> list[int]:
            with _pipeline(job, connection) as pipeline:
                pipeline.send(job.entrance)
                pipeline.describe(Command(job.statement.sql.encode(), (), types))
                pipeline.commit()
                _enter(job, pipeline)
                pipeline.result()
                described = pipeline.result()
                pipeline.finish()
            wanted = [described.param_type(position) for position in range(described.nparams)]
            self._catalog.learn(connection, job.backend.key, wanted)
            return wanted

        return self._converse(job, talk, repeatable=True)

    def _check_functions(self, job: Job) -> None:
        """Functions that are not built in must be the tenant's own: neither a built-in one nor an extension's."""
        names = orjson.dumps(sorted(job.facts.own_functions))

        def talk(connection: Connection) -> bytes | None:
            # Not as the tenant, who may not read the catalog; nothing of the tenant's is run.
            with _pipeline(job, connection) as pipeline:
                pipeline.send(Command(_STRANGERS, [names, job.access.tenant.schema.encode()], [TEXT, TEXT]))
                pipeline.commit()
                result = pipeline.result()
                pipeline.finish()
            return result.get_value(0, 0) if result.ntuples else None

        stranger = self._converse(job, talk, repeatable=True)
        if stranger is not None:
            raise ParseError(f"Function {stranger.decode()} is not allowed")

    def _converse(self, job: Job, talk: Callable[[Connection], _Answer], repeatable: bool) -> _Answer:
        """Talk on a connection; on another one if the first was dead and nothing can be done twice."""
        try:
            return self._talk(job, talk)
        except ConnectionLost as lost:
            if not (repeatable or lost.undone):
                raise Unavailable("the connection to the database was lost", outcome="unknown") from None
        try:
            return self._talk(job, talk)
        except ConnectionLost as lost:
            outcome = None if repeatable or lost.undone else "unknown"
            raise Unavailable("the connection to the database was lost", outcome) from None

    def _talk(self, job: Job, talk: Callable[[Connection], _Answer]) -> _Answer:
        with self._pools.connection(job.backend) as connection:
            try:
                return talk(connection)
            except ServerError as error:
                raise _refusal(error, job.timeout_ms) from None


def _plan_key(job: Job, command: Command) -> Hashable:
    """What a prepared statement is good for: any role of the tenant, as privileges are checked each time it runs."""
    if job.facts.kind not in PLANNED_KINDS or job.facts.defines or len(command.sql) > LONGEST_PREPARED:
        return None
    return (command.sql, job.access.tenant.schema, tuple(command.types))


def _pipeline(job: Job, connection: Connection) -> Pipeline:
    return Pipeline(connection, job.timeout_ms / 1000 + GRACE_S)


def _enter(job: Job, pipeline: Pipeline) -> None:
    try:
        pipeline.result()
    except ServerError as error:
        if error.sqlstate in POOLED:
            raise
        raise _entrance_refusal(error, job.timeout_ms) from None


def _has_open_list(job: Job, types: list[int]) -> bool:
    """Whether the text of some parameter depends on what type the server wants."""
    return any(isinstance(value, list) and not oid for value, oid in zip(job.statement.params, types, strict=True))


def _refusal(error: ServerError, timeout_ms: int) -> PostgateError:
    if error.sqlstate == CANCELLED:
        return Timeout(timeout_ms)
    return DatabaseError(error.message, error.fields)


def _entrance_refusal(error: ServerError, timeout_ms: int) -> Exception:
    match error.sqlstate:
        case "PX401":
            return Unauthorized()
        case "PX404":
            return DatabaseNotFound()
        case "PX409":
            return StaleAccess()
        case "PX503":
            return Unavailable("the roles of the database are missing: run postgate migrate")
    if error.sqlstate == CANCELLED:
        return Timeout(timeout_ms)
    if error.sqlstate == NOT_ALLOWED:
        return Unavailable("the login of the database may not do what postgate needs: run postgate doctor")
    if error.sqlstate.startswith(("42", "3F")):
        return Unavailable("the database is not migrated")
    return InternalError()
