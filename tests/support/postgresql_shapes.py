"""The shapes (see shapes.py) of PostgreSQL's own trees, as pglast gives them."""

from collections.abc import Callable
from typing import Any

from pglast import ast, enums

from support.shapes import Shape, negated, negative, node, type_node

# PostgreSQL's grammar writes these calls for words of SQL.
ADDED_CALLS = frozenset({"like_escape", "similar_to_escape"})
LABELS = {
    ast.JsonObjectConstructor: "f:json_object",
    ast.JsonArrayConstructor: "f:json_array",
    ast.JsonArrayQueryConstructor: "f:json_array",
    ast.JsonParseExpr: "f:json",
    ast.JsonScalarExpr: "f:json_scalar",
    ast.JsonSerializeExpr: "f:json_serialize",
    ast.JsonObjectAgg: "f:json_objectagg",
    ast.JsonArrayAgg: "f:json_arrayagg",
    ast.GroupingFunc: "f:grouping",
    ast.CoalesceExpr: "f:coalesce",
    ast.MergeSupportFunc: "f:merge_action",
    ast.XmlSerialize: "f:xmlserialize",
    ast.A_ArrayExpr: "array",
    ast.RowExpr: "row",
    ast.CaseExpr: "case",
    ast.CaseWhen: "when",
    ast.JsonIsPredicate: "json",
    ast.JsonTable: "f:json_table",
    ast.RangeTableFunc: "f:xmltable",
    ast.SelectStmt: "select",
    ast.TypeCast: "cast",
}


def dotted(names: Any) -> str:
    parts = ["*" if isinstance(name, ast.A_Star) else name.sval for name in names]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] == "pg_catalog" else parts)


def postgresql_shapes(value: Any) -> list[Shape]:
    """The shapes of what PostgreSQL's tree has at a place, which may be nothing or a list."""
    if isinstance(value, tuple):
        return [shape for item in value for shape in postgresql_shapes(item)]
    if not isinstance(value, ast.Node):
        return []
    special = POSTGRESQL.get(type(value))
    if special is not None:
        return special(value)
    below = [shape for attribute in value for shape in postgresql_shapes(getattr(value, attribute))]
    label = LABELS.get(type(value))
    return below if label is None else [node(label, below)]


def _constant(const: Any) -> list[Shape]:
    if const.isnull:
        return ["null"]
    value = const.val
    if isinstance(value, ast.Integer):
        return [f"n:{value.ival}"]
    if isinstance(value, ast.Float):
        return [f"n:{value.fval}"]
    if isinstance(value, ast.Boolean):
        return ["true" if value.boolval else "false"]
    return [f"n:{value.bsval[1:]}" if isinstance(value, ast.BitString) else f"k:{value.sval}"]


def _type(data_type: Any) -> list[Shape]:
    name = dotted(data_type.names)
    modifiers = data_type.typmods or ()
    below = postgresql_shapes(modifiers[1:] if name == "interval" else modifiers)
    return [type_node(name, bool(data_type.arrayBounds), below)]


def is_added_cast(cast: Any) -> bool:
    if not isinstance(cast, ast.TypeCast) or cast.location not in (-1, None):
        return False
    names = [name.sval for name in cast.typeName.names]
    return names == ["pg_catalog", "int4"] and cast.typeName.location in (-1, None)


def _call(call: Any) -> list[Shape]:
    name = dotted(call.funcname)
    arguments = call.args or ()
    if name == "substring" and len(arguments) == 3 and is_added_cast(arguments[2]):
        arguments = (arguments[0], arguments[2].arg)  # FOR without FROM
    parts = [arguments, call.agg_order, call.agg_filter, call.over]
    below = [shape for part in parts for shape in postgresql_shapes(part)]
    if name in ADDED_CALLS:
        return below
    if name in ("normalize", "is_normalized"):
        below = postgresql_shapes(call.args[0])
    below += ["*"] * bool(call.agg_star) + ["distinct"] * bool(call.agg_distinct)
    return [node(f"f:{name}", below + ["variadic"] * bool(call.func_variadic))]


def _operation(expr: Any) -> list[Shape]:
    kind = expr.kind.name.removeprefix("AEXPR_")
    left, right = postgresql_shapes(expr.lexpr), postgresql_shapes(expr.rexpr)
    name = dotted(expr.name)
    if kind == "OP":
        return [negative(right[0])] if name == "-" and not left else [node(f"op:{name}", left + right)]
    if kind in ("OP_ANY", "OP_ALL"):
        return [node(f"op:{name}", [*left, (kind[3:].lower(), *right)])]
    if kind in ("DISTINCT", "NOT_DISTINCT"):
        return [negated(node("distinct", left + right), kind == "NOT_DISTINCT")]
    if kind == "NULLIF":
        return [node("f:nullif", left + right)]
    not_ = kind.startswith("NOT_") or name.startswith("!") or name == "<>"
    return [negated(node(kind.removeprefix("NOT_").lower(), left + right), not_)]


def _bool(expr: Any) -> list[Shape]:
    label = expr.boolop.name.removesuffix("_EXPR").lower()
    return [node(label, postgresql_shapes(expr.args))]


def _null_test(test: Any) -> list[Shape]:
    return [negated(("null", *postgresql_shapes(test.arg)), test.nulltesttype == enums.NullTestType.IS_NOT_NULL)]


def _boolean_test(test: Any) -> list[Shape]:
    name = test.booltesttype.name
    return [negated((name.rpartition("_")[2].lower(), *postgresql_shapes(test.arg)), "_NOT_" in name)]


def _sub_link(link: Any) -> list[Shape]:
    kind = link.subLinkType.name.removesuffix("_SUBLINK").lower()
    query, test = postgresql_shapes(link.subselect), postgresql_shapes(link.testexpr)
    if kind == "expr":
        return query
    if not test:
        return [(kind, *query)]
    if link.operName is None:
        return [node("in", test + query)]
    name = {"~~": "like", "!~~": "not like", "~~*": "ilike", "!~~*": "not ilike"}.get(link.operName[-1].sval)
    return [node(name or f"op:{dotted(link.operName)}", [*test, (kind, *query)])]


def _indirection(indirection: Any) -> list[Shape]:
    (shape,) = postgresql_shapes(indirection.arg)
    for step in indirection.indirection:
        if isinstance(step, ast.A_Indices):
            shape = node("index", [shape, *postgresql_shapes(step.lidx), *postgresql_shapes(step.uidx)])
        else:
            shape = (f"field:{dotted([step])}", shape)
    return [shape]


def _window(window: Any) -> list[Shape]:
    names = [f"i:{name}" for name in (window.name, window.refname) if name]
    parts = (window.partitionClause, window.orderClause, window.startOffset, window.endOffset)
    return [node("window", names + [shape for part in parts for shape in postgresql_shapes(part)])]


def _value_function(function: Any) -> list[Shape]:
    name = function.op.name.removeprefix("SVFOP_").removesuffix("_N").lower()
    return [node(f"f:{name}", [f"n:{function.typmod}"] if function.typmod != -1 else [])]


def _json_column(column: Any) -> list[Shape]:
    below = [shape for attribute in column for shape in postgresql_shapes(getattr(column, attribute))]
    return [node("row", below)] if column.columns else below


def _xml(xml: Any) -> list[Shape]:
    name = xml.op.name.removeprefix("IS_").lower()
    arguments = (xml.args or ())[: {"xmlparse": 1, "xmlroot": 2}.get(name)]
    if name == "xmlroot" and getattr(arguments[1], "isnull", False):
        arguments = arguments[:1]  # VERSION NO VALUE
    below = postgresql_shapes(xml.named_args) + postgresql_shapes(arguments)
    below += [f"i:{xml.name}"] if xml.name else []
    return [node("document" if name == "document" else f"f:{name}", below)]


def _cast(cast: Any) -> list[Shape]:
    return [node("cast", postgresql_shapes(cast.arg) + postgresql_shapes(cast.typeName))]


def _relation(relation: Any) -> list[Shape]:
    return ["r:" + ".".join(filter(None, (relation.catalogname, relation.schemaname, relation.relname)))]


POSTGRESQL: dict[type, Callable[[Any], list[Shape]]] = {
    ast.A_Const: _constant,
    ast.A_Expr: _operation,
    ast.A_Indirection: _indirection,
    ast.BoolExpr: _bool,
    ast.BooleanTest: _boolean_test,
    ast.CollateClause: lambda n: [node("collate", [*postgresql_shapes(n.arg), f"r:{dotted(n.collname)}"])],
    ast.ColumnRef: lambda n: [f"c:{'.'.join('*' if isinstance(f, ast.A_Star) else f.sval for f in n.fields)}"],
    ast.FuncCall: _call,
    ast.JsonFuncExpr: lambda n: [
        node(
            f"f:{n.op.name.removesuffix('_OP').lower()}",
            [shape for attribute in n for shape in postgresql_shapes(getattr(n, attribute))],
        )
    ],
    ast.JsonTableColumn: _json_column,
    ast.MinMaxExpr: lambda n: [node(f"f:{n.op.name.removeprefix('IS_').lower()}", postgresql_shapes(n.args))],
    ast.NamedArgExpr: lambda n: [(f"arg:{n.name}", *postgresql_shapes(n.arg))],
    ast.NullTest: _null_test,
    ast.ParamRef: lambda n: [f"${n.number}"],
    ast.RangeVar: _relation,
    ast.SQLValueFunction: _value_function,
    ast.SubLink: _sub_link,
    ast.TypeCast: _cast,
    ast.TypeName: _type,
    ast.WindowDef: _window,
    ast.XmlExpr: _xml,
}
