"""Names inside string literals: `nextval('orders_id_seq')`, `'orders'::regclass`."""

import re

from sqlglot import exp

from postgate.validator.hints import HELPERS
from postgate.validator.parsed import ParsedStatement

# Stricter than PostgreSQL's own reading (textToQualifiedNameList): no blanks, no numbers, at most one qualifier.
_NAME = re.compile(r'(?:"((?:[^"]|"")+)"|([A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*))', re.ASCII)
# Two names of 63 bytes, each of them a quote that is doubled, and what is around them.
_MAX_CHARACTERS = 2 * (2 * 63 + 2) + 1
_RESERVED = re.compile(r"_*pg_")


def is_system_name(name: str) -> bool:
    """Whether a relation or type of this name is, or may become, PostgreSQL's own; PostgreSQL keeps pg_ to itself
    and names an array type after its element type with leading underscores."""
    return _RESERVED.match(name) is not None


def judge_name_literal(
    statement: ParsedStatement, node: exp.Expression | None, what: str, *, is_relation: bool = True
) -> str:
    """Take the relation (or other object) that a string names as one of the statement, or refuse; its name.

    Only a literal can be judged before it runs: a parameter or an expression could name anything.
    """
    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Literal) or not node.is_string:
        statement.refuse(f"{what} needs the name as a string literal", node)
    schema, name = _split(statement, node, what)
    if schema == "pg_catalog" and not is_relation:
        return name
    if schema is not None:
        statement.qualify(schema, node)
    elif is_relation and is_system_name(name):
        statement.refuse(f'"{name}" is a system catalog and not accessible', node, "system_catalog", HELPERS)
    if is_relation:
        statement.relations.add((schema, name))
    return name


def _split(statement: ParsedStatement, literal: exp.Literal, what: str) -> tuple[str | None, str]:
    text = literal.name
    if len(text) > _MAX_CHARACTERS:
        statement.refuse(f"{what} needs a plain name, not {text[:80]!r}", literal)
    names: list[str] = []
    offset = 0
    while match := _NAME.match(text, offset):
        quoted, plain = match.groups()
        names.append(quoted.replace('""', '"') if quoted else _fold(plain))
        offset = match.end()
        if offset == len(text):
            break
        if text[offset] != ".":
            names.clear()
            break
        offset += 1
    if offset != len(text) or text.endswith(".") or not 1 <= len(names) <= 2:
        statement.refuse(f"{what} needs a plain name, not {text[:80]!r}", literal)
    return (names[0], names[1]) if len(names) == 2 else (None, names[0])


def _fold(name: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)
