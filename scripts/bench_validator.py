"""What the validator costs: the largest statement of every construct, and typical statements cold and warm.

    python scripts/bench_validator.py

The first table fills the largest allowed text with one construct each, and shows what it takes us to judge it and
PostgreSQL to read it: its scanner and parser look at no interrupt, so nothing else bounds that time. The second shows
the first judgement of a text, one that is remembered, and what PostgreSQL's own parser (pglast) takes for the text.
"""

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import pglast
import psycopg
from support.paths import a_directory

from postgate import embedded
from postgate.operations import OPERATIONS
from postgate.server.gunicorn import settle_interpreter
from postgate.validator import Facts, Tenant, TextLimits, Validator
from postgate.validator.analysis import analyse
from postgate.validator.reading.lexer import LexError, tokenize

# Each is a beginning, what is repeated with its number for #, what stands between, and an end.
CONSTRUCTS = {
    "IN list": ("SELECT * FROM t WHERE id IN (", "#", ",", ")"),
    "IN list of strings": ("SELECT * FROM t WHERE id IN (", "'a#'", ",", ")"),
    "rows of parameters": ("INSERT INTO t (a, b, c) VALUES ", "($1, $2, $3)", ",", ""),
    "rows of constants": ("INSERT INTO t (a, b, c) VALUES ", "(#, 'x', NULL)", ",", ""),
    "array": ("SELECT ARRAY[", "#", ",", "]"),
    "arrays": ("SELECT ", "ARRAY[#]", ",", ""),
    "conjunction": ("SELECT 1 FROM t WHERE ", "id = #", " AND ", ""),
    "sum": ("SELECT ", "#", "+", ""),
    "comparisons": ("SELECT ", "a < #", ",", ""),
    "signs": ("SELECT ", "- 1", ",", ""),
    "IS NULL": ("SELECT ", "a IS NOT NULL", ",", ""),
    "BETWEEN": ("SELECT ", "a BETWEEN 1 AND 2", ",", ""),
    "LIKE": ("SELECT ", "a LIKE 'x' ESCAPE '!'", ",", ""),
    "JSON operators": ("SELECT ", "a -> 'x' ->> 'y'", ",", ""),
    "calls": ("SELECT ", "f(a)", ",", ""),
    "built-in calls": ("SELECT ", "lower(a)", ",", ""),
    "aggregates": ("SELECT ", "sum(DISTINCT a ORDER BY b) FILTER (WHERE c)", ",", ""),
    "windows": ("SELECT ", "f() OVER (PARTITION BY a ORDER BY b)", ",", ""),
    "casts": ("SELECT ", "a::int", ",", ""),
    "CAST": ("SELECT ", "CAST(a AS numeric(1, 2))", ",", ""),
    "typed constants": ("SELECT ", "date 'x'", ",", ""),
    "subscripts": ("SELECT ", "a[1]", ",", ""),
    "columns": ("SELECT ", "a", ",", " FROM t"),
    "qualified columns": ("SELECT ", "a.b.c", ",", ""),
    "quoted columns": ("SELECT ", '"a#"', ",", ""),
    "aliases": ("SELECT ", "a AS b#", ",", ""),
    "CASE": ("SELECT ", "CASE WHEN a THEN b END", ",", ""),
    "subqueries": ("SELECT ", "(SELECT a FROM b)", ",", ""),
    "EXISTS": ("SELECT 1 WHERE ", "EXISTS (SELECT FROM b)", " OR ", ""),
    "rows": ("SELECT ", "(1, 2)", ",", ""),
    "parentheses": ("SELECT ", "((1))", ",", ""),
    "relations": ("SELECT 1 FROM ", "t#", ",", ""),
    "joins": ("SELECT 1 FROM a ", "JOIN a b# ON true", " ", ""),
    "unions": ("SELECT ", "1", " UNION SELECT ", ""),
    "CTEs": ("WITH ", "c# AS (SELECT 1)", ",", " SELECT 1"),
    "CTEs in a chain": ("WITH c AS (SELECT 1), ", "c# AS (SELECT * FROM c)", ",", " SELECT 1"),
    "grouping sets": ("SELECT 1 FROM t GROUP BY GROUPING SETS (", "(a, b)", ",", ")"),
    "sort keys": ("SELECT 1 FROM t ORDER BY ", "a DESC NULLS LAST", ",", ""),
    "assignments": ("UPDATE t SET ", "a# = #", ",", ""),
    "MERGE actions": ("MERGE INTO t USING u ON true ", "WHEN MATCHED THEN DELETE", " ", ""),
    "column definitions": ("CREATE TABLE t (", "c# int", ",", ")"),
    "constraints": ("CREATE TABLE t (", "c# text NOT NULL DEFAULT 'x' CHECK (c# <> '')", ",", ")"),
    "alterations": ("ALTER TABLE t ", "ADD COLUMN c# int", ",", ""),
    "labels of an enum": ("CREATE TYPE t AS ENUM (", "'a#'", ",", ")"),
    "dropped tables": ("DROP TABLE ", "t#", ",", ""),
    "names with escapes": ("SELECT ", 'U&"d\\0061t" AS a#', ",", ""),
    "comments": ("SELECT ", "1 /* /* # */ */", ",", ""),
    "one long string": ("SELECT '", "a ''", "", "'"),
    "one long comment": ("SELECT 1 /*", " a", "", "*/"),
    "many comments": ("SELECT 1 ", "/**/", "", ""),
    "nested comments": ("SELECT 1 /*", "/**/", "", "*/"),
    "line comments": ("SELECT 1 ", "--\n", "", ""),
    "escapes": ("SELECT E'", "\\n", "", "'"),
    "escapes of Unicode": ("SELECT E'", "\\u0041", "", "'"),
    "names in Unicode": ("SELECT U&'", "\\0041", "", "'"),
    "continued strings": ("SELECT ", "'a'\n", "", ""),
    "continued escapes": ("SELECT E'\\n'\n", "'\\n'\n", "", ""),
    "one long number": ("SELECT ", "1_", "", "1"),
    "one long operator": ("SELECT 1 ", "+", "", ""),
    "newlines before names": ("\n" * 900_000 + "SELECT ", "me.t.c", ",", ""),
    "defaults": ("CREATE TABLE t (a int DEFAULT ", "nextval('s')", "+", ")"),
    "nested subscripts": ("SELECT ", "a[a[a[a[1]]]]", ",", ""),
    "nested groups": ("SELECT ", "((((((((((((((((1))))))))))))))))", ",", ""),
    "deeply nested groups": ("SELECT ", "(" * 120 + "1" + ")" * 120, ",", ""),
    "deeply nested queries": ("SELECT ", "(" * 120 + "SELECT 1" + ")" * 120, ",", ""),
    "CASTs in a chain": ("SELECT a", "::me.t", "", ""),
}
DEEP = {
    "nested parentheses": ("(", "1", ")"),
    "nested calls": ("date(", "1", ")"),
    "nested CASE": ("CASE WHEN true THEN ", "1", " END"),
    "nested subqueries": ("(SELECT ", "1", ")"),
    "nested arrays": ("ARRAY[", "1", "]"),
    "nested NOT": ("NOT ", "true", ""),
}
TYPICAL = (
    "SELECT id, name FROM users WHERE id = $1",
    "INSERT INTO users (name, email, created_at) VALUES ($1, $2, now()) RETURNING id",
    "UPDATE users SET name = $1, updated_at = now() WHERE id = $2",
    "DELETE FROM sessions WHERE expires_at < now()",
    "SELECT u.id, u.name, count(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id, u.name"
    " HAVING count(o.id) > 3 ORDER BY 3 DESC LIMIT 20 OFFSET 40",
    "INSERT INTO stock (sku, n) VALUES ($1, $2) ON CONFLICT (sku) DO UPDATE SET n = stock.n + excluded.n RETURNING n",
    "WITH RECURSIVE tree AS (SELECT id, parent FROM nodes WHERE id = $1 UNION ALL SELECT n.id, n.parent FROM nodes n"
    " JOIN tree t ON n.parent = t.id) SELECT * FROM tree",
    "SELECT day, sum(total) OVER (PARTITION BY shop ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) FROM sales",
    "SELECT data ->> 'name', jsonb_array_length(data -> 'tags') FROM docs WHERE data @> '{\"live\": true}'::jsonb",
    "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int NOT NULL REFERENCES users"
    " (id) ON DELETE CASCADE, total numeric(12, 2) NOT NULL CHECK (total >= 0), placed_at timestamptz DEFAULT now())",
)
ROUNDS = 3


def main() -> None:
    settle_interpreter()
    limits = TextLimits()
    validator = Validator(limits)
    tenant = Tenant("mine", frozenset(OPERATIONS))
    print(f"Largest allowed text of each construct ({limits.steps} steps, {limits.characters} characters)\n")
    print(f"{'construct':22}{'items':>9}{'kB':>8}{'ms':>8}{'PostgreSQL ms':>15}  outcome")
    worst = worst_server = 0.0
    texts = [(name, *largest(parts, limits)) for name, parts in CONSTRUCTS.items()]
    count = limits.nesting // 4
    texts += [
        (name, count, f"SELECT {start * count}{inner}{end * count}") for name, (start, inner, end) in DEEP.items()
    ]
    with (
        a_directory("postgate-bench-") as directory,
        embedded.running(directory, durable=False) as conninfo,
        psycopg.connect(conninfo, autocommit=True) as connection,
    ):
        for name, count, text in texts:
            ours, server = report(name, count, text, limits, connection)
            worst, worst_server = max(worst, ours), max(worst_server, server)
    print(f"\nworst: {worst * 1000:.0f} ms, PostgreSQL {worst_server * 1000:.0f} ms\n")
    print(f"{'typical statement':62}{'cold us':>9}{'warm us':>9}{'pglast us':>11}")
    for sql in TYPICAL:
        cold = seconds(lambda sql=sql: analyse(sql), 200)
        validator.judge(sql, tenant)
        warm = seconds(lambda sql=sql: validator.judge(sql, tenant), 2_000)
        oracle = seconds(lambda sql=sql: pglast.parse_sql(sql), 200)
        print(f"{sql[:60]:62}{cold * 1e6:9.0f}{warm * 1e6:9.1f}{oracle * 1e6:11.0f}")


def largest(parts: tuple[str, str, str, str], limits: TextLimits) -> tuple[int, str]:
    """The most items that the limits let through."""
    fits = halve(lambda count: is_short(built(parts, count), limits), limits.steps)
    if fits == limits.steps:
        # It is no token that repeats, but what one token is made of.
        fits = (limits.characters - len(parts[0]) - len(parts[3])) // len(parts[1] + parts[2])
    elif not is_allowed(built(parts, fits), limits):
        # Chains have bounds of their own.
        fits = halve(lambda count: is_allowed(built(parts, count), limits), fits)
    return fits, built(parts, fits)


def halve(passes: Callable[[int], bool], most: int) -> int:
    """The largest count up to `most` that passes."""
    fits, too_many = 1, most + 1
    while too_many - fits > 1:
        count = (fits + too_many) // 2
        fits, too_many = (count, too_many) if passes(count) else (fits, count)
    return fits


def is_short(text: str, limits: TextLimits) -> bool:
    try:
        tokenize(text, limits)
    except LexError:
        return False
    return True


def is_allowed(text: str, limits: TextLimits) -> bool:
    outcome = analyse(text, limits)
    return isinstance(outcome, Facts) or "more than" not in outcome.message


def built(parts: tuple[str, str, str, str], count: int) -> str:
    opening, item, between, closing = parts
    return opening + between.join(item.replace("#", str(number)) for number in range(count)) + closing


def report(name: str, count: int, text: str, limits: TextLimits, connection: psycopg.Connection) -> tuple[float, float]:
    """Print a line; the seconds that we and PostgreSQL take."""
    taken = min(seconds(lambda: analyse(text, limits)) for _ in range(ROUNDS))
    outcome = analyse(text, limits)
    sent = (isinstance(outcome, Facts) and outcome.text) or text
    server = min(seconds(lambda: connection.pgconn.prepare(b"", sent.encode())) for _ in range(ROUNDS))
    said = "accepted" if isinstance(outcome, Facts) else outcome.message[:60]
    print(f"{name:22}{count:9}{len(text) / 1000:8.0f}{taken * 1000:8.0f}{server * 1000:15.0f}  {said}")
    return taken, server


def seconds(work: Callable[[], object], times: int = 1) -> float:
    gc.collect()
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times


if __name__ == "__main__":
    main()
