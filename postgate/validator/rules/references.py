"""Values that stand for an object by its number, such as `'orders'::regclass` and `pg_typeof(x)`.

PostgreSQL brings values that meet (in CASE, UNION, arrays, arguments of any type) to one type: a number or a text
beside such a value becomes the name of whatever object it hits, or tells by an error that there is none. So such a
value may only stand where it meets nothing that could.
"""

from sqlglot import exp

from postgate.validator.lists.functions import SEARCH_FUNCTIONS
from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.names import judge_name_literal
from postgate.validator.rules.types import NAME_TYPES, type_name

_TYPE_FUNCTION = "pg_typeof"
# What such a value may be cast to; another cast to a name's type is judged itself.
_PLAIN_TYPES = frozenset({"text", "varchar", "bpchar", "name", "oid", "int8"}) | frozenset(NAME_TYPES)
# These take it as the name it is, or write it out.
_TAKERS = SEARCH_FUNCTIONS | frozenset(
    """
    nextval setval currval pg_get_serial_sequence pg_typeof
    format concat concat_ws json_build_object jsonb_build_object
    """.split()
)
_COMPARISONS = frozenset({"=", "<>"})


def judge_references(statement: ParsedStatement) -> None:
    """Refuse a value of a name's type where it could give its type to another value."""
    for cast in statement.nodes(exp.Cast):
        if type_name(cast.to) in NAME_TYPES and not _is_harmless(statement, cast):
            statement.refuse("a cast to a name's type may only be compared or returned; cast it to text", cast)
    for call in statement.nodes(exp.Anonymous):
        if call.this.name == _TYPE_FUNCTION and not _is_harmless(statement, call):
            statement.refuse(f"{_TYPE_FUNCTION}() may only be compared or returned; cast it to text", call)


def _is_harmless(statement: ParsedStatement, node: exp.Expression) -> bool:
    parent = node.parent
    while isinstance(parent, exp.Paren | exp.Alias) or (isinstance(parent, exp.Dot) and parent.expression is node):
        node, parent = parent, parent.parent
    if isinstance(parent, exp.Cast):
        return type_name(parent.to) in _PLAIN_TYPES
    if isinstance(parent, exp.Anonymous):
        return parent.this.name in _TAKERS
    if isinstance(parent, exp.Operator):
        return parent.args["operator"] in _COMPARISONS and _is_comparable(statement, parent, node)
    if isinstance(parent, exp.Is):
        return _is_comparable(statement, parent, node)
    # A column of the answer itself.
    root = statement.root.this if isinstance(statement.root, exp.Describe) else statement.root
    return isinstance(parent, exp.Select) and parent is root and not any(statement.nodes(exp.Into))


def _is_comparable(statement: ParsedStatement, comparison: exp.Expression, node: exp.Expression) -> bool:
    other = comparison.expression if comparison.this is node else comparison.this
    while isinstance(other, exp.Paren):
        other = other.this
    if isinstance(other, exp.Literal) and other.is_string:
        judge_name_literal(statement, other, "a comparison with a name", is_relation=False)
        return True
    return isinstance(other, exp.Column | exp.Cast) or (
        isinstance(other, exp.Anonymous) and other.this.name == _TYPE_FUNCTION
    )
