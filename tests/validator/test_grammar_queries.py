"""Queries and changes: what PostgreSQL's own parser sees in a text, and in which clause, the grammar sees too."""

from collections import Counter
from typing import Any

import pglast
import pytest
from pglast import ast
from pglast.visitors import Skip
from sqlglot import exp
from support.mutations import mutations
from support.postgresql_query_shapes import STATEMENTS, postgresql_statement
from support.query_shapes import our_statement
from test_grammar_definitions import Seen, functions, parsed, plain, statements, tables, types
from test_grammar_expressions import calls

from postgate.validator.dialect import parse
from postgate.validator.grammar.cursor import GrammarError
from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.accounting import account_for_text

QUERIES = statements("queries.sql")
REFUSED = statements("queries-refused.sql")
MUTATIONS = 12_000
# What PostgreSQL's grammar itself makes of a syntax.
MADE = {("timezone",), ("overlaps",), ("like_escape",), ("similar_to_escape",), ("xmlexists",), ("is_normalized",)}


class SeenInQuery(Seen):
    """Also the placeholders."""

    def __init__(self) -> None:
        super().__init__()
        self.placeholders: Counter[str] = Counter()

    def visit(self, ancestors: Any, node: Any) -> Any:
        if isinstance(node, ast.RangeVar) and is_locked(ancestors):
            return None  # the name of an item of FROM
        if isinstance(node, ast.MultiAssignRef) and node.colno > 1:
            return Skip  # the tree has the row of (a, b) = (1, 2) once for each column
        super().visit(ancestors, node)
        if isinstance(node, ast.ParamRef):
            self.placeholders[str(node.number)] += 1
        return None


def is_locked(ancestors: Any) -> bool:
    while ancestors:
        if isinstance(ancestors.node, ast.LockingClause):
            return True
        ancestors = ancestors.parent
    return False


def assert_same(sql: str, root: exp.Expression) -> None:
    """The same names in any statement; in a query or change also the same shape."""
    trees = pglast.parse_sql(sql)
    seen = SeenInQuery()
    seen(trees)
    assert plain(tables(root)) == plain(seen.names), sql
    assert plain(seen.functions) - MADE <= plain(functions(root)), sql
    assert plain(types(root)) == plain(seen.types), sql
    assert Counter(placeholder.this for placeholder in root.find_all(exp.Placeholder)) == seen.placeholders, sql
    statement = trees[0].stmt
    if isinstance(statement, STATEMENTS):
        assert our_statement(root) == postgresql_statement(statement), sql


@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_is_read_as_postgresql_reads_it(sql: str) -> None:
    (root,), tokens = parse(sql)
    assert_same(sql, root)
    account_for_text(ParsedStatement(sql, root, tokens))


@pytest.mark.parametrize("sql", REFUSED)
def test_what_postgresql_refuses_is_refused(sql: str) -> None:
    with pytest.raises(pglast.Error):
        pglast.parse_sql(sql)
    with pytest.raises(GrammarError):
        parse(sql)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1 INTO TEMP t", "temporary tables are not allowed"),
        ("SELECT 1 FROM s.t FOR UPDATE OF s.t", "takes the plain names of the FROM clause"),
        ("SELECT 1 OFFSET f(1)[1] ROWS", "syntax error"),
        ("SELECT * FROM a.b.c.d", "a name has at most three parts"),
        ("SELECT * FROM t TABLESAMPLE a.b.c(1)", "may not be qualified with a database"),
        ("UPDATE t SET a = 1 WHERE CURRENT OF c", "cursors are not allowed"),
        ("UPDATE t SET (a, b) = (c).d", "syntax error"),
        ("DECLARE c CURSOR FOR SELECT 1", "DECLARE is not allowed"),
        ("BEGIN", "each request is one transaction"),
    ],
)
def test_what_the_grammar_does_not_read(sql: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        parse(sql)


def test_whatever_is_accepted_means_the_same_to_postgresql() -> None:
    accepted = 0
    for sql in mutations(QUERIES, MUTATIONS, seed=7):
        root = parsed(sql)
        if root is not None:
            accepted += 1
            assert_same(sql, root)
    assert accepted > MUTATIONS // 50


@pytest.mark.parametrize(
    ("opening", "inside", "closing"),
    [
        ("(", "SELECT 1", ")"),
        ("(TABLE a UNION ", "TABLE b", ")"),
        ("SELECT * FROM (", "SELECT 1", ") a"),
        ("SELECT (", "SELECT 1", ")"),
        ("WITH a AS (", "TABLE b", ") TABLE a"),
        ("WITH a AS (", "DELETE FROM b", ") DELETE FROM a"),
    ],
)
def test_nesting_is_read_up_to_a_limit(opening: str, inside: str, closing: str) -> None:
    sql = f"{opening * 20}{inside}{closing * 20}"
    (root,), _ = parse(sql)
    assert_same(sql, root)
    for text in (f"{opening * 500}{inside}{closing * 500}", opening * 500):
        with pytest.raises(GrammarError, match="nested more than"):
            parse(text)


@pytest.mark.parametrize(
    ("start", "link", "end"),
    [
        ("TABLE a", " UNION TABLE a", ""),
        ("SELECT * FROM a", " CROSS JOIN b", ""),
        ("SELECT * FROM a JOIN b", " CROSS JOIN c", " ON true"),
        ("SELECT * FROM ((SELECT 1) a", " CROSS JOIN b", ")"),
    ],
)
def test_a_chain_is_read_up_to_a_limit(start: str, link: str, end: str) -> None:
    sql = f"{start}{link * 900}{end}"
    (root,), _ = parse(sql)
    assert root.find(exp.Table) is not None
    with pytest.raises(GrammarError, match="more than"):
        parse(f"{start}{link * 2_001}{end}")


@pytest.mark.parametrize(
    ("start", "link"),
    [
        ("SELECT a", ", b AS c"),
        ("SELECT 1 FROM a", ", b AS c"),
        ("SELECT 1 FROM a", " JOIN b ON c = d"),
        ("TABLE a", " UNION ALL SELECT 1 FROM b"),
        ("TABLE a", " EXCEPT (((TABLE b)))"),
        ("VALUES (1)", ", (1, $1, 'x')"),
        ("INSERT INTO t SELECT 1 FROM a", ", ((((SELECT 1)) b CROSS JOIN c))"),
        ("WITH a AS (TABLE b)", ", a AS (TABLE b)"),
    ],
)
def test_a_parse_takes_time_in_proportion_to_the_text(start: str, link: str) -> None:
    end = " TABLE a" if start.startswith("WITH") else ""
    assert calls(start + link * 400 + end) < 4.2 * calls(start + link * 100 + end)
