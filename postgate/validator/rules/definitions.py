"""What a definition may name and set, beyond what its grammar says."""

from sqlglot import exp

from postgate.operations import TYPE_KINDS
from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.names import is_system_name
from postgate.validator.rules.types import BUILT_IN_TYPES

# Storage parameters, by the page of the manual that lists them; "toast" may stand before those of a table.
_TABLE_PARAMETERS = """
    fillfactor toast_tuple_target parallel_workers vacuum_index_cleanup vacuum_truncate
    vacuum_max_eager_freeze_failure_rate
    autovacuum_enabled autovacuum_vacuum_threshold autovacuum_vacuum_max_threshold autovacuum_vacuum_scale_factor
    autovacuum_vacuum_insert_threshold autovacuum_vacuum_insert_scale_factor autovacuum_analyze_threshold
    autovacuum_analyze_scale_factor autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit
    autovacuum_freeze_min_age autovacuum_freeze_max_age autovacuum_freeze_table_age
    autovacuum_multixact_freeze_min_age autovacuum_multixact_freeze_max_age autovacuum_multixact_freeze_table_age
"""
_INDEX_PARAMETERS = """
    deduplicate_items buffering fastupdate gin_pending_list_limit pages_per_range autosummarize
    lists m ef_construction
"""
_OPERATOR_CLASS_PARAMETERS = "siglen numranges n_distinct_per_range false_positive_rate values_per_range"
_COLUMN_PARAMETERS = "n_distinct n_distinct_inherited"
_VIEW_PARAMETERS = "check_option security_barrier security_invoker"
_PARAMETERS = frozenset(
    " ".join(
        (
            _TABLE_PARAMETERS,
            _INDEX_PARAMETERS,
            _OPERATOR_CLASS_PARAMETERS,
            _COLUMN_PARAMETERS,
            _VIEW_PARAMETERS,
        )
    ).split()
)
_TRUE = frozenset({"true", "on", "yes", "1"})
_INDEX_METHODS = frozenset({"btree", "hash", "gist", "gin", "spgist", "brin", "hnsw", "ivfflat"})
_TABLE_METHODS = frozenset({"heap"})
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
    for named in statement.nodes(exp.Index, exp.Constraint, exp.ColumnConstraint):
        _judge_new_name(statement, named.this)
    for action in statement.nodes(exp.Property):
        if action.this.name in _RENAMES:
            _judge_new_name(statement, action.args["to"])
    for change in statement.nodes(exp.Alter, exp.Drop, exp.Comment):
        if change.args["kind"] in TYPE_KINDS:
            _judge_changed_types(statement, change.expressions or [change.this])


def _judge_parameter(statement: ParsedStatement, parameter: exp.Property) -> None:
    name = parameter.this.name
    namespace = parameter.args.get("namespace")
    value = parameter.args.get("value")
    if namespace is not None and namespace.name != "toast":
        statement.refuse(f"Parameter {namespace.name}.{name} is not allowed", namespace)
    if name not in _PARAMETERS:
        statement.refuse(f"Parameter {name} is not allowed", parameter)
    if name == "security_invoker" and value is not None and value.name.lower() not in _TRUE:
        statement.refuse("security_invoker can only be true", parameter)


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
