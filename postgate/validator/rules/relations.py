"""Which relations a statement names: tables, views and whatever else a schema can qualify."""

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from postgate.validator.hints import HELPERS, OWN_SCHEMA
from postgate.validator.parsed import ParsedStatement, Scope
from postgate.validator.rules.names import is_system_name

_TARGET_OF = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into)


def judge_relations(statement: ParsedStatement) -> None:
    """Collect relations and qualifiers; refuse system catalogs, other databases and other schemas' columns."""
    for table in statement.nodes(exp.Table):
        _judge_table(statement, table)
    for column in statement.nodes(exp.Column):
        _judge_column(statement, column)


def _judge_table(statement: ParsedStatement, table: exp.Table) -> None:
    if not isinstance(table.this, exp.Identifier):
        return  # a function in FROM: its call is judged as a call
    if table.args.get("catalog"):
        statement.refuse("a name may not be qualified with a database", table, "qualified_name", OWN_SCHEMA)
    schema = table.args.get("db")
    name = table.this.name
    if is_cte(statement, table):
        return
    if isinstance(table.parent, exp.Collate | exp.Opclass):
        if schema is not None and schema.name != "pg_catalog":
            statement.qualify(schema, table)
        return  # a collation or operator class, of which every database has the same
    if schema is not None:
        statement.qualify(schema, table)
    if is_system_name(name):
        statement.refuse(f'"{name}" is a system catalog and not accessible', table, "system_catalog", HELPERS)
    statement.relations.add((schema.name if schema is not None else None, name))


def _judge_column(statement: ParsedStatement, column: exp.Column) -> None:
    if column.args.get("catalog"):
        statement.refuse("a column may not be qualified with a database", column, "qualified_name", OWN_SCHEMA)
    schema = column.args.get("db")
    if schema is not None:
        statement.qualify(schema, column)


def is_target(table: exp.Table) -> bool:
    """Whether the table is what INSERT, UPDATE, DELETE, MERGE or INTO write to; PostgreSQL never takes a CTE there."""
    return isinstance(table.parent, _TARGET_OF) and table.arg_key == "this"


def is_cte(statement: ParsedStatement, table: exp.Table) -> bool:
    """Whether an unqualified name means a CTE, by PostgreSQL's scoping (manual, "WITH Queries").

    A CTE is seen in the query that its WITH belongs to, and by the later members of that WITH; by all members
    when it is RECURSIVE.
    """
    if not any(statement.nodes(exp.With)) or table.args.get("db") is not None or is_target(table):
        return False
    scope = _scope(statement, table)
    while scope is not None:
        position = scope.names.get(table.this.name)
        if position is not None and position < scope.end:
            return True
        scope = scope.outer
    return False


def _scope(statement: ParsedStatement, node: exp.Expression) -> Scope | None:
    """The CTEs that a node sees; each node is climbed over once, however deep the statement is."""
    scopes = statement.scopes
    path = []
    current: Any = node
    while current is not None and id(current) not in scopes:
        path.append(current)
        current = current.parent
    scope = scopes[id(current)] if current is not None else None
    for step in reversed(path):
        scope = _enter(step, scope)
        scopes[id(step)] = scope
    return scope


def _enter(node: exp.Expression, outer: Scope | None) -> Scope | None:
    """The scope inside a node: a query with a WITH opens one, a member of a WITH sees a part of it."""
    with_ = node.args.get("with_")
    if with_ is not None:
        names = {cte.alias: position for position, cte in reversed(list(enumerate(with_.expressions)))}
        return Scope(names, len(with_.expressions), outer)
    if isinstance(node.parent, exp.With) and outer is not None and not node.parent.args.get("recursive"):
        return Scope(outer.names, node.index or 0, outer.outer)
    return outer


def named_relations(statement: ParsedStatement) -> Iterator[exp.Table]:
    """Every table or view where the statement names it; neither CTEs nor functions."""
    for table in statement.nodes(exp.Table):
        if isinstance(table.this, exp.Identifier) and not is_cte(statement, table):
            yield table


def called(table: exp.Table) -> str:
    """What the statement calls it: its alias, or its own name."""
    alias = table.args.get("alias")
    name: str = alias.name if alias is not None else table.this.name
    return name


def column_owner(statement: ParsedStatement, qualifier: exp.Expression) -> str | None:
    """The relation whose column a name with this qualifier can only be, if PostgreSQL finds a column of that name.

    None unless all that the statement calls by the qualifier is one relation, under the names that its columns have.
    """
    owners: set[str | None] = set()
    for table in statement.nodes(exp.Table):
        alias = table.args.get("alias")
        if called(table) == qualifier.name:
            is_relation = isinstance(table.this, exp.Identifier) and not is_cte(statement, table)
            owners.add(table.this.name if is_relation and not (alias is not None and alias.columns) else None)
    for alias in statement.nodes(exp.TableAlias):
        # Of a query, a join, a function or a CTE, whose columns only PostgreSQL knows.
        if alias.name == qualifier.name and not isinstance(alias.parent, exp.Table):
            owners.add(None)
    return owners.pop() if len(owners) == 1 else None
