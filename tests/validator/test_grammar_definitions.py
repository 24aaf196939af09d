"""Definitions: what PostgreSQL's own parser sees in a text, the grammar sees too."""

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pglast
import pytest
from pglast import ast
from pglast.visitors import Visitor
from sqlglot import exp
from support.paths import FIXTURES

from postgate.validator.analysis import analyse
from postgate.validator.dialect import parse
from postgate.validator.facts import Facts, Refusal
from postgate.validator.grammar.cursor import GrammarError
from postgate.validator.lists.keywords import KEYWORDS
from postgate.validator.reading.lexer import LexError, tokenize

GRAMMAR = FIXTURES / "grammar"
MUTATIONS = 3_000

# Where PostgreSQL's tree has a name as a list of strings.
NAME_LISTS = {
    (ast.CreateEnumStmt, "typeName"),
    (ast.CreateRangeStmt, "typeName"),
    (ast.AlterEnumStmt, "typeName"),
    (ast.CreateDomainStmt, "domainname"),
    (ast.AlterDomainStmt, "typeName"),
    (ast.RenameStmt, "object"),
    (ast.CreateStatsStmt, "defnames"),
    (ast.AlterStatsStmt, "defnames"),
    (ast.CollateClause, "collname"),
    (ast.IndexElem, "collation"),
    (ast.IndexElem, "opclass"),
    (ast.PartitionElem, "collation"),
    (ast.PartitionElem, "opclass"),
}


def statements(name: str) -> list[str]:
    lines = (GRAMMAR / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("--")]


ACCEPTED = statements("definitions.sql")
REFUSED = statements("definitions-refused.sql")


class Seen(Visitor):
    """The relations and other qualifiable names, functions and types in PostgreSQL's tree."""

    def __init__(self) -> None:
        self.names: set[tuple[str, ...]] = set()
        self.functions: set[tuple[str, ...]] = set()
        self.types: set[tuple[str, ...]] = set()

    def visit(self, ancestors: Any, node: Any) -> None:
        for attribute in node:
            if (type(node), attribute) in NAME_LISTS and isinstance(getattr(node, attribute), tuple):
                self.names.add(dotted(getattr(node, attribute)))
        if isinstance(node, ast.RangeVar):
            parts = (node.catalogname, node.schemaname, node.relname)
            self.names.add(tuple(part for part in parts if part))
        elif isinstance(node, ast.FuncCall):
            self.functions.add(dotted(node.funcname))
        elif isinstance(node, ast.DropStmt | ast.CommentStmt):
            self._add_objects(node)
        elif isinstance(node, ast.TypeName) and not in_name_position(ancestors):
            self.types.add(dotted(node.names))

    def _add_objects(self, node: Any) -> None:
        objects = node.objects if isinstance(node, ast.DropStmt) else (node.object,)
        kind = node.removeType if isinstance(node, ast.DropStmt) else node.objtype
        for item in objects:
            names = item.names if isinstance(item, ast.TypeName) else item
            names = dotted(n for n in names if isinstance(n, ast.String)) or dotted(names[0].names)
            if kind in (pglast.enums.ObjectType.OBJECT_COLUMN, pglast.enums.ObjectType.OBJECT_TABCONSTRAINT):
                names = names[:-1]
            if kind == pglast.enums.ObjectType.OBJECT_DOMCONSTRAINT:
                names = dotted(item[0].names)
            self.names.add(names)


def in_name_position(ancestors: Any) -> bool:
    """Whether a type stands where only its name is meant."""
    while ancestors:
        node = ancestors.node
        if isinstance(node, ast.DropStmt | ast.CommentStmt | ast.CreateRangeStmt):
            return True
        if isinstance(node, ast.DefElem) and (node.defname != "as" or node.defnamespace):
            return True  # the value of a parameter
        ancestors = ancestors.parent
    return False


def dotted(names: Any) -> tuple[str, ...]:
    return tuple(name.sval for name in names)


def plain(names: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """PostgreSQL's grammar writes pg_catalog in front of what it knows by a keyword."""
    return {name[1:] if name[0] == "pg_catalog" and len(name) > 1 else name for name in names}


def tables(root: exp.Expression) -> set[tuple[str, ...]]:
    found = set()
    for table in root.find_all(exp.Table):
        parts = (table.args.get("catalog"), table.args.get("db"), table.this)
        if isinstance(table.this, exp.Identifier) and not is_option(table):
            found.add(tuple(part.name for part in parts if part))
    return found


OPTIONS_WITH_NAMES = frozenset(
    {
        "OWNED BY",
        "SEQUENCE NAME",
        "canonical",
        "subtype",
        "subtype_diff",
        "subtype_opclass",
        "collation",
        "multirange_type_name",
    }
)


def is_option(node: exp.Expression) -> bool:
    """Options of a range type or a sequence, which PostgreSQL's tree has as bare strings or as types."""
    option = node.find_ancestor(exp.Property)
    # LIKE has a table there.
    named = option is not None and option.this is not None and not isinstance(option.this, exp.Table)
    return named and option.this.name in OPTIONS_WITH_NAMES


def functions(root: exp.Expression) -> set[tuple[str, ...]]:
    found = set()
    for call in root.find_all(exp.Anonymous):
        schema = call.parent.this.name if isinstance(call.parent, exp.Dot) else None
        if not is_option(call):
            found.add((schema, call.this.name) if schema else (call.this.name,))
    return found


def types(root: exp.Expression) -> set[tuple[str, ...]]:
    found = set()
    for data_type in root.find_all(exp.DataType):
        kind = data_type.args["kind"]
        if not is_option(data_type):
            found.add((kind.this.name, kind.expression.name) if isinstance(kind, exp.Dot) else (kind.name,))
    return found


def assert_same(sql: str, root: exp.Expression) -> None:
    seen = Seen()
    seen(pglast.parse_sql(sql))
    assert plain(tables(root)) == plain(seen.names)
    assert plain(seen.functions) <= plain(functions(root))
    assert plain(types(root)) == plain(seen.types)


def parsed(sql: str) -> exp.Expression | None:
    """The tree of the one statement, None when the grammar refuses the text."""
    try:
        roots, _ = parse(sql)
    except (LexError, GrammarError):
        return None
    return roots[0] if len(roots) == 1 else None


@pytest.mark.parametrize("sql", ACCEPTED)
def test_a_definition_is_accepted_and_read_as_postgresql_reads_it(sql: str) -> None:
    (root,), _ = parse(sql)
    assert_same(sql, root)
    outcome = analyse(sql)
    assert isinstance(outcome, Facts), outcome
    tag = pglast.parse_sql(sql)[0].stmt
    assert TAGS[outcome.kind.split()[0]] & {type(tag).__name__}


TAGS = {
    "CREATE": {
        "CreateStmt", "CreateTableAsStmt", "IndexStmt", "ViewStmt", "CreateSeqStmt", "CreateEnumStmt",
        "CompositeTypeStmt", "CreateRangeStmt", "CreateDomainStmt", "CreateStatsStmt",
    },
    "ALTER": {
        "AlterTableStmt", "RenameStmt", "AlterSeqStmt", "AlterEnumStmt", "AlterDomainStmt", "AlterStatsStmt",
    },
    "DROP": {"DropStmt"},
    "TRUNCATE": {"TruncateStmt"},
    "COMMENT": {"CommentStmt"},
    "REFRESH": {"RefreshMatViewStmt"},
    "EXPLAIN": {"ExplainStmt"},
}  # fmt: skip


@pytest.mark.parametrize("sql", REFUSED)
def test_a_definition_is_refused(sql: str) -> None:
    assert isinstance(analyse(sql), Refusal)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE FUNCTION f() RETURNS int", "CREATE FUNCTION is not allowed"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int", "CREATE FUNCTION is not allowed"),
        ("DROP EVENT TRIGGER e", "DROP EVENT TRIGGER is not allowed"),
        ("ALTER TABLE t OWNER TO r", "OWNER TO is not allowed"),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ENABLE ROW LEVEL SECURITY is not allowed"),
        ("CREATE TEMP TABLE t (a int)", "CREATE TEMPORARY is not allowed"),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX CONCURRENTLY cannot run inside a transaction"),
        ("CREATE TABLE t (a int) WITH (user_catalog_table = true)", "Parameter user_catalog_table is not allowed"),
        ("ALTER TYPE text RENAME TO x", "Type text is built in and cannot be changed"),
    ],
)
def test_a_refusal_names_the_construct(sql: str, message: str) -> None:
    outcome = analyse(sql)
    assert isinstance(outcome, Refusal)
    assert outcome.message.startswith(message)


def mutations(count: int, seed: int) -> Iterator[str]:
    """Fixtures with a token exchanged for a keyword, or with a piece of another where both have the same token."""
    source = random.Random(seed)  # noqa: S311 - no secret
    texts = [[token.text for token in tokenize(sql)] for sql in ACCEPTED]
    keywords = sorted(KEYWORDS)
    places: dict[str, list[tuple[list[str], int]]] = defaultdict(list)
    for tokens in texts:
        for place, text in enumerate(tokens):
            places[text.lower()].append((tokens, place))
    for _ in range(count):
        tokens = list(source.choice(texts))
        place = source.randrange(len(tokens))
        if source.random() < 0.5:
            tokens[place] = source.choice(keywords)
        else:
            other, start = source.choice(places[tokens[place].lower()])
            piece = other[start : start + source.randint(1, 8)]
            tokens[place : place + source.randint(1, 8)] = piece
        yield " ".join(tokens)


def test_whatever_is_accepted_means_the_same_to_postgresql() -> None:
    accepted = 0
    for sql in mutations(MUTATIONS, seed=3):
        root = parsed(sql)
        if root is not None:
            accepted += 1
            assert_same(sql, root)
    assert accepted > MUTATIONS // 10
