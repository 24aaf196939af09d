"""Which relations a statement names: tables, views and whatever else a schema can qualify."""

from sqlglot import exp

from postgate.validator.rules.names import is_system_name
from postgate.validator.statement import Statement

_TARGET_OF = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def judge_relations(statement: Statement) -> None:
    """Collect relations and qualifiers; refuse system catalogs, other databases and other schemas' columns."""
    for table in statement.nodes(exp.Table):
        _judge_table(statement, table)
    for column in statement.nodes(exp.Column):
        _judge_column(statement, column)


def _judge_table(statement: Statement, table: exp.Table) -> None:
    if not isinstance(table.this, exp.Identifier):
        return  # a function in FROM: its call is judged as a call
    if table.args.get("catalog"):
        statement.refuse("a name may not be qualified with a database", table)
    schema = table.args.get("db")
    name = table.this.name
    if schema is None and is_cte(table):
        return
    if schema is not None and schema.name == "pg_catalog" and isinstance(table.parent, exp.Collate):
        return
    if schema is not None:
        statement.qualify(schema, table)
    if is_system_name(name):
        statement.refuse(f'"{name}" is a system catalog and not accessible', table)
    statement.relations.add((schema.name if schema is not None else None, name))


def _judge_column(statement: Statement, column: exp.Column) -> None:
    if column.args.get("catalog"):
        statement.refuse("a column may not be qualified with a database", column)
    schema = column.args.get("db")
    if schema is not None:
        statement.qualify(schema, column)


def is_target(table: exp.Table) -> bool:
    """Whether the table is what an INSERT, UPDATE, DELETE or MERGE changes; PostgreSQL never takes a CTE there."""
    return isinstance(table.parent, _TARGET_OF) and table.arg_key == "this"


def is_cte(table: exp.Table) -> bool:
    """Whether an unqualified name means a CTE, by PostgreSQL's scoping (manual, "WITH Queries").

    A CTE is seen in the query that its WITH belongs to, and by the later members of that WITH; by all members
    when it is RECURSIVE.
    """
    if is_target(table):
        return False
    name = table.this.name
    child: exp.Expression = table
    member: exp.Expression | None = None
    while (parent := child.parent) is not None:
        if isinstance(parent, exp.With):
            member = child
        else:
            with_ = parent.args.get("with_")
            if with_ is not None and name in _visible(with_, member if child is with_ else None):
                return True
        child = parent
    return False


def _visible(with_: exp.With, member: exp.Expression | None) -> set[str]:
    names: set[str] = set()
    for cte in with_.expressions:
        if cte is member and not with_.args.get("recursive"):
            break
        names.add(cte.alias)
    return names
