"""The stages between a request and its answer: who asks, what it does, how it runs. All that a worker process holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from postgate.access.memory import Holding, Memory
from postgate.access.rates import Rates
from postgate.access.readiness import Readiness
from postgate.access.registry import Access, Registry
from postgate.access.slots import Owner, Slots
from postgate.access.usage import Usage
from postgate.config import Config
from postgate.errors import RateLimited, StatementRefused, Unauthorized
from postgate.executor import Executor
from postgate.executor.attempts import FAILURES, Attempt
from postgate.executor.job import Request, Step
from postgate.observe.metrics import Gauges, Key, backend_kind
from postgate.observe.requests import RequestRecord
from postgate.postgres.pools import Pools
from postgate.results.rows import Rows
from postgate.validator import LOGGED_LENGTH, Facts, Refusal, TextLimits, Validator

# How long a database that is over its rates is held to them, though they may have changed.
LIMITS_AGE_S = 1.0
# Of a batch so many statements stand in the log, where their texts do.
_MOST_LOGGED = 20


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        token_hash: the SHA-256 of the token, in hexadecimal.
        client: the descriptor of the socket on which somebody waits for the answer, if that is known.
        join: waits for a slot of the database; None where the request has one, or nobody counts them.
    """

    token_hash: str
    client: int | None = None
    join: Callable[[Owner], None] | None = None


class Answer(NamedTuple):
    """The body of an answer, in pieces, and the memory that they hold until they are sent."""

    pieces: list[bytes]
    holding: Holding


class Service:
    """The pools of a worker process, and what it remembers."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._logs_statements = config.log_statements != "none"
        self.pools = Pools(config)
        self.registry = Registry(self.pools, config.max_concurrency, config.slow_concurrency)
        self.slots = Slots(config.pool_share)
        self.rates = Rates()
        self.memory = Memory(config.request_bytes, config.pool_timeout_s)
        self.usage = Usage(self.pools)
        self.readiness = Readiness(self.pools, requires_walls=not config.allow_unprotected)
        self.validator = Validator(TextLimits(config.max_characters, config.max_steps, config.max_nesting))
        self.executor = Executor(self.pools, config)

    def gauges(self) -> Gauges:
        """What this process has at the moment."""
        found: dict[Key, float] = {}
        for backend, state in self.pools.states():
            for name, value in (
                ("postgate_pool_limit", self.config.pool_size),
                ("postgate_pool_open", state.open),
                ("postgate_pool_free", state.free),
                ("postgate_pool_waiting", state.waiting),
            ):
                key = (name, (backend_kind(backend),))
                found[key] = found.get(key, 0) + value
        return found

    def close(self) -> None:
        """Close every connection; what is asked after this is Unavailable."""
        self.usage.close()
        self.rates.close()
        self.pools.close()

    def run(
        self, caller: Caller, read_request: Callable[[Holding], Request], record: RequestRecord | None = None
    ) -> Answer:
        """Judge a request and run it, by what the database says of the token at that moment.

        Args:
            read_request: reads the body, and first asks for the memory that this takes; called once, when the token is
                known to open something: nobody else may keep us busy with megabytes.
            record: takes note of what becomes of it.

        Raises:
            PostgateError: what the client is told.
        """
        holding = Holding(self.memory)
        try:
            return Answer(self._run(caller, read_request, holding, record or RequestRecord.of({})), holding)
        except BaseException:
            holding.keep(0)
            raise

    def _run(
        self, caller: Caller, read_request: Callable[[Holding], Request], holding: Holding, record: RequestRecord
    ) -> list[bytes]:
        request: Request | None = None
        join = caller.join
        attempt = Attempt(until=time.monotonic() + self.config.statement_timeout_ms / 1000)
        while True:
            try:
                access = self._access(caller.token_hash, attempt)
                record.database_id, record.database_name = access.database_id, access.name
                record.look_up = "remembered" if attempt.used_remembered_look_up else "asked"
                if join is not None:
                    join(access.owner)
                    join = None
                # Read and parsed once, however often it is tried: the body is gone, and a parse can take long.
                if request is None:
                    if access.limits.has_rates:
                        access = self._within_its_rates(access, caller.token_hash)
                    holding.database_id = access.database_id
                    request = read_request(holding)
                    if self._logs_statements:
                        texts = [statement.sql for statement in request.statements[:_MOST_LOGGED]]
                        shown = [text for text in texts if len(text) <= LOGGED_LENGTH]
                        record.texts = partial(self._without_constants, shown)
                    record.verdict_at = time.monotonic()
                    if access.limits.has_rates:
                        self.rates.note(access, len(request.statements), request.body_bytes)
                    outcomes = self._read(request, record)
                steps = self._judge(request, outcomes, access)
                results = self.executor.run(access, request, steps, attempt, caller.client, holding.require, record)
                for rows in results:
                    record.rows += rows.count
                pieces = _joined(results) if request.is_batch else results[0].chunks
                if access.limits.has_rates:
                    self.rates.note(access, volume=sum(map(len, pieces)))
                return pieces
            except FAILURES as failure:
                try:
                    attempt = attempt.after(failure)
                except Unauthorized:
                    self.registry.forget(caller.token_hash)
                    raise
                record.attempts += 1
                record.again("look_up")

    def _read(self, request: Request, record: RequestRecord) -> list[Facts | Refusal]:
        """What the validator says of each statement."""
        outcomes = []
        record.verdict = "remembered"
        for statement in request.statements:
            outcome = self.validator.remembered(statement.sql)
            if outcome is None:
                record.verdict = "made"
                outcome = self.validator.read(statement.sql)
            outcomes.append(outcome)
        record.statements = tuple([(outcome.fingerprint, outcome.operations) for outcome in outcomes])
        return outcomes

    def _without_constants(self, texts: Sequence[str]) -> list[str]:
        return [self.validator.without_constants(text) for text in texts]

    def _access(self, token_hash: str, attempt: Attempt) -> Access:
        access = None if attempt.looks_up_again else self.registry.remembered.get(token_hash)
        attempt.used_remembered_look_up = access is not None
        if access is None:
            access = self.registry.look_up(token_hash)
            self.usage.start()
        self.usage.used.add(access.token_id)
        return access if attempt.remembers else access.whatever_is_defined()

    def _within_its_rates(self, access: Access, token_hash: str) -> Access:
        try:
            self.rates.require(access)
        except RateLimited:
            # Who is refused reaches no transaction, in which a change of the rates would be noticed.
            if time.monotonic() - access.looked_up_at < LIMITS_AGE_S:
                raise
            access = self.registry.look_up(token_hash)
            self.rates.require(access)
        return access

    def _judge(self, request: Request, outcomes: Sequence[Facts | Refusal], access: Access) -> list[Step]:
        steps: list[Step] = []
        follows_definition = False
        for statement, outcome in zip(request.statements, outcomes, strict=True):
            try:
                facts = self.validator.judge(statement.sql, access.tenant, outcome, bool(steps))
                count = len(statement.params)
                if count != facts.placeholders:
                    raise StatementRefused(
                        f"the statement has {facts.placeholders} placeholders, but {count} parameters are given",
                        {"reason": "parameters", "hint": "params is an array with a value for each of $1, $2 ..."},
                    )
            except StatementRefused as refusal:
                refusal.index = request.index(len(steps))
                raise
            steps.append(Step(statement, facts, follows_definition))
            follows_definition = follows_definition or bool(facts.defines)
        return steps


def _joined(results: Sequence[Rows]) -> list[bytes]:
    """The body of the answer to a batch, in pieces."""
    pieces = [b'{"results":[']
    for number, rows in enumerate(results):
        if number:
            pieces.append(b",")
        pieces += rows.chunks
    pieces.append(b"]}")
    return pieces
