"""Which functions a statement calls: the built-in ones by an allow-list, the tenant's own by name."""

from typing import NoReturn

from sqlglot import exp

from postgate.validator.facts import Refusal
from postgate.validator.lists.functions import (
    ALLOWED_FUNCTIONS,
    EXTENSION_FUNCTIONS,
    REFUSED_FIELDS,
    REFUSED_FUNCTIONS,
    SEARCH_FUNCTIONS,
)
from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.names import judge_name_literal
from postgate.validator.rules.relations import column_owner
from postgate.validator.rules.types import ALLOWED_TYPES, REFUSED_TYPES, type_name

# Functions with a syntax of their own (manual, "SQL Syntax", "Function Calls" and the chapters of each); those that
# would tell the gateway's login (session_user, system_user) are missing.
_SYNTAX_FUNCTIONS = frozenset(
    """
    coalesce nullif greatest least grouping extract overlay position substring btrim ltrim rtrim normalize
    is_normalized pg_collation_for merge_action current_date current_time current_timestamp localtime localtimestamp
    current_user current_role user current_catalog current_schema
    xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi xmlroot xmlserialize xmltable
    json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
    json_table json_value
    """.split()
)
_SAMPLING_METHODS = frozenset({"bernoulli", "system"})
# The types, alone or as arrays, whose values are made from names; to cast to another refused one tells nothing.
_NAMING_TYPES = {name for name in REFUSED_TYPES if name.startswith("reg")} | {"aclitem", "cstring", "refcursor"}
_HELPERS = frozenset({"list_tables", "describe_table", "describe_schema", "usage"})
# These take a relation's name as their first argument; true where the call changes the sequence.
_NAME_FUNCTIONS = {"nextval": True, "setval": True, "currval": False, "pg_get_serial_sequence": False}


def judge_calls(statement: ParsedStatement) -> None:
    """Collect every call, and refuse what is neither an allowed built-in function nor possibly the tenant's own."""
    sequences: dict[str, dict[str, exp.Anonymous]] = {name: {} for name in _NAME_FUNCTIONS}
    for call in statement.nodes(exp.Anonymous):
        _judge_call(statement, call, sequences)
    drawn = sequences["nextval"].keys() | sequences["setval"].keys()
    for sequence, asking in sequences["currval"].items():
        _judge_session_value(statement, asking, sequence in drawn)
    for call in statement.nodes(exp.Anonymous):
        if call.this.name == "lastval" and _schema(call) in (None, "pg_catalog"):
            _judge_session_value(statement, call, bool(drawn))
    for column in statement.nodes(exp.Column):
        if column.args.get("table") is not None:
            _judge_field(statement, column.this, column.args["table"])
    for dot in statement.nodes(exp.Dot):
        _judge_field(statement, dot.expression)


def _judge_call(
    statement: ParsedStatement, call: exp.Anonymous, sequences: dict[str, dict[str, exp.Anonymous]]
) -> None:
    name = call.this.name
    schema = _schema(call)
    statement.functions.add((schema, name))
    if call.args.get("syntax"):
        if name not in _SYNTAX_FUNCTIONS:
            _refuse(statement, call, name)
    elif isinstance(call.parent, exp.TableSample) and call.arg_key == "method":
        if schema not in (None, "pg_catalog") or name not in _SAMPLING_METHODS:
            _refuse(statement, call, name)
    elif schema == "postgate_helpers":
        if name not in _HELPERS:
            _refuse(statement, call, f"postgate_helpers.{name}")
    elif schema is None or schema == "pg_catalog":
        _judge_built_in(statement, call, schema, name)
        if name in _NAME_FUNCTIONS:
            sequences[name][_judge_name_argument(statement, call, name)] = call
    else:
        statement.qualify(schema, call)
        _take_own(statement, name)


def _judge_built_in(statement: ParsedStatement, call: exp.Anonymous, schema: str | None, name: str) -> None:
    if name in ALLOWED_FUNCTIONS:
        if name in SEARCH_FUNCTIONS and len(call.expressions) > 1:
            _judge_configuration(statement, call.expressions[0], name)
    elif name in ALLOWED_TYPES and len(call.expressions) == 1:
        return  # a cast in the form of a call
    elif schema is not None or name.startswith("pg_") or name in REFUSED_FUNCTIONS:
        _refuse(statement, call, name)
    elif name in EXTENSION_FUNCTIONS:
        return
    else:
        _take_own(statement, name)


def _take_own(statement: ParsedStatement, name: str) -> None:
    statement.own_functions.add(name)
    statement.writes = True  # nobody knows what its body does


def _judge_name_argument(statement: ParsedStatement, call: exp.Anonymous, name: str) -> str:
    """Which relation the call is about: its name, or for the sequence of a column what names that."""
    argument = call.expressions[0] if call.expressions else call
    if isinstance(argument, exp.Kwarg):
        argument = argument.expression
    while isinstance(argument, exp.Paren) or _casts_a_name(argument):
        argument = argument.this
    if isinstance(argument, exp.Anonymous) and argument.this.name == "pg_get_serial_sequence":
        relation = " ".join(part.name for part in argument.expressions)
    else:
        relation = judge_name_literal(statement, argument, f"{name}()")
    if name == "nextval":
        statement.advances_sequence |= not _is_stored(statement)
    elif name == "setval":
        statement.operations.add("UPDATE")
        statement.writes = True
    return relation


def _judge_session_value(statement: ParsedStatement, call: exp.Anonymous, is_drawn: bool) -> None:
    """currval and lastval tell what the session has drawn last, and the session had other clients before.

    The executor has it forget what they drew, so a statement before this one in the same batch may draw as well. What
    is stored asks whenever it is used.
    """
    statement.reads_sequences = True
    if is_drawn:
        return
    message = f"Function {call.this.name} is not allowed: a request has no session; use RETURNING instead"
    if isinstance(statement.root, exp.Create | exp.Alter):
        statement.refuse(message, call, "function_denied")
    if statement.needs_earlier is None:
        statement.needs_earlier = Refusal.of(statement.error(message, call, "function_denied"))


def _judge_configuration(statement: ParsedStatement, argument: exp.Expression, name: str) -> None:
    """A qualified name must be the tenant's own; whatever else it is, a configuration holds no data."""
    if isinstance(argument, exp.Literal) and argument.is_string and "." in argument.name:
        judge_name_literal(statement, argument, f"{name}()", is_relation=False)


def _is_stored(statement: ParsedStatement) -> bool:
    """Whether a call is only written down, as a column's default."""
    return isinstance(statement.root, exp.Create | exp.Alter) and not any(statement.nodes(exp.Select))


def _casts_a_name(node: exp.Expression) -> bool:
    return isinstance(node, exp.Cast) and type_name(node.to) in ("regclass", "text")


def _judge_field(statement: ParsedStatement, field: exp.Expression, qualifier: exp.Expression | None = None) -> None:
    """PostgreSQL takes x.f as the call f(x) where x has no column f (manual, "Using Composite Types in Queries");
    tried: `SELECT t.pg_sleep FROM generate_series(1, 9) t` sleeps."""
    name = field.name
    if not isinstance(field, exp.Identifier):
        return
    # An array type has the name of its element's with leading underscores.
    bare = name.lstrip("_")
    if bare in _NAMING_TYPES or (bare != name and bare.startswith("pg_")):
        _refuse(statement, field, name)
    if name in REFUSED_FIELDS or (name.startswith("pg_") and name not in ALLOWED_FUNCTIONS):
        # A column of that name is no call; whether there is one, the database says before the statement runs.
        relation = column_owner(statement, qualifier) if qualifier is not None else None
        if relation is None:
            _refuse(statement, field, name)
        statement.columns.add((relation, name))
    elif name not in EXTENSION_FUNCTIONS:
        statement.fields.add(name)


def _schema(call: exp.Anonymous) -> str | None:
    parent = call.parent
    if isinstance(parent, exp.Dot) and parent.expression is call:
        schema: str = parent.this.name
        return schema
    return None


def _refuse(statement: ParsedStatement, node: exp.Expression, name: str) -> NoReturn:
    statement.refuse(f"Function {name} is not allowed", node, "function_denied")
