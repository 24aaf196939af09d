"""What PostgreSQL takes minutes for without looking at interrupts, so that no timeout ends it, if a text tells."""

import math

from sqlglot import exp

from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.relations import is_cte

# Of a whole statement. The planner matches the sets of a GROUP BY with each other, in about cubic time where none
# contains another: 1,000 such sets take 0.15 s, 2,000 take 3 s, 4,096 take 60 s. Those of CUBE and ROLLUP contain each
# other: 4,096 take 0.7 s at most (15.18).
_MAX_LISTED_SETS = 1_000
_MAX_SETS = 4_096
# Copies of queries that NOT MATERIALIZED makes, of which each takes the planner some 100 kB.
_MAX_COPIES = 10_000
# Characters or elements that constants may ask for, nested calls together: many functions take seconds for those.
_MAX_BUILT = 2**28
_BUILDERS = frozenset({"array_fill", "lpad", "repeat", "rpad"})


def judge_bounds(statement: ParsedStatement) -> None:
    """Refuse more grouping sets, or more copies of CTEs, than the planner gets through in about a second, and constants
    that build a value of hundreds of megabytes."""
    sets = 0
    for group in statement.nodes(exp.Group):
        product = 1
        for item in group.expressions:
            product *= _sets(item)
        if product > 1:
            sets += product
            limit = _MAX_LISTED_SETS if any(statement.nodes(exp.GroupingSets)) else _MAX_SETS
            if sets > limit:
                statement.refuse(f"the statement has more than {limit} grouping sets", group, "limit")
    if any(cte.args.get("copied") for cte in statement.nodes(exp.CTE)):
        _judge_copies(statement)
    for call in statement.nodes(exp.Anonymous):
        if call.this.name in _BUILDERS and _built(call) > _MAX_BUILT:
            statement.refuse(
                f"{call.this.name}() with constants may make at most {_MAX_BUILT} characters", call, "limit"
            )


def _sets(item: exp.Expression) -> int:
    if isinstance(item, exp.GroupingSets):
        return sum(map(_sets, item.expressions))
    if isinstance(item, exp.Cube):
        # More than PostgreSQL's own limit is too many, however many.
        return 1 << min(len(item.expressions), 13)
    return len(item.expressions) + 1 if isinstance(item, exp.Rollup) else 1


def _judge_copies(statement: ParsedStatement) -> None:
    """How many queries a NOT MATERIALIZED one becomes, together with those that it names."""
    copies: dict[str, int] = {}
    for cte in statement.nodes(exp.CTE):
        # A name stands for the largest of that name: which one it is makes no difference to a bound.
        tables = [table for table in cte.this.find_all(exp.Table) if is_cte(statement, table)]
        count = 1 + sum(copies.get(table.this.name, 1) for table in tables)
        if count > _MAX_COPIES:
            statement.refuse(f"NOT MATERIALIZED makes more than {_MAX_COPIES} copies of queries", cte, "limit")
        if cte.args.get("copied"):
            copies[cte.alias] = max(count, copies.get(cte.alias, 1))


def _built(node: exp.Expression) -> int:
    """How large a value is at least, by its constants; 1 where they do not tell."""
    node = _bare(node)
    if isinstance(node, exp.Literal):
        return max(1, len(node.name)) if node.is_string else 1
    if not isinstance(node, exp.Anonymous) or node.this.name not in _BUILDERS or len(node.expressions) < 2:
        return 1
    value, size, *_ = node.expressions
    if node.this.name == "array_fill":
        sizes = size.expressions if isinstance(size, exp.Array) else [size]
        return _built(value) * math.prod(map(_number, sizes))
    return _built(value) * _number(size) if node.this.name == "repeat" else _number(size)


def _bare(node: exp.Expression) -> exp.Expression:
    while isinstance(node, exp.Paren | exp.Cast):
        node = node.this
    return node


def _number(node: exp.Expression) -> int:
    node = _bare(node)
    if not isinstance(node, exp.Literal) or (node.is_string and not node.name.isdigit()):
        return 1
    try:
        return max(1, int(float(node.name)))
    except (ValueError, OverflowError):
        # A number in another base.
        return 1
