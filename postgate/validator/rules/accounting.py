"""The last rule: whatever the lexer saw must be found again in the tree."""

from sqlglot import exp

from postgate.validator.lists.keywords import KEYWORDS
from postgate.validator.parsed import ParsedStatement

_PLACES = (exp.Identifier, exp.Literal, exp.Placeholder, exp.Tuple)
_PLACED_KINDS = frozenset({"QIDENT", "SCONST", "BCONST", "XCONST", "ICONST", "FCONST", "PARAM", "ROW"})


def account_for_text(statement: ParsedStatement) -> None:
    """Refuse the text when a name, constant, placeholder or SELECT among its tokens is in no node of the tree.

    A keyword that shapes the statement needs no node; where it is used as a name, the node has its place.
    """
    placed = {node.args.get("pos") for node in statement.nodes(*_PLACES)}
    selects = 0
    for token in statement.tokens:
        if token.start in placed:
            continue
        if token.kind == "IDENT":
            if token.value == "select":
                selects += 1
                continue
            if token.value in KEYWORDS:
                continue
        elif token.kind not in _PLACED_KINDS:
            continue
        statement.refuse(f"{token.text[:60]!r} at character {token.start + 1} is not understood", reason="syntax")
    if selects != sum(not select.args.get("table") for select in statement.nodes(exp.Select)):
        statement.refuse("a SELECT of the statement is not understood", reason="syntax")
