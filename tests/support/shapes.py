"""The shape of an expression, the same for PostgreSQL's tree and for ours when they mean the same.

A shape is a name, or a tuple of a label and the shapes below it in no particular order. It keeps what is grouped with
what, each name, constant, placeholder, type, function and operator; it leaves out what the grammar of PostgreSQL adds.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sqlglot import exp

Shape = Any


def node(label: str, children: Iterable[Shape]) -> Shape:
    """A label over shapes; AND and OR in themselves are one."""
    flat: list[Shape] = []
    for child in children:
        flat += child[1:] if label in ("and", "or") and child[0] == label else [child]
    return (label, *sorted(flat, key=repr))


def negated(shape: Shape, condition: Any) -> Shape:
    return ("not", shape) if condition else shape


def negative(shape: Shape) -> Shape:
    """PostgreSQL's grammar makes a sign a part of the number after it."""
    if isinstance(shape, str) and shape.startswith("n:"):
        return shape if shape == "n:0" else f"n:{shape[3:]}" if shape.startswith("n:-") else f"n:-{shape[2:]}"
    return ("op:-", shape)


def type_node(name: str, is_array: Any, modifiers: list[Shape]) -> Shape:
    """A type; PostgreSQL's tree has the length 1 for char and bit without one, and float's precision in its name."""
    ignored = name in ("float4", "float8") or (name in ("bpchar", "bit") and modifiers == ["n:1"])
    return node(f"t:{name}{'[]' if is_array else ''}", [] if ignored else modifiers)


def our_shapes(value: Any) -> list[Shape]:
    """The shapes of what our tree has at a place."""
    if isinstance(value, list):
        return [shape for item in value for shape in our_shapes(item)]
    if not isinstance(value, exp.Expression):
        return []
    special = OURS.get(type(value))
    return special(value) if special is not None else _below(value)


def _below(value: exp.Expression) -> list[Shape]:
    return [shape for item in value.args.values() for shape in our_shapes(item)]


def _labelled(label: str) -> Callable[[Any], list[Shape]]:
    return lambda value: [node(label, _below(value))]


def _name(value: Any) -> str:
    return "*" if isinstance(value, exp.Star) else str(value.name)


def _our_column(column: Any) -> list[Shape]:
    parts = [column.args.get(part) for part in ("catalog", "db", "table", "this")]
    return ["c:" + ".".join(_name(part) for part in parts if part is not None)]


def _our_type(data_type: Any) -> list[Shape]:
    kind = data_type.args["kind"]
    name = f"{kind.this.name}.{kind.name}" if isinstance(kind, exp.Dot) else kind.name
    return [
        type_node(name.removeprefix("pg_catalog."), data_type.args.get("nested"), our_shapes(data_type.expressions))
    ]


def _our_operand(name: str, operand: exp.Expression) -> list[Shape]:
    if isinstance(operand, exp.Identifier):
        return [f"{'k' if name == 'extract' else 'i'}:{operand.name}"] if name != "json_table" else []
    return ["*"] if isinstance(operand, exp.Star) else our_shapes(operand)


def _our_call(call: Any) -> list[Shape]:
    name = call.this.name
    schema = call.parent.this.name if isinstance(call.parent, exp.Dot) and call.arg_key == "expression" else ""
    below = [shape for operand in call.expressions for shape in _our_operand(name, operand)]
    over = call.args.get("over")
    below += [("window", f"i:{over.name}")] if isinstance(over, exp.Identifier) else our_shapes(over)
    below += our_shapes([call.args.get(part) for part in ("order", "within_group", "filter")])
    below += [part for part in ("distinct", "variadic") if call.args.get(part)]
    return [node(f"f:{schema + '.' if schema not in ('', 'pg_catalog') else ''}{name}", below)]


def _our_operator(operator: Any) -> list[Shape]:
    left, right = our_shapes(operator.args.get("this")), our_shapes(operator.expression)
    schema = operator.args.get("schema")
    name = f"{schema.name}.{operator.args['operator']}" if schema is not None else operator.args["operator"]
    name = name.removeprefix("pg_catalog.")
    return [negative(right[0])] if name == "-" and not left else [node(f"op:{name}", left + right)]


def _our_test(test: Any) -> list[Shape]:
    label = test.args["test"]
    label = "f:is_normalized" if label == "normalized" else label
    return [negated(node(label, our_shapes(test.this) + our_shapes(test.expression)), test.args.get("negated"))]


def _our_match(match: Any) -> list[Shape]:
    word, not_ = match.args["word"], match.args.get("negated")
    below = our_shapes([match.this, match.expression, match.args.get("escape")])
    if isinstance(match.expression, exp.Any | exp.All) and isinstance(match.expression.this, exp.Subquery):
        return [node(f"not {word}" if not_ else word, below)]
    if isinstance(match.expression, exp.Any | exp.All):
        operator = {"like": "~~", "ilike": "~~*"}[word]
        return [node(f"op:{'!' if not_ else ''}{operator}", below)]
    return [negated(node(word, below), not_)]


def _our_in(test: Any) -> list[Shape]:
    values = test.expression
    below = our_shapes(values.expressions) if isinstance(values, exp.Tuple) else our_shapes(values)
    return [negated(node("in", our_shapes(test.this) + below), test.args.get("negated"))]


def _our_between(between: Any) -> list[Shape]:
    below = our_shapes([between.this, between.args["low"], between.args["high"]])
    label = "between_sym" if between.args.get("symmetric") else "between"
    return [negated(node(label, below), between.args.get("negated"))]


def _our_dot(dot: Any) -> list[Shape]:
    if isinstance(dot.expression, exp.Anonymous):
        return our_shapes(dot.expression)
    return [(f"field:{_name(dot.expression)}", *our_shapes(dot.this))]


def _our_window(window: Any) -> list[Shape]:
    name = window.args.get("this")
    parts = [window.expressions, window.args.get("order"), window.args.get("bounds")]
    return [node("window", ([] if name is None else [f"i:{name.name}"]) + our_shapes(parts))]


def _our_subquery(query: Any) -> list[Shape]:
    """What follows the parentheses of a query belongs to it in PostgreSQL's tree."""
    (shape,) = our_shapes(query.this)
    clauses = [item for part, item in query.args.items() if part != "this"]
    return [node(shape[0], [*shape[1:], *our_shapes(clauses)])]


def _our_values(values: Any) -> list[Shape]:
    rows = [item for row in values.expressions for item in row.expressions]
    return [node("select", our_shapes(rows + [values.args.get(part) for part in ("order", "limit", "offset")]))]


def _our_table(table: Any) -> list[Shape]:
    if not isinstance(table.this, exp.Identifier):
        return our_shapes(table.this)
    parts = [table.args.get(part) for part in ("catalog", "db", "this")]
    name = ".".join(part.name for part in parts if part is not None)
    return ["r:" + (name.removeprefix("pg_catalog.") if isinstance(table.parent, exp.Collate) else name)]


OURS: dict[type, Callable[[Any], list[Shape]]] = {
    exp.All: _labelled("all"),
    exp.And: _labelled("and"),
    exp.Anonymous: _our_call,
    exp.Any: _labelled("any"),
    exp.Array: _labelled("array"),
    exp.AtTimeZone: _labelled("f:timezone"),
    exp.Between: _our_between,
    exp.Boolean: lambda n: ["true" if n.this else "false"],
    exp.Bracket: _labelled("index"),
    exp.Case: _labelled("case"),
    exp.Cast: _labelled("cast"),
    exp.Collate: _labelled("collate"),
    exp.Column: _our_column,
    exp.DataType: _our_type,
    exp.Dot: _our_dot,
    exp.Except: _labelled("select"),
    exp.Exists: _labelled("exists"),
    exp.If: _labelled("when"),
    exp.In: _our_in,
    exp.Intersect: _labelled("select"),
    exp.Is: _our_test,
    exp.Kwarg: lambda n: [(f"arg:{n.this.name}", *our_shapes(n.expression))],
    exp.Like: _our_match,
    exp.Literal: lambda n: [f"{'k' if n.is_string else 'n'}:{n.this}"],
    exp.Not: _labelled("not"),
    exp.Null: lambda n: ["null"],
    exp.Operator: _our_operator,
    exp.Or: _labelled("or"),
    exp.Ordered: lambda n: our_shapes(n.this),
    exp.Overlaps: lambda n: [node("f:overlaps", our_shapes(n.this.expressions + n.expression.expressions))],
    exp.Placeholder: lambda n: [f"${n.this}"],
    exp.Select: _labelled("select"),
    exp.Star: lambda n: ["c:*"],
    exp.Subquery: _our_subquery,
    exp.Table: _our_table,
    exp.Tuple: _labelled("row"),
    exp.Union: _labelled("select"),
    exp.Values: _our_values,
    exp.WindowSpec: _our_window,
}
