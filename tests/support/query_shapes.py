"""The shape of a whole query or change of rows, the same for PostgreSQL's tree and for ours (see shapes.py).

Unlike the shape of an expression it keeps the order: what is listed before what, and in which clause. It leaves out
what only keywords say, such as the kind of a join or the strength of a lock.
"""

from typing import Any

from sqlglot import exp

from support.shapes import OURS, Shape, negative, our_shapes

DEFAULT = "default"
SET_OPERATIONS = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}
TABLE_SYNTAX = ("xmltable", "json_table")


def clauses(label: str, **parts: Any) -> Shape:
    """A label over the clauses that are there."""
    return (label, *((name, *part) for name, part in sorted(parts.items()) if part))


def added(inner: Shape, outer: Shape) -> Shape:
    """A query with what stands after the parentheses around it."""
    parts = {part[0]: part for part in inner[1:]}
    for name, *values in outer[1:]:
        assert name == "locks" or name not in parts
        parts[name] = (*parts.get(name, (name,)), *values)
    return (inner[0], *(parts[name] for name in sorted(parts)))


def unsigned(shape: Shape) -> Shape:
    """PostgreSQL's tree keeps the plus before a number of rows."""
    return shape[1] if shape[0] == "op:+" and len(shape) == 2 else shape


def our_shape(value: Any) -> Shape:
    """The shape of one expression."""
    found = our_shapes(value)
    assert len(found) < 2
    return found[0] if found else DEFAULT


def _each(values: Any) -> Shape:
    return tuple(our_shape(value) for value in values or ())


def _names(identifiers: Any) -> Shape:
    return tuple(identifier.name for identifier in identifiers or ())


def _condition(node: Any, part: str) -> Shape:
    clause = node.args.get(part)
    return () if clause is None else (our_shape(clause.this if isinstance(clause, exp.Where | exp.Having) else clause),)


def _relation(table: exp.Expression) -> Shape:
    parts = _names(table.args[part] for part in ("catalog", "db", "this") if table.args.get(part) is not None)
    return ("only" if table.args.get("only") else "relation", *parts)


def _alias(node: exp.Expression) -> Shape:
    alias = node.args.get("alias")
    return () if alias is None else (alias.this.name, *_names(alias.args.get("columns")))


def _columns(columns: Any) -> Shape:
    return tuple(
        (column.this.name, our_shape(column.args["kind"]), our_shapes(column.args.get("collate")))
        for column in columns or ()
    )


def _item(node: Any) -> Shape:
    """An item of FROM."""
    return _ITEMS[type(node)](node)


def _items(node: exp.Expression) -> Shape:
    from_ = node.args.get("from_")
    return () if from_ is None else tuple(map(_item, from_.expressions))


def _table(table: Any) -> Shape:
    if isinstance(table.this, exp.Identifier):
        return ("table", _relation(table), _alias(table))
    if isinstance(table.this, exp.Anonymous) and table.this.name in TABLE_SYNTAX and table.this.args.get("syntax"):
        return (table.this.name, our_shape(table.this), _alias(table))
    calls = table.this.expressions if isinstance(table.this, exp.Tuple) else [table.this]
    return ("calls", tuple(map(_call, calls)), _alias(table), _columns(table.args.get("columns")))


def _call(call: Any) -> Shape:
    with_columns = isinstance(call, exp.Table)
    return (our_shape(call.this if with_columns else call), _columns(call.args.get("columns") if with_columns else ()))


def _sample(sample: Any) -> Shape:
    method = sample.args["method"]
    schema = (method.this.name,) if isinstance(method, exp.Dot) else ()
    call = method.expression if schema else method
    seed = _each([sample.args["seed"]] if sample.args.get("seed") is not None else [])
    return ("sample", _item(sample.this), (*schema, call.this.name), _each(call.expressions), seed)


def _join(join: Any) -> Shape:
    sides = (_item(join.this), _item(join.expression))
    alias = join.args.get("alias")
    named = (_names(join.args.get("using")), () if alias is None else (alias.name,))
    return ("join", *sides, *named, _condition(join, "on"), ())


def _joined(paren: Any) -> Shape:
    joined, alias = _item(paren.this), _alias(paren)
    assert not alias or not joined[-1]
    return (*joined[:-1], alias or joined[-1])


_ITEMS: dict[type, Any] = {
    exp.Table: _table,
    exp.TableSample: _sample,
    exp.Join: _join,
    exp.Paren: _joined,
    exp.Subquery: lambda node: ("query", our_query(node.this), _alias(node)),
}


def _outputs(targets: Any) -> Shape:
    return tuple(
        (our_shape(target.this), target.args["alias"].name)
        if isinstance(target, exp.Alias)
        else (our_shape(target), None)
        for target in targets
    )


def _grouped(item: Any) -> Shape:
    if isinstance(item, exp.GroupingSets):
        return ("sets", *map(_grouped, item.expressions))
    if isinstance(item, exp.Cube | exp.Rollup):
        return (type(item).__name__.lower(), *_each(item.expressions))
    is_empty = isinstance(item, exp.Tuple) and not item.expressions and not item.args.get("explicit")
    return ("empty",) if is_empty else our_shape(item)


def _sorted(item: Any) -> Shape:
    using = item.args.get("using")
    schema = using.args.get("schema") if using is not None else None
    operator = () if using is None else (*_names([schema] if schema is not None else []), using.args["operator"])
    return (our_shape(item.this), operator, bool(item.args.get("desc")))


def _limit(limit: Any) -> Shape:
    if limit is None or limit.args.get("all"):
        return ()
    count = unsigned(our_shape(limit.expression)) if limit.expression is not None else "n:1"
    return () if count == "null" else (count,)


def _with(node: exp.Expression) -> Shape:
    with_ = node.args.get("with_")
    return () if with_ is None else (bool(with_.args.get("recursive")), *map(_cte, with_.expressions))


def _cte(cte: Any) -> Shape:
    cycle = [part.name if isinstance(part, exp.Identifier) else our_shape(part) for part in cte.args["cycle"]]
    if cycle and all(isinstance(part, exp.Identifier) for part in cte.args["cycle"]):
        cycle[-1:-1] = ["true", "false"]
    return (*_alias(cte), our_statement(cte.this), _names(cte.args["search"]), tuple(cycle))


def our_query(query: Any) -> Shape:
    order, offset = query.args.get("order"), query.args.get("offset")
    tail = {
        "order": tuple(map(_sorted, order.expressions)) if order is not None else (),
        "limit": _limit(query.args.get("limit")),
        "offset": (unsigned(our_shape(offset.expression)),) if offset is not None else (),
        "locks": tuple(_names(lock.expressions) for lock in query.args.get("locks") or ()),
        "with": _with(query),
    }
    if isinstance(query, exp.Subquery):
        return added(our_query(query.this), clauses("query", **tail))
    if type(query) in SET_OPERATIONS:
        sides = our_query(query.this), our_query(query.expression)
        return clauses("query", **{SET_OPERATIONS[type(query)]: (bool(query.args["distinct"]), *sides)}, **tail)
    if isinstance(query, exp.Values):
        return clauses("query", values=tuple(_each(row.expressions) for row in query.expressions), **tail)
    assert isinstance(query, exp.Select)
    return clauses("query", **_select(query), **tail)


def _select(select: exp.Select) -> dict[str, Shape]:
    distinct, into, group = (select.args.get(part) for part in ("distinct", "into", "group"))
    return {
        "distinct": () if distinct is None else ("on", *_each(distinct.expressions)),
        "outputs": _outputs(select.expressions),
        "into": () if into is None else _relation(into.this),
        "items": _items(select),
        "where": _condition(select, "where"),
        "group": () if group is None else tuple(map(_grouped, group.expressions)),
        "having": _condition(select, "having"),
        "windows": tuple((w.this.name, our_shape(w.args["spec"])) for w in select.args.get("windows") or ()),
    }


def _target(target: Any) -> Shape:
    """A changed column with its fields and subscripts."""
    path: list[Shape] = []
    while not isinstance(target, exp.Identifier):
        if isinstance(target, exp.Dot):
            path.append("*" if isinstance(target.expression, exp.Star) else target.expression.name)
        else:
            path.append(("[]", *our_shapes(target.expressions)))
        target = target.this
    return (target.name, *reversed(path))


def _assignment(assignment: Any) -> Shape:
    target, value = assignment.this, assignment.expression
    if not isinstance(target, exp.Tuple):
        return (_target(target), our_shape(value))
    if isinstance(value, exp.Tuple) and len(value.expressions) == 1 and not value.args.get("explicit"):
        value = value.expressions[0]  # no row, but an expression in parentheses
    return (tuple(map(_target, target.expressions)), our_shape(value))


def _indexed(element: Any) -> Shape:
    """An element of a conflict target."""
    names: list[Shape] = []
    for kind in (exp.Opclass, exp.Collate):
        names.append(_relation(element.expression)[1:] if isinstance(element, kind) else ())
        element = element.this if isinstance(element, kind) else element
    return (element.this.name if isinstance(element, exp.Column) else our_shape(element), *names)


def _conflict(conflict: Any) -> Shape:
    if conflict is None:
        return ()
    action, constraint = conflict.args.get("action"), conflict.args.get("constraint")
    elements = tuple(_indexed(ordered.this) for ordered in conflict.expressions)
    found = (() if constraint is None else (constraint.name,), elements, _condition(conflict, "where"))
    return (*found, *((tuple(map(_assignment, action.expressions)), _condition(action, "where")) if action else ()))


def _returned(change: exp.Expression) -> Shape:
    returning = change.args.get("returning")
    return () if returning is None else (_names(returning.args["names"]), _outputs(returning.expressions))


def _when(when: Any) -> Shape:
    action = when.args["then"]
    columns = tuple(map(_target, action.args.get("columns") or ()))
    values = _each(action.expression.expressions) if action.args.get("expression") is not None else ()
    assignments = tuple(map(_assignment, action.expressions)) if isinstance(action, exp.Update) else ()
    kind = "nothing" if isinstance(action, exp.Var) else type(action).__name__.lower()
    return (kind, _condition(when, "condition"), columns, values, assignments)


def our_statement(statement: Any) -> Shape:
    """The shape of a query or a change of rows."""
    if not isinstance(statement, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return our_query(statement)
    arguments = statement.args
    query, using = arguments.get("expression"), arguments.get("using")
    return clauses(
        type(statement).__name__.lower(),
        relation=_relation(statement.this),
        alias=_alias(statement.this),
        columns=tuple(map(_target, arguments.get("columns") or ())),
        query=() if query is None else (our_query(query),),
        conflict=_conflict(arguments.get("conflict")),
        assignments=tuple(map(_assignment, statement.expressions)),
        items=tuple(map(_item, using if isinstance(using, list) else [using] if using else [])) or _items(statement),
        where=_condition(statement, "where"),
        on=_condition(statement, "on"),
        whens=tuple(map(_when, arguments.get("whens") or ())),
        returning=_returned(statement),
        **{"with": _with(statement)},
    )


# A query inside of an expression has its whole shape as well.
OURS.update(dict.fromkeys((exp.Subquery, exp.Select, exp.Values, *SET_OPERATIONS), lambda query: [our_query(query)]))
OURS[exp.Neg] = lambda number: [negative(our_shape(number.this))]
