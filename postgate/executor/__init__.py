"""Run judged statements for one token: prologues, statements and Sync in one round trip, which is one transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from postgate.access.registry import Access
from postgate.config import Config
from postgate.errors import PostgateError
from postgate.executor.attempts import Attempt
from postgate.executor.checks import Checks, check_names
from postgate.executor.failures import add_hint
from postgate.executor.job import Job, Prologue, Request, Step
from postgate.executor.parameters import INFERRED, StatementKey, dump, require_single, types_of
from postgate.executor.prologue import prologue_for
from postgate.executor.questions import Describe, arrange_roles, describe
from postgate.executor.shares import Shares
from postgate.observe.requests import RequestRecord
from postgate.postgres.catalog import learn
from postgate.postgres.connection import Connection
from postgate.postgres.errors import CommandRefused, ConnectionLost, ServerError
from postgate.postgres.pipeline import Command, Pipeline, Row, rows_of
from postgate.postgres.pools import Pools
from postgate.postgres.types import TEXT, Type
from postgate.remembered import Remembered
from postgate.results.rows import ResultLimits, Rows
from postgate.sql_files import read_sql

# Characters. Longer texts are mostly bulk inserts that never come again.
MAX_REMEMBERED = 8_192
_MAX_STATEMENTS = 4_096
_MAX_PROLOGUES = 10_000
# Statements. Of more the results would wait in libpq, and nobody would learn how far they are.
_SENT_TOGETHER = 1_000
_FORGET_SEQUENCES = Command(b"DISCARD SEQUENCES")
# Back to the login with its own search_path. A superuser's session has changed its authorization, another one its role.
_LEAVE = (
    Command(b"SET LOCAL SESSION AUTHORIZATION DEFAULT"),
    Command(b"SET LOCAL role TO DEFAULT"),
    Command(b"SET LOCAL search_path TO DEFAULT"),
)
_RESET_ALL = Command(b"RESET ALL")
_ADOPT = read_sql("executor", "adopt")
_CHECK_CONSTRAINTS = Command(b"SET CONSTRAINTS ALL IMMEDIATE")
_ROLL_BACK = Command(b"ROLLBACK")
# How statements begin that change nothing of the session, whatever follows.
_LEAVES_THE_SESSION = re.compile(
    rb"[\s(]*(?:SELECT|VALUES|TABLE|WITH|INSERT|UPDATE|DELETE|MERGE|EXPLAIN"
    rb"|CREATE|ALTER|DROP|TRUNCATE|COMMENT|REFRESH)\b",
    re.IGNORECASE,
)


class Executor:
    """Runs statements on the pools of this process."""

    def __init__(self, pools: Pools, config: Config) -> None:
        self._pools = pools
        self._timeout_ms = config.statement_timeout_ms
        self._max_bytes = config.max_result_bytes
        self._checks = Checks(pools)
        self._shares = Shares(config.pool_share)
        # By (token's hash, version, what is defined): a change of the token or the database makes another version.
        self._prologues: Remembered[tuple[str, str, str], Prologue] = Remembered(_MAX_PROLOGUES)
        # What the server infers for list parameters, and for which placeholders it can infer nothing. A definition
        # makes another version, and so another key; where nobody tells when definitions change, nothing is remembered.
        self._types: Remembered[tuple[StatementKey, tuple[int, ...]], list[Type | None]] = Remembered(_MAX_STATEMENTS)
        self._untyped: Remembered[StatementKey, frozenset[int]] = Remembered(_MAX_STATEMENTS)

    def run(
        self,
        access: Access,
        request: Request,
        steps: Sequence[Step],
        attempt: Attempt,
        client: int | None,
        hold: Callable[[int], None],
        record: RequestRecord,
    ) -> list[Rows]:
        """The result of each statement; the transaction has ended.

        Args:
            client: as of a Job, if the request is not detached.
            hold: as of ResultLimits.
            record: of the request, which enters its stages here; the transaction is called by its id.

        Raises:
            ServerError, ConnectionLost: `attempt.after` knows whether to try again, and what the client is told.
            PostgateError: anything else that goes wrong.
        """
        record.prepare_at = monotonic()
        job = self._job(access, request, steps, client, record.id)
        commands = self._prepare(job, attempt)
        if self._shares.going_on:
            self._shares.require(access.database_id)
        record.connection_at = monotonic()
        with self._pools.connection(job.backend) as connection:
            record.statement_at = monotonic()
            record.prologue = "prepared" if job.prologue.sql in (connection.prepared or ()) else "sent"
            try:
                limits = ResultLimits(access.max_rows, self._max_bytes, hold)
                results = self._converse(connection, job, commands, attempt, limits)
                self._complete(connection, job, results)
            except ServerError as failure:
                add_hint(failure, job)
                raise
            finally:
                if connection.goes_on:
                    self._shares.note(access.database_id, connection)
        if attempt.untyped:
            self._remember_untyped(job, attempt)
        return results

    def _job(self, access: Access, request: Request, steps: Sequence[Step], client: int | None, request_id: str) -> Job:
        prologue = self._prologue(access, steps[0].facts.defines if steps else "")
        repeatable = request.characteristics.dry_run or not any(
            step.facts.writes or step.facts.own_functions for step in steps
        )
        backend = access.dedicated or self._pools.shared
        client = None if request.is_detached else client
        return Job(access, backend, prologue, request_id, request, steps, repeatable, client)

    def _prologue(self, access: Access, defines: str) -> Prologue:
        key = (access.token_hash, access.version, defines)
        prologue = self._prologues.get(key)
        if prologue is None:
            prologue = prologue_for(access, self._timeout_ms, defines)
            self._prologues.put(key, prologue)
        return prologue

    def _prepare(self, job: Job, attempt: Attempt) -> list[Command | None]:
        """All that can be asked before anything of the tenant's runs: a function that is not its own could do what no
        wall has seen.

        Returns:
            The command of each statement; None where it depends on what the statements before it define.
        """
        if attempt.arranges_roles:
            arrange_roles(self._pools, job)
        describe_beside = partial(describe, self._pools, job)
        commands: list[Command | None] = []
        for number, step in enumerate(job.steps):
            try:
                facts = step.facts
                if facts.fields or facts.own_functions or facts.columns:
                    # The names of the others are checked when it is their turn, because they can change until then.
                    (self._checks.check_fields if number else self._checks.check)(job, step)
                is_late = step.follows_definition and _has_json(step)
                commands.append(None if is_late else self._command(job, number, attempt, describe_beside))
            except (PostgateError, ServerError) as failure:
                failure.index = job.request.index(number)
                raise
        return commands

    def _converse(
        self,
        connection: Connection,
        job: Job,
        commands: Sequence[Command | None],
        attempt: Attempt,
        limits: ResultLimits,
    ) -> list[Rows]:
        results = [Rows(job.request.new_format(), connection.types, limits) for _ in commands]
        # The transaction's own definitions must not make its look-up stale.
        access = job.access.whatever_is_defined() if len(commands) > 1 else job.access

        def prologue_again(step: Step) -> Prologue:
            return self._prologue(access, step.facts.defines)

        def command_in_place(number: int, describe: Describe) -> Command:
            return self._command(job, number, attempt, describe)

        with Pipeline(connection, job.prologue.limit_ms, job.repeatable, limits.arrive, job.client) as pipeline:
            Conversation(connection, pipeline, job, attempt, results, prologue_again, command_in_place).run(commands)
        return results

    def _complete(self, connection: Connection, job: Job, results: Sequence[Rows]) -> None:
        """What is left to do when the transaction has ended."""
        try:
            for rows in results:
                if rows.unknown_types:
                    learn(connection, rows.unknown_types)
                rows.end()
        except (ServerError, ConnectionLost) as failure:
            # What has been committed must not be run once more, whatever has gone wrong since.
            raise ConnectionLost(job.repeatable, getattr(failure, "cancelled_after_ms", None)) from failure

    def _command(self, job: Job, number: int, attempt: Attempt, describe: Describe) -> Command:
        """A statement with its parameters as the server takes them."""
        step = job.steps[number]
        params = step.statement.params
        key = _key(job, step)
        untyped = (
            step.facts.untyped | attempt.untyped.get(number, frozenset()) | (self._untyped.get(key) or frozenset())
        )
        types: list[int] = types_of(params, untyped) if untyped else []
        if _has_json(step):
            types = types or [INFERRED] * len(params)
            targets = self._target_types(key, types, attempt, describe)
            for position, value in enumerate(params):
                if isinstance(value, list) and not types[position] and (target := targets[position]) is not None:
                    # The text is made for this type, so it must be no other one when the statement runs.
                    types[position] = target.oid
            for position in step.facts.listed:
                require_single(params[position - 1], targets[position - 1], position)
            parameters = [
                dump(value, target, position)
                for position, (value, target) in enumerate(zip(params, targets, strict=True), 1)
            ]
        else:
            parameters = [value.encode() if isinstance(value, str) else dump(value) for value in params]
        return Command(key.sql.encode(), parameters, types)

    def _remember_untyped(self, job: Job, attempt: Attempt) -> None:
        """Spare the next request with these texts the error that named the placeholders."""
        for number, placeholders in attempt.untyped.items():
            key = _key(job, job.steps[number])
            if _may_remember(key):
                self._untyped.put(key, placeholders | (self._untyped.get(key) or frozenset()))

    def _target_types(
        self, key: StatementKey, types: list[int], attempt: Attempt, describe: Describe
    ) -> list[Type | None]:
        """What the server takes each parameter for, when it is told these types: the text of a list depends on it."""
        remembered_key = (key, tuple(types))
        targets = None if attempt.describes_again else self._types.get(remembered_key)
        attempt.used_remembered_types |= targets is not None
        if targets is None:
            targets = describe(Command(key.sql.encode(), (), types))
            if _may_remember(key):
                self._types.put(remembered_key, targets)
        return targets


class Conversation:
    """Runs the statements of a job.

    A statement runs in the sandbox that its operations need (`postgate_internal.enter`): where the next one needs
    another, or the gateway itself has to ask something, the transaction goes back to the login and enters again.
    """

    # What `Facts.defines` was of the statement whose sandbox is entered; None outside of any.
    _entered: str | None = None
    _has_begun = _is_suspect = False
    _sent = _read = 0
    # The statement that an error is of.
    _at: int | None = None

    def __init__(
        self,
        connection: Connection,
        pipeline: Pipeline,
        job: Job,
        attempt: Attempt,
        results: Sequence[Rows],
        prologue_again: Callable[[Step], Prologue],
        command_in_place: Callable[[int, Describe], Command],
    ) -> None:
        """
        Args:
            prologue_again: what enters the sandbox of a statement that is not the transaction's first.
            command_in_place: makes the command of a statement, by its number, with a question that is answered in the
                transaction.
        """
        self._connection = connection
        self._pipeline = pipeline
        self._job = job
        self._attempt = attempt
        self._results = results
        self._prologue_again = prologue_again
        self._command_in_place = command_in_place

    def run(self, commands: Sequence[Command | None]) -> None:
        """Run all statements, read their results, and end the transaction.

        Args:
            commands: a command for each statement, or None where only the transaction itself can tell the types of its
                parameters.

        Raises:
            ServerError, ConnectionLost, PostgateError: with the `index` of the statement, if it is of one; nothing is
                committed.
        """
        try:
            self._open()
            for number, command in enumerate(commands):
                if number and not number % _SENT_TOGETHER:
                    self._catch_up()
                self._send(number, command)
            self._end()
        except (ServerError, ConnectionLost, PostgateError) as failure:
            if not isinstance(failure, CommandRefused):
                failure.index = self._job.request.index(self._at)
            raise

    def _open(self) -> None:
        modes = self._job.request.characteristics.modes
        if modes:
            # It has to come before any query, and so before the prologue.
            self._pipeline.send_own(Command(f"SET TRANSACTION {', '.join(modes)}".encode()))
        if any(step.facts.reads_sequences or step.facts.own_functions for step in self._job.steps):
            # What other requests have drawn on this connection is not this one's to see.
            self._pipeline.send_own(_FORGET_SEQUENCES)
        if not self._job.steps:
            self._send_prologue(self._job.prologue)

    def _send(self, number: int, command: Command | None) -> None:
        step = self._job.steps[number]
        if number and (step.facts.own_functions or step.facts.columns):
            # Right before it runs: what its names mean may have changed since the first statement.
            check_names(self._job, step, self._ask)
        self._enter(step)
        if command is None:
            command = self._command_in_place(number, self._describe)
            self._enter(step)
        self._pipeline.send(command)
        self._sent += 1
        if step.facts.kind == "EXPLAIN" and step.facts.defines == "CREATE AS" and not self._job.access.dedicated:
            # No event trigger sees what EXPLAIN ANALYZE makes, so its owner is still the role that runs it.
            self._ask(Command(_ADOPT, [self._job.access.token_hash.encode()], [TEXT]))
        # A tenant could go back to the login, or commit, where the validator has let such a statement through.
        self._is_suspect = _LEAVES_THE_SESSION.match(command.sql) is None

    def _enter(self, step: Step) -> None:
        """Have the sandbox of a statement entered, unless it is."""
        defines = "" if self._job.access.dedicated else step.facts.defines
        if self._entered == defines and not self._is_suspect:
            return
        if self._has_begun:
            self._leave()
        prologue = self._prologue_again(step) if self._has_begun else self._job.prologue
        self._send_prologue(prologue)
        self._entered, self._has_begun = defines, True

    def _send_prologue(self, prologue: Prologue) -> None:
        self._pipeline.send_own(prologue.command(self._job.request_id), self._attempt.prepares)

    def _leave(self) -> None:
        """Back to the login, if the transaction is in a sandbox."""
        if self._is_suspect:
            self._pipeline.send_own(_RESET_ALL)
        if self._entered is not None:
            for command in _LEAVE:
                self._pipeline.send_own(command)
        self._entered, self._is_suspect = None, False

    def _end(self) -> None:
        job = self._job
        if job.request.characteristics.dry_run:
            self._roll_back()
        # The rows of a change have to be counted and written before the transaction may end: over a limit nothing is
        # committed.
        # Everything else ends with Sync in the same write, which is one round trip.
        elif not job.repeatable and any(step.facts.returns_rows for step in job.steps):
            self._catch_up()
            self._learn_types()
            for rows in self._results:
                rows.write_kept()
            self._pipeline.commit()
        else:
            self._pipeline.commit()
        self._read_results()
        self._at = None
        self._pipeline.finish()

    def _roll_back(self) -> None:
        if any(step.facts.defines for step in self._job.steps):
            # Types that it makes are gone afterwards.
            self._catch_up()
            self._learn_types()
        self._pipeline.send(_CHECK_CONSTRAINTS)
        self._pipeline.send_own(_ROLL_BACK)
        self._pipeline.commit()

    def _learn_types(self) -> None:
        """Look up within the transaction what the results so far have of types that are not known yet."""
        if unknown := [oid for rows in self._results for oid in rows.unknown_types]:
            learn(self._connection, unknown, self._ask)

    def _catch_up(self) -> None:
        """Have all that is queued run, and read what it gives."""
        self._pipeline.flush()
        self._read_results()

    def _read_results(self) -> None:
        pipeline = self._pipeline
        on_result = self._job.request.on_result
        while self._read < self._sent:
            # If the prologue raises, the server skips all that follows up to Sync: nothing has run.
            pipeline.own_results()
            self._at = self._read
            rows = self._results[self._read]
            for result in pipeline.results(chunked=True):
                rows.add(result, pipeline.arrived)
            self._read += 1
            if on_result is not None:
                on_result(self._read)
        self._at = self._read

    def _ask(self, command: Command) -> list[Row]:
        """The rows of a query of the gateway's own, which sees what the transaction has done so far."""
        self._leave()
        self._pipeline.send_own(command)
        self._catch_up()
        answer = self._pipeline.own_results()
        return [] if answer is None else rows_of(answer)

    def _describe(self, command: Command) -> list[Type | None]:
        """The types that the server infers for the parameters of a statement; it is not run."""
        self._pipeline.describe(command)
        self._catch_up()
        self._pipeline.own_results()
        oids = self._pipeline.described()
        types = learn(self._connection, oids, self._ask)
        return [types.get(oid) for oid in oids]


def _has_json(step: Step) -> bool:
    """Whether the text of a parameter depends on the type that the server has for it."""
    return any(isinstance(value, list | dict) for value in step.statement.params)


def _key(job: Job, step: Step) -> StatementKey:
    # What the transaction itself has defined has no version.
    definitions = "" if step.follows_definition else job.access.definitions
    return StatementKey(job.access.tenant.schema, definitions, step.facts.text or step.statement.sql)


def _may_remember(key: StatementKey) -> bool:
    return bool(key.definitions) and len(key.sql) <= MAX_REMEMBERED
