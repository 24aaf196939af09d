"""What only the database can say of a judged statement: whether its functions are the tenant's own."""

from __future__ import annotations

from functools import partial

import orjson

from postgate.errors import StatementRefused
from postgate.executor.job import Job, Step
from postgate.executor.questions import Ask
from postgate.postgres.pipeline import Command, Row
from postgate.postgres.pools import Pools
from postgate.postgres.types import TEXT
from postgate.remembered import Remembered
from postgate.sql_files import read_sql
from postgate.validator.rules.system_columns import SYSTEM_COLUMNS

# How long an extension that is made may go unnoticed where nobody tells when definitions change.
_EXTENSIONS_S = 10.0
_MAX_SCHEMAS = 10_000
_DENIED = {"reason": "function_denied"}
_FOREIGN_FUNCTIONS = read_sql("executor", "foreign_functions")
_MISSING_COLUMNS = read_sql("executor", "missing_columns")
_EXTENSION_FUNCTIONS = read_sql("executor", "extension_functions")


class Checks:
    """Not asked as the tenant, who may not read the catalog; nothing of the tenant's is run."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        # By (the backend's key, schema, version of the definitions): CREATE EXTENSION makes another version. On a
        # dedicated database, where there is none, an entry is asked for again after some seconds.
        self._extension_functions: Remembered[tuple[str, str, str], frozenset[str]] = Remembered(
            _MAX_SCHEMAS, _EXTENSIONS_S
        )

    def check(self, job: Job, step: Step) -> None:
        """Refuse functions that are not the tenant's own, which it may call, nor built in, which the validator judges.

        Raises:
            StatementRefused: the statement calls another one.
            CommandRefused, ConnectionLost, Unavailable: as `Pools.query`.
        """
        self.check_fields(job, step)
        check_names(job, step, partial(self._ask, job))

    def check_fields(self, job: Job, step: Step) -> None:
        """The part that no definition of a tenant's changes: x.f is a call of f where x has no such column, so f must
        not be an extension's function."""
        if not step.facts.fields:
            return
        key = (job.backend.key, job.access.tenant.schema, job.access.definitions)
        remembered = self._extension_functions
        names = remembered.get(key) if job.access.definitions else remembered.recent(key)
        if names is None:
            rows = self._ask(job, Command(_EXTENSION_FUNCTIONS, [_schema(job)], [TEXT]))
            names = frozenset((name or b"").decode() for (name,) in rows)
            self._extension_functions.put(key, names)
        if called := step.facts.fields & names:
            raise StatementRefused(f"Function {min(called)} is not allowed", _DENIED)

    def _ask(self, job: Job, command: Command) -> list[Row]:
        return self._pools.query(job.backend, command, job.prologue.limit_ms)


def check_names(job: Job, step: Step, ask: Ask) -> None:
    """The part that a definition can change.

    Args:
        ask: what asks, as the login: where another statement of the transaction comes first, in that transaction.
    """
    if step.facts.own_functions:
        _check_own(job, step.facts.own_functions, ask)
    if step.facts.columns:
        _check_columns(job, step.facts.columns, ask)


def _check_own(job: Job, names: frozenset[str], ask: Ask) -> None:
    rows = ask(Command(_FOREIGN_FUNCTIONS, [orjson.dumps(sorted(names)), _schema(job)], [TEXT, TEXT]))
    if rows:
        raise StatementRefused(f"Function {(rows[0][0] or b'').decode()} is not allowed", _DENIED)


def _check_columns(job: Job, columns: frozenset[tuple[str, str]], ask: Ask) -> None:
    """x.f is a column f that the relation x has itself, and neither a call of the function f nor a system column, which
    no token allows."""
    rows = ask(Command(_MISSING_COLUMNS, [orjson.dumps(sorted(columns)), _schema(job)], [TEXT, TEXT]))
    if rows:
        name = (rows[0][0] or b"").decode()
        if name in SYSTEM_COLUMNS:
            raise StatementRefused(f"the system column {name} is not accessible", {"reason": "construct_denied"})
        raise StatementRefused(f"Function {name} is not allowed", _DENIED)


def _schema(job: Job) -> bytes:
    return job.access.tenant.schema.encode()
