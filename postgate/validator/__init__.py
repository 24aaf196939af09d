"""The first wall: a text is read exactly as PostgreSQL would read it and judged, or refused.

`validate` is the only thing that the rest of the service needs. Reading and judging a text knows nothing of the
tenant and is remembered by text; what remains for each request is to compare sets.
"""

from dataclasses import dataclass
from functools import lru_cache

from postgate.errors import ParseError
from postgate.validator.analysis import Analysis, Refusal, analyse
from postgate.validator.limits import DEFAULT
from postgate.validator.limits import Limits as Limits
from postgate.validator.reading.places import placed

# Longer texts are mostly bulk inserts that never come again, and would fill the memory of a worker.
_REMEMBERED_LENGTH = 8_192
_REMEMBERED_TEXTS = 2_048


@dataclass(frozen=True, slots=True)
class Tenant:
    """What a verdict depends on besides the text.

    Attributes:
        schema: the one schema that may be named as a qualifier.
        operations: the token's allowed operations.
    """

    schema: str
    operations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an accepted statement does.

    Attributes:
        kind: the statement's kind, such as "SELECT" or "CREATE TABLE".
        operations: every operation that it performs.
        relations: (schema or None, name) of each relation it names, without the names of CTEs.
        functions: (schema or None, name) of each function it calls.
        own_functions: names that are no built-in function; whoever runs the statement must make sure that the
            tenant's own schema has them.
        placeholders: the highest placeholder number.
        defines: CREATE, ALTER or DROP when it changes what there is, CREATE AS when it also runs a query, else "".
        fields: every f of an x.f, which is a call where x has no column f; whoever runs the statement must make sure
            that no extension has such a function.
        untyped: placeholders for which PostgreSQL can infer no type from the context.
        writes: False when the statement only reads.
        returns_rows: whether the statement has a result.
    """

    kind: str
    operations: frozenset[str]
    relations: frozenset[tuple[str | None, str]]
    functions: frozenset[tuple[str | None, str]]
    own_functions: frozenset[str]
    placeholders: int
    defines: str
    fields: frozenset[str]
    untyped: frozenset[int]
    writes: bool
    returns_rows: bool


def validate(sql: str, tenant: Tenant, limits: Limits = DEFAULT) -> Verdict:
    """Judge one SQL text for a tenant.

    Raises:
        ParseError: the text is not one statement that PostgreSQL could run, is larger than the limits, is outside
            the allow-list, or needs an operation that the tenant's token lacks.
    """
    remembered = len(sql) <= _REMEMBERED_LENGTH
    outcome = _analyse_remembered(sql, limits) if remembered else analyse(sql, limits)
    if isinstance(outcome, Refusal):
        raise ParseError(outcome.message)
    _judge(sql, outcome, tenant)
    return Verdict(
        kind=outcome.kind,
        operations=outcome.operations,
        relations=outcome.relations,
        functions=outcome.functions,
        own_functions=outcome.own_functions,
        placeholders=outcome.placeholders,
        defines=outcome.defines,
        fields=outcome.fields,
        untyped=outcome.untyped,
        writes=outcome.writes,
        returns_rows=outcome.returns_rows,
    )


_analyse_remembered = lru_cache(maxsize=_REMEMBERED_TEXTS)(analyse)


def _judge(sql: str, analysis: Analysis, tenant: Tenant) -> None:
    for operation in sorted(analysis.operations - tenant.operations):
        raise ParseError(f"Operation {operation} is not allowed")
    if analysis.advances_sequence and not tenant.operations & {"INSERT", "UPDATE"}:
        raise ParseError("Operation INSERT is not allowed (nextval changes a sequence)")
    for schema, offset in analysis.qualifiers.items():
        if schema != tenant.schema:
            raise ParseError(placed(f'Schema "{schema}" is not accessible; use the unqualified name', sql, offset))
