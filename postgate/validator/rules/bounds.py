"""What PostgreSQL's planner takes minutes for without looking at interrupts, so that no timeout ends it."""

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


def judge_bounds(statement: ParsedStatement) -> None:
    """Refuse more grouping sets, or more copies of CTEs, than the planner gets through in about a second."""
    sets = 0
    for group in statement.nodes(exp.Group):
        product = 1
        for item in group.expressions:
            product *= _sets(item)
        if product > 1:
            sets += product
            limit = _MAX_LISTED_SETS if any(statement.nodes(exp.GroupingSets)) else _MAX_SETS
            if sets > limit:
                statement.refuse(f"the statement has more than {limit} grouping sets", group)
    if any(cte.args.get("copied") for cte in statement.nodes(exp.CTE)):
        _judge_copies(statement)


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
            statement.refuse(f"NOT MATERIALIZED makes more than {_MAX_COPIES} copies of queries", cte)
        if cte.args.get("copied"):
            copies[cte.alias] = max(count, copies.get(cte.alias, 1))
