"""Queries and changes: every name that PostgreSQL's own parser sees in a text, the grammar sees too."""

from typing import Any

import pglast
import pytest
from mutations import mutations
from pglast import ast
from sqlglot import exp
from test_grammar_definitions import Seen, functions, parsed, plain, statements, tables, types

from postgate.validator.dialect import parse
from postgate.validator.rules.accounting import account_for_text
from postgate.validator.statement import Statement

QUERIES = statements("queries.sql")
MUTATIONS = 12_000
# What PostgreSQL's grammar itself makes of a syntax.
MADE = {("timezone",), ("overlaps",), ("like_escape",), ("similar_to_escape",), ("xmlexists",), ("is_normalized",)}


class SeenInQuery(Seen):
    """Also the placeholders."""

    def __init__(self) -> None:
        super().__init__()
        self.placeholders: set[str] = set()

    def visit(self, ancestors: Any, node: Any) -> None:
        if isinstance(node, ast.RangeVar) and is_locked(ancestors):
            return  # the name of an item of FROM
        super().visit(ancestors, node)
        if isinstance(node, ast.ParamRef):
            self.placeholders.add(str(node.number))


def assert_same(sql: str, root: exp.Expression) -> None:
    seen = SeenInQuery()
    seen(pglast.parse_sql(sql))
    assert plain(tables(root)) == plain(seen.names), sql
    assert plain(seen.functions) - MADE <= plain(functions(root)), sql
    assert plain(types(root)) == plain(seen.types), sql
    assert {placeholder.this for placeholder in root.find_all(exp.Placeholder)} == seen.placeholders, sql


def is_locked(ancestors: Any) -> bool:
    while ancestors:
        if isinstance(ancestors.node, ast.LockingClause):
            return True
        ancestors = ancestors.parent
    return False


@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_is_read_as_postgresql_reads_it(sql: str) -> None:
    (root,), tokens = parse(sql)
    assert_same(sql, root)
    account_for_text(Statement(sql, root, tokens))


def test_whatever_is_accepted_has_the_same_names_for_postgresql() -> None:
    accepted = 0
    for sql in mutations(QUERIES, MUTATIONS, seed=7):
        root = parsed(sql)
        if root is None:
            continue
        try:
            pglast.parse_sql(sql)
        except pglast.Error:
            continue  # refused later, by PostgreSQL
        accepted += 1
        assert_same(sql, root)
    assert accepted > MUTATIONS // 50
