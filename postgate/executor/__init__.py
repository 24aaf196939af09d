"""Run judged statements for one token: prologue, statements and Sync in one round trip, which is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from postgate.access.registry import Access
from postgate.config import Config
from postgate.executor.attempts import Attempt
from postgate.executor.checks import Checks
from postgate.executor.job import Job, Prologue, Step
from postgate.executor.parameters import INFERRED, StatementKey, dump, types_of
from postgate.executor.prologue import prologue_for
from postgate.executor.shares import Shares
from postgate.postgres.catalog import LOOK_UP_MS, learn
from postgate.postgres.connection import Connection
from postgate.postgres.errors import CommandRefused, ConnectionLost, ServerError
from postgate.postgres.pipeline import Command, Pipeline
from postgate.postgres.pools import Pools
from postgate.postgres.types import TEXT, Type
from postgate.remembered import Remembered
from postgate.results import Format
from postgate.results.rows import ResultLimits, Rows
from postgate.sql_files import read_sql

# Characters. Longer texts are mostly bulk inserts that never come again.
MAX_REMEMBERED = 8_192
_MAX_STATEMENTS = 4_096
_MAX_PROLOGUES = 10_000
_ADOPT = read_sql("executor", "adopt")
_ARRANGE = read_sql("executor", "arrange")
_FORGET_SEQUENCES = Command(b"DISCARD SEQUENCES")


class Executor:
    """Runs statements on the pools of this process."""

    def __init__(self, pools: Pools, config: Config) -> None:
        self._pools = pools
        self._timeout_ms = config.statement_timeout_ms
        self._max_bytes = config.max_result_bytes
        self._checks = Checks(pools)
        self._shares = Shares(max(1, config.pool_size // 2))
        # By (token's hash, version, what is defined): a change of the token or the database makes another version.
        self._prologues: Remembered[tuple[str, str, str], Prologue] = Remembered(_MAX_PROLOGUES)
        # What the server infers for list parameters, and for which placeholders it can infer nothing. A definition
        # makes another version, and so another key; where nobody tells when definitions change, nothing is remembered.
        self._types: Remembered[tuple[StatementKey, tuple[int, ...]], list[Type | None]] = Remembered(_MAX_STATEMENTS)
        self._untyped: Remembered[StatementKey, frozenset[int]] = Remembered(_MAX_STATEMENTS)

    def run(self, access: Access, steps: Sequence[Step], attempt: Attempt, answer: Format) -> list[Rows]:
        """The result of each statement; the transaction has ended.

        Raises:
            ServerError, ConnectionLost: `attempt.after` knows whether to try again, and what the client is told.
            PostgateError: anything else that goes wrong.
        """
        job = self._job(access, steps)
        # Before anything of the tenant's runs: a function that is not its own could do what no wall has seen.
        for step in steps:
            if step.facts.own_functions or step.facts.fields or step.facts.columns:
                self._checks.check(job)
                break
        if attempt.arranges_roles:
            self._arrange_roles(job)
        commands = [self._command(job, step, attempt) for step in steps]
        if self._shares.going_on:
            self._shares.require(access.database_id)
        with self._pools.connection(job.backend) as connection:
            try:
                results = self._converse(connection, job, commands, attempt, answer)
                self._complete(connection, job, results)
            finally:
                if connection.goes_on:
                    self._shares.note(access.database_id, connection)
        if attempt.untyped:
            self._remember_untyped(job, attempt.untyped)
        return results

    def _job(self, access: Access, steps: Sequence[Step]) -> Job:
        defines = steps[0].facts.defines
        key = (access.token_hash, access.version, defines)
        opening = self._prologues.get(key)
        if opening is None:
            opening = prologue_for(access, self._timeout_ms, defines)
            self._prologues.put(key, opening)
        repeatable = not any(step.facts.writes or step.facts.own_functions for step in steps)
        return Job(access, access.dedicated or self._pools.shared, opening, steps, repeatable)

    def _converse(
        self, connection: Connection, job: Job, commands: Sequence[Command], attempt: Attempt, answer: Format
    ) -> list[Rows]:
        # The rows of a change have to be counted before the transaction may end: over max_rows nothing is committed.
        # Everything else ends with Sync in the same write, which is one round trip.
        holds = not job.repeatable and any(step.facts.returns_rows for step in job.steps)
        limits = ResultLimits(job.access.max_rows, self._max_bytes)
        results = [Rows(answer, connection.types, limits) for _ in commands]
        with Pipeline(connection, job.prologue.limit_ms, job.repeatable, self._max_bytes) as pipeline:
            if any(step.facts.reads_sequences or step.facts.own_functions for step in job.steps):
                # What other requests have drawn on this connection is not this one's to see.
                pipeline.send_own(_FORGET_SEQUENCES)
            pipeline.send_own(job.prologue.command, attempt.prepares)
            for command in commands:
                pipeline.send(command)
            if holds:
                pipeline.flush()
            else:
                pipeline.commit()
            # If the prologue raises, the server skips all that follows up to Sync: nothing has run.
            pipeline.own_results()
            for rows in results:
                for result in pipeline.results(chunked=True):
                    rows.add(result, pipeline.arrived)
            if holds:
                pipeline.commit()
            pipeline.finish()
        return results

    def _complete(self, connection: Connection, job: Job, results: Sequence[Rows]) -> None:
        """What is left to do when the transaction has ended."""
        try:
            if any(step.facts.defines == "CREATE AS" and step.facts.kind == "EXPLAIN" for step in job.steps):
                self._adopt(connection, job)
            for rows in results:
                if rows.unknown_types:
                    learn(connection, rows.unknown_types)
                rows.end()
        except (ServerError, ConnectionLost) as failure:
            # What has been committed must not be run once more, whatever has gone wrong since.
            raise ConnectionLost(job.repeatable, getattr(failure, "cancelled_after_ms", None)) from failure

    def _command(self, job: Job, step: Step, attempt: Attempt) -> Command:
        """The statement with its parameters as the server takes them."""
        params = step.statement.params
        key = _key(job, step)
        untyped = step.facts.untyped | attempt.untyped | (self._untyped.get(key) or frozenset())
        types: list[int] = types_of(params, untyped) if untyped else []
        if any(isinstance(value, list) for value in params):
            types = types or [INFERRED] * len(params)
            targets = self._target_types(job, key, types, attempt)
            for position, value in enumerate(params):
                if isinstance(value, list) and not types[position] and (target := targets[position]) is not None:
                    # The text is made for this type, so it must be no other one when the statement runs.
                    types[position] = target.oid
            parameters = [dump(value, target) for value, target in zip(params, targets, strict=True)]
        else:
            parameters = [value.encode() if isinstance(value, str) else dump(value) for value in params]
        return Command(key.sql.encode(), parameters, types)

    def _target_types(self, job: Job, key: StatementKey, types: list[int], attempt: Attempt) -> list[Type | None]:
        """What the server takes each parameter for, when it is told these types: the text of a list depends on it."""
        remembered_key = (key, tuple(types))
        targets = None if attempt.describes_again else self._types.get(remembered_key)
        attempt.used_remembered_types |= targets is not None
        if targets is None:
            targets = self._describe(job, Command(key.sql.encode(), (), types))
            if _may_remember(key):
                self._types.put(remembered_key, targets)
        return targets

    def _remember_untyped(self, job: Job, numbers: frozenset[int]) -> None:
        (step,) = job.steps
        key = _key(job, step)
        if _may_remember(key):
            self._untyped.put(key, numbers | (self._untyped.get(key) or frozenset()))

    def _describe(self, job: Job, command: Command) -> list[Type | None]:
        """The types that the server infers for the parameters; nothing is run."""
        with self._pools.connection(job.backend) as connection:
            with Pipeline(connection, job.prologue.limit_ms, repeatable=True) as pipeline:
                pipeline.send_own(job.prologue.command)
                pipeline.describe(command)
                pipeline.commit()
                pipeline.result()
                oids = pipeline.described()
                pipeline.finish()
            types = learn(connection, oids)
        return [types.get(oid) for oid in oids]

    def _arrange_roles(self, job: Job) -> None:
        command = Command(_ARRANGE, [job.access.token_hash.encode()], [TEXT])
        # Where it fails, the prologue says once more that they are missing.
        with suppress(CommandRefused):
            self._pools.query(job.backend, command, LOOK_UP_MS)

    def _adopt(self, connection: Connection, job: Job) -> None:
        """No event trigger sees what EXPLAIN ANALYZE makes, so its owner is still the role that ran it."""
        if job.access.dedicated is None:
            with Pipeline(connection, LOOK_UP_MS) as pipeline:
                pipeline.query(Command(_ADOPT, [job.access.token_hash.encode()], [TEXT]))


def _key(job: Job, step: Step) -> StatementKey:
    return StatementKey(job.access.tenant.schema, job.access.definitions, step.facts.text or step.statement.sql)


def _may_remember(key: StatementKey) -> bool:
    return bool(key.definitions) and len(key.sql) <= MAX_REMEMBERED
