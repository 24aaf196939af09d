"""The shapes (see query_shapes.py) of PostgreSQL's own trees, as pglast gives them."""

from typing import Any

from pglast import ast, enums

from support.postgresql_shapes import POSTGRESQL, postgresql_shapes
from support.query_shapes import DEFAULT, clauses, unsigned
from support.shapes import Shape

CHANGES = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
STATEMENTS = (ast.SelectStmt, *CHANGES)


def postgresql_shape(value: Any) -> Shape:
    """The shape of one expression."""
    found = postgresql_shapes(value)
    assert len(found) < 2
    return found[0] if found else DEFAULT


def _each(values: Any) -> Shape:
    return tuple(postgresql_shape(value) for value in values or ())


def _names(strings: Any) -> Shape:
    return tuple(string.sval for string in strings or ())


def _condition(value: Any) -> Shape:
    return () if value is None else (postgresql_shape(value),)


def _relation(relation: Any) -> Shape:
    parts = filter(None, (relation.catalogname, relation.schemaname, relation.relname))
    return ("relation" if relation.inh else "only", *parts)


def _alias(alias: Any) -> Shape:
    return () if alias is None else (alias.aliasname, *_names(alias.colnames))


def _columns(columns: Any) -> Shape:
    return tuple(
        (column.colname, postgresql_shape(column.typeName), postgresql_shapes(column.collClause))
        for column in columns or ()
    )


def _item(node: Any) -> Shape:
    """An item of FROM."""
    return _ITEMS[type(node)](node)


def _items(nodes: Any) -> Shape:
    return tuple(map(_item, nodes or ()))


def _calls(node: Any) -> Shape:
    calls = tuple((postgresql_shape(call), _columns(columns)) for call, columns in node.functions)
    return ("calls", calls, _alias(node.alias), _columns(node.coldeflist))


def _sample(node: Any) -> Shape:
    seed = _condition(node.repeatable)
    return ("sample", _item(node.relation), _names(node.method), _each(node.args), seed)


def _join(node: Any) -> Shape:
    named = (_names(node.usingClause), _alias(node.join_using_alias))
    return ("join", _item(node.larg), _item(node.rarg), *named, _condition(node.quals), _alias(node.alias))


_ITEMS: dict[type, Any] = {
    ast.RangeVar: lambda node: ("table", _relation(node), _alias(node.alias)),
    ast.RangeSubselect: lambda node: ("query", postgresql_query(node.subquery), _alias(node.alias)),
    ast.RangeFunction: _calls,
    ast.RangeTableSample: _sample,
    ast.RangeTableFunc: lambda node: ("xmltable", postgresql_shape(node), _alias(node.alias)),
    ast.JsonTable: lambda node: ("json_table", postgresql_shape(node), _alias(node.alias)),
    ast.JoinExpr: _join,
}


def _outputs(targets: Any) -> Shape:
    return tuple((postgresql_shape(target.val), target.name) for target in targets or ())


def _grouped(item: Any) -> Shape:
    if not isinstance(item, ast.GroupingSet):
        return postgresql_shape(item)
    kind = item.kind.name.removeprefix("GROUPING_SET_").lower()
    return (kind, *(map(_grouped, item.content) if kind == "sets" else _each(item.content)))


def _sorted(item: Any) -> Shape:
    is_descending = item.sortby_dir == enums.SortByDir.SORTBY_DESC
    return (postgresql_shape(item.node), _names(item.useOp), is_descending)


def _rows(count: Any) -> Shape:
    """LIMIT and OFFSET; LIMIT ALL is the limit NULL."""
    is_null = count is None or (isinstance(count, ast.A_Const) and count.isnull)
    return () if is_null else (unsigned(postgresql_shape(count)),)


def _with(clause: Any) -> Shape:
    return () if clause is None else (bool(clause.recursive), *map(_cte, clause.ctes))


def _cte(cte: Any) -> Shape:
    search, cycle = cte.search_clause, cte.cycle_clause
    found = () if search is None else (*_names(search.search_col_list), search.search_seq_column)
    marks = () if cycle is None else _each((cycle.cycle_mark_value, cycle.cycle_mark_default))
    ways = () if cycle is None else (*_names(cycle.cycle_col_list), cycle.cycle_mark_column, *marks)
    ways += () if cycle is None else (cycle.cycle_path_column,)
    return (cte.ctename, *_names(cte.aliascolnames), postgresql_statement(cte.ctequery), found, ways)


def postgresql_query(query: Any) -> Shape:
    locks = tuple(tuple(relation.relname for relation in lock.lockedRels or ()) for lock in query.lockingClause or ())
    tail = {
        "order": tuple(map(_sorted, query.sortClause or ())),
        "limit": _rows(query.limitCount),
        "offset": () if query.limitOffset is None else (unsigned(postgresql_shape(query.limitOffset)),),
        "locks": locks,
        "with": _with(query.withClause),
    }
    operation = query.op.name.removeprefix("SETOP_").lower()
    if operation != "none":
        sides = postgresql_query(query.larg), postgresql_query(query.rarg)
        return clauses("query", **{operation: (not query.all, *sides)}, **tail)
    if query.valuesLists:
        return clauses("query", values=tuple(map(_each, query.valuesLists)), **tail)
    return clauses("query", **_select(query), **tail)


def _select(query: Any) -> dict[str, Shape]:
    distinct, into = query.distinctClause, query.intoClause
    return {
        "distinct": () if distinct is None else ("on", *_each(value for value in distinct if value is not None)),
        "outputs": _outputs(query.targetList),
        "into": () if into is None else _relation(into.rel),
        "items": _items(query.fromClause),
        "where": _condition(query.whereClause),
        "group": tuple(map(_grouped, query.groupClause or ())),
        "having": _condition(query.havingClause),
        "windows": tuple(map(_window, query.windowClause or ())),
    }


def _window(window: Any) -> Shape:
    name, window.name = window.name, None
    return (name, postgresql_shape(window))


def _target(target: Any) -> Shape:
    """A changed column with its fields and subscripts."""
    return (target.name, *map(_step, target.indirection or ()))


def _step(step: Any) -> Shape:
    if isinstance(step, ast.A_Indices):
        return ("[]", *postgresql_shapes(step.lidx), *postgresql_shapes(step.uidx))
    return "*" if isinstance(step, ast.A_Star) else step.sval


def _assignments(targets: Any) -> Shape:
    """The assignments; of several columns at once PostgreSQL's tree has one for each column."""
    found, waiting = [], list(targets or ())
    while waiting:
        value = waiting[0].val
        if isinstance(value, ast.MultiAssignRef):
            columns = tuple(map(_target, waiting[: value.ncolumns]))
            found.append((columns, postgresql_shape(value.source)))
            del waiting[: value.ncolumns]
        else:
            found.append((_target(waiting.pop(0)), postgresql_shape(value)))
    return tuple(found)


def _indexed(element: Any) -> Shape:
    """An element of a conflict target."""
    names = _names(element.opclass), _names(element.collation)
    return (element.name or postgresql_shape(element.expr), *names)


def _conflict(conflict: Any) -> Shape:
    if conflict is None:
        return ()
    infer = conflict.infer
    found: Shape = ((), (), ())
    if infer is not None:
        elements = tuple(map(_indexed, infer.indexElems or ()))
        found = ((infer.conname,) if infer.conname else (), elements, _condition(infer.whereClause))
    if conflict.action == enums.OnConflictAction.ONCONFLICT_NOTHING:
        return found
    return (*found, _assignments(conflict.targetList), _condition(conflict.whereClause))


def _returned(returning: Any) -> Shape:
    if returning is None:
        return ()
    return (tuple(option.value for option in returning.options or ()), _outputs(returning.exprs))


def _when(when: Any) -> Shape:
    kind = when.commandType.name.removeprefix("CMD_").lower()
    columns = tuple(map(_target, when.targetList or ())) if kind == "insert" else ()
    assignments = _assignments(when.targetList) if kind == "update" else ()
    return (kind, _condition(when.condition), columns, _each(when.values), assignments)


def postgresql_statement(statement: Any) -> Shape:
    """The shape of a query or a change of rows."""
    if not isinstance(statement, CHANGES):
        return postgresql_query(statement)
    part = {attribute: getattr(statement, attribute) for attribute in statement}
    query, source = part.get("selectStmt"), part.get("sourceRelation")
    items = (source,) if source is not None else part.get("fromClause") or part.get("usingClause")
    return clauses(
        type(statement).__name__.removesuffix("Stmt").lower(),
        relation=_relation(statement.relation),
        alias=_alias(statement.relation.alias),
        columns=tuple(map(_target, part.get("cols") or ())),
        query=() if query is None else (postgresql_query(query),),
        conflict=_conflict(part.get("onConflictClause")),
        assignments=_assignments(part.get("targetList")),
        items=_items(items),
        where=_condition(part.get("whereClause")),
        on=_condition(part.get("joinCondition")),
        whens=tuple(map(_when, part.get("mergeWhenClauses") or ())),
        returning=_returned(statement.returningClause),
        **{"with": _with(statement.withClause)},
    )


# A query inside of an expression has its whole shape as well.
POSTGRESQL[ast.SelectStmt] = lambda query: [postgresql_query(query)]
