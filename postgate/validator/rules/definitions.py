"""What a definition may name and set, beyond what its grammar says."""

import math

from sqlglot import exp

from postgate.operations import TYPE_KINDS
from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.names import is_system_name
from postgate.validator.rules.types import BUILT_IN_TYPES

# Storage parameters with the values that a tenant may give them, by the pages of the manual that list them; "toast" may
# stand before those of autovacuum. What turns autovacuum off, slows it or makes it work all the time is missing: its
# few workers serve all tenants, and a table that is never frozen stops the whole server in the end.
# postgate_internal.check_options has the same list.
_SCALE = (0.01, 0.5)
NUMBERS = {
    # CREATE TABLE, "Storage Parameters"; fillfactor also of indexes.
    "fillfactor": (10.0, 100.0),
    "toast_tuple_target": (128.0, 8160.0),
    "autovacuum_vacuum_scale_factor": _SCALE,
    "autovacuum_vacuum_insert_scale_factor": _SCALE,
    "autovacuum_analyze_scale_factor": _SCALE,
    # CREATE INDEX, "Index Storage Parameters", and pgvector's.
    "gin_pending_list_limit": (64.0, 65_536.0),
    "pages_per_range": (1.0, 131_072.0),
    "lists": (1.0, 32_768.0),
    "m": (2.0, 100.0),
    "ef_construction": (4.0, 1_000.0),
    # Operator class parameters.
    "siglen": (1.0, 2_024.0),
    "numranges": (1.0, 252.0),
    "n_distinct_per_range": (-1.0, 2_147_483_647.0),
    "false_positive_rate": (0.0001, 0.25),
    "values_per_range": (8.0, 256.0),
    # ALTER TABLE ... ALTER COLUMN ... SET ( ... )
    "n_distinct": (-1.0, 2_147_483_647.0),
    "n_distinct_inherited": (-1.0, 2_147_483_647.0),
}
_WORDS = frozenset(
    {"deduplicate_items", "buffering", "fastupdate", "autosummarize", "check_option", "security_barrier"}
)
_TRUE_ONLY = frozenset({"security_invoker"})
_TRUE = frozenset({"true", "on", "yes", "1"})
_INDEX_METHODS = frozenset({"btree", "hash", "gist", "gin", "brin", "hnsw", "ivfflat"})
_TABLE_METHODS: frozenset[str] = frozenset()
# Rows of statistics for a column; ANALYZE of every tenant's tables waits for the same workers.
_MAX_STATISTICS_TARGET = 1_000
_RENAMES = frozenset({"RENAME TO", "RENAME CONSTRAINT"})


def judge_definitions(statement: ParsedStatement) -> None:
    """Refuse parameters, methods and new names that are not for tenants, and changes of built-in types."""
    for parameters in statement.nodes(exp.Properties):
        for parameter in parameters.expressions:
            _judge_parameter(statement, parameter)
    for index in statement.nodes(exp.IndexParameters):
        _judge_method(statement, index.args.get("using"), _INDEX_METHODS)
    for create in statement.nodes(exp.Create):
        _judge_method(statement, create.args.get("using"), _TABLE_METHODS)
        if create.args["kind"] == "STATISTICS":
            _judge_statistics(statement, create)
    for named in statement.nodes(exp.Index, exp.Constraint, exp.ColumnConstraint):
        _judge_new_name(statement, named.this)
    for action in statement.nodes(exp.Property):
        if action.this.name == "SET STATISTICS":
            _judge_statistics_target(statement, action)
        if action.this.name in _RENAMES:
            _judge_new_name(statement, action.args["to"])
    for change in statement.nodes(exp.Alter, exp.Drop, exp.Comment):
        if change.args["kind"] in TYPE_KINDS:
            _judge_changed_types(statement, change.expressions or [change.this])


def _judge_parameter(statement: ParsedStatement, parameter: exp.Property) -> None:
    name = parameter.this.name
    namespace = parameter.args.get("namespace")
    value = parameter.args.get("value")
    if namespace is not None and (namespace.name != "toast" or not name.startswith("autovacuum_")):
        statement.refuse(f"Parameter {namespace.name}.{name} is not allowed", namespace)
    if name not in NUMBERS and name not in _WORDS and name not in _TRUE_ONLY:
        statement.refuse(f"Parameter {name} is not allowed", parameter)
    if name in _TRUE_ONLY and value is not None and value.name.lower() not in _TRUE:
        statement.refuse(f"{name} can only be true", parameter)
    if name in NUMBERS and value is not None:
        least, most = NUMBERS[name]
        if not least <= _number(value) <= most:
            statement.refuse(f"Parameter {name} is allowed from {least:g} to {most:g}", parameter)


def _number(value: exp.Expression) -> float:
    """A number, with or without quotes, as PostgreSQL takes it for a parameter; else one that is in no range."""
    sign = -1.0 if isinstance(value, exp.Neg) else 1.0
    try:
        return sign * float((value.this if isinstance(value, exp.Neg) else value).name)
    except ValueError:
        return math.nan


def _judge_statistics(statement: ParsedStatement, create: exp.Create) -> None:
    """Statistics over expressions run these in autovacuum's workers, without any limit."""
    for column in create.expressions:
        if not isinstance(column, exp.Column):
            statement.refuse("statistics over expressions are not allowed; only over columns", column)


def _judge_statistics_target(statement: ParsedStatement, action: exp.Property) -> None:
    value = action.args.get("value")
    if isinstance(value, exp.Literal) and int(value.name) > _MAX_STATISTICS_TARGET:
        statement.refuse(f"a statistics target is at most {_MAX_STATISTICS_TARGET}", value)


def _judge_method(statement: ParsedStatement, method: exp.Expression | None, allowed: frozenset[str]) -> None:
    if method is not None and method.name not in allowed:
        statement.refuse(f"Access method {method.name} is not allowed", method)


def _judge_new_name(statement: ParsedStatement, name: exp.Expression | None) -> None:
    """Names that a schema can qualify are judged as relations; these are the others."""
    if isinstance(name, exp.Identifier) and is_system_name(name.name):
        statement.refuse(f'the name "{name.name}" is kept for PostgreSQL', name)


def _judge_changed_types(statement: ParsedStatement, names: list[exp.Table]) -> None:
    """PostgreSQL finds an unqualified name in pg_catalog first, and lets a superuser change what it finds there."""
    for name in names:
        if name.args.get("db") is None and name.name.lstrip("_") in BUILT_IN_TYPES:
            statement.refuse(f"Type {name.name} is built in and cannot be changed", name)
