"""Which placeholders a statement has, and for which PostgreSQL can infer no type."""

from collections import Counter

from sqlglot import exp

from postgate.validator.parsed import ParsedStatement

_SET_OPERATIONS = (exp.Union, exp.Intersect, exp.Except)


def collect_placeholders(statement: ParsedStatement) -> None:
    """Collect the highest placeholder, and those that stand nowhere but as a whole output column.

    PostgreSQL takes such a placeholder as text ("SELECT Output Columns" in the manual's chapter on type
    conversion), so there the type of the JSON value decides.
    """
    uses: Counter[int] = Counter()
    bare_uses: Counter[int] = Counter()
    for placeholder in statement.nodes(exp.Placeholder):
        number = int(placeholder.this)
        uses[number] += 1
        bare_uses[number] += _is_output_column(placeholder)
    statement.placeholders = max(uses, default=0)
    statement.untyped = {number for number, count in uses.items() if bare_uses[number] == count}


def _is_output_column(placeholder: exp.Placeholder) -> bool:
    node: exp.Expression = placeholder
    while isinstance(node.parent, exp.Paren | exp.Alias):
        node = node.parent
    query = node.parent
    if isinstance(query, exp.Tuple) and isinstance(query.parent, exp.Values):
        query = query.parent
        return not isinstance(query.parent, exp.Insert)
    return (
        isinstance(query, exp.Select)
        and node.arg_key == "expressions"
        and not isinstance(query.parent, (*_SET_OPERATIONS, exp.Insert))
    )
