"""PostgreSQL's columns that every table has besides its own (manual, "System Columns"): the numbers of transactions and
objects in them tell how active the other tenants are.

What applications are built on stays: `xmin` selected and compared, which is the optimistic locking of Entity Framework
and Sequel, `xmax = 0`, which tells an upsert's insert from its update, and `tableoid` beside a relation's name. `ctid`
tells of nobody else. A column of a view, a type or a query may have one of these names, and is like any other.
"""

from typing import NoReturn

from sqlglot import exp

from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.relations import called, column_owner, named_relations
from postgate.validator.rules.types import type_name

SYSTEM_COLUMNS = frozenset({"xmin", "xmax", "cmin", "cmax", "tableoid"})
_QUERIES = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge)
_EQUALITIES = frozenset({"=", "<>"})


def judge_system_columns(statement: ParsedStatement) -> None:
    """Refuse system columns that are used for anything else; note those that only the database can tell from others."""
    for column in statement.nodes(exp.Column):
        if column.name in SYSTEM_COLUMNS and not _is_permitted(column):
            _judge_column(statement, column)
    for dot in statement.nodes(exp.Dot):
        if dot.expression.name in SYSTEM_COLUMNS and isinstance(dot.expression, exp.Identifier):
            row = dot.this.unnest()
            if isinstance(row, exp.Column) and any(called(table) == row.name for table in named_relations(statement)):
                _refuse(statement, dot.expression)
    for call in statement.nodes(exp.Anonymous):
        # x.f and f(x) are the same to PostgreSQL.
        if call.this.name in SYSTEM_COLUMNS:
            _refuse(statement, call)


def _is_permitted(column: exp.Column) -> bool:
    node: exp.Expression = column
    while isinstance(node.parent, exp.Paren | exp.Cast):
        node = node.parent
    parent = node.parent
    if column.name == "xmin":
        item: exp.Expr = parent if isinstance(parent, exp.Alias) else node
        is_selected = isinstance(item.parent, exp.Select | exp.Returning) and item.arg_key == "expressions"
        return is_selected or _is_equality(parent) or (isinstance(parent, exp.Is | exp.In) and parent.this is node)
    if parent is None or not _is_equality(parent):
        return False
    other = (parent.expression if parent.this is node else parent.this).unnest()
    if column.name == "xmax":
        return isinstance(other, exp.Literal) and other.name == "0"
    return column.name == "tableoid" and isinstance(other, exp.Cast) and type_name(other.to) == "regclass"


def _is_equality(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Operator) and node.args["operator"] in _EQUALITIES and node.this is not None


def _judge_column(statement: ParsedStatement, column: exp.Column) -> None:
    """A name of a query's own, of a CTE's or a function's column is no system column; of a view, the database knows."""
    qualifier = column.args.get("table")
    if qualifier is not None:
        found = [table for table in named_relations(statement) if called(table) == qualifier.name]
        owner = column_owner(statement, qualifier)
        if not found:
            return
    elif _is_output_name(column):
        return
    else:
        found = _in_scope(statement, column)
        owner = found[0].this.name if len(found) == 1 else None
        if not found and _query_of(column) is not None:
            return
    if owner is None:
        _refuse(statement, column.this)
    statement.columns.add((owner, column.name))


def _is_output_name(column: exp.Column) -> bool:
    """ORDER BY takes a name that the SELECT gives first (manual, "SELECT", ORDER BY clause)."""
    order = column.parent.parent if isinstance(column.parent, exp.Ordered) else None
    query = order.parent if isinstance(order, exp.Order) else None
    return isinstance(query, exp.Select) and any(
        isinstance(item, exp.Alias) and item.alias == column.name for item in query.expressions
    )


def _in_scope(statement: ParsedStatement, column: exp.Column) -> list[exp.Table]:
    """The relations of the nearest query around the column that has any."""
    query = _query_of(column)
    while query is not None:
        if found := [table for table in named_relations(statement) if _query_of(table) is query]:
            return found
        query = _query_of(query)
    return []


def _query_of(node: exp.Expression) -> exp.Expression | None:
    parent = node.parent
    while parent is not None and not isinstance(parent, _QUERIES):
        parent = parent.parent
    return parent


def _refuse(statement: ParsedStatement, node: exp.Expression) -> NoReturn:
    name = node.this.name if isinstance(node, exp.Anonymous) else node.name
    statement.refuse(
        f"the system column {name} is not accessible; for optimistic locking, select and compare xmin", node
    )
