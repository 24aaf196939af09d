"""Which placeholders a statement has, where they stand, and for which PostgreSQL can infer no type."""

from collections import Counter

from sqlglot import exp

from postgate.validator.parsed import ParsedStatement


def collect_placeholders(statement: ParsedStatement) -> None:
    """Collect the highest placeholder, those in an IN, and those that are nothing but a whole output column of the
    outermost SELECT.

    PostgreSQL takes the last as text ("SELECT Output Columns" in the manual's chapter on type conversion), so
    there the type of the JSON value decides; everywhere else PostgreSQL does.
    """
    uses: Counter[int] = Counter()
    bare_uses: Counter[int] = Counter()
    for placeholder in statement.nodes(exp.Placeholder):
        number = int(placeholder.this)
        uses[number] += 1
        bare_uses[number] += _is_output_column(statement, placeholder)
        if _is_listed(placeholder):
            statement.listed.add(number)
    statement.placeholders = max(uses, default=0)
    statement.untyped = {number for number, count in uses.items() if bare_uses[number] == count}


def _is_listed(placeholder: exp.Placeholder) -> bool:
    """Whether it is one of the values of an IN."""
    node: exp.Expression = placeholder
    while isinstance(node.parent, exp.Paren | exp.Tuple):
        node = node.parent
    return isinstance(node.parent, exp.In) and node.arg_key == "expression"


def _is_output_column(statement: ParsedStatement, placeholder: exp.Placeholder) -> bool:
    """Whether it stands as a whole output column of the outermost SELECT, where nothing else could give it a type."""
    node: exp.Expression = placeholder
    while isinstance(node.parent, exp.Paren | exp.Alias):
        node = node.parent
    root = statement.root.this if isinstance(statement.root, exp.Describe) else statement.root
    while isinstance(root, exp.Subquery):
        root = root.this
    if not isinstance(root, exp.Select) or root.args.get("into") is not None:
        return False
    return node.parent is root and node.arg_key == "expressions"
