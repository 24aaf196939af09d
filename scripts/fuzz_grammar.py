"""Compare the grammar with PostgreSQL's own parser on mutated statements, until a difference or the end.

    python scripts/fuzz_grammar.py [COUNT] [SEED]

For every text that the grammar accepts, PostgreSQL's parser must see the same relations, types and placeholders, and
no function that the grammar does not see. A text that PostgreSQL refuses is only counted: it would never run.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "validator")]

import pglast  # noqa: E402
from support.mutations import mutations  # noqa: E402
from support.sample import corpus  # noqa: E402
from test_grammar_definitions import ACCEPTED, parsed  # noqa: E402
from test_grammar_queries import QUERIES, assert_same  # noqa: E402


def main(count: int = 100_000, seed: int = 1) -> int:
    started = time.monotonic()
    accepted = refused_later = different = 0
    for number, sql in enumerate(mutations(list(statements()), count, seed), 1):
        if number % 10_000 == 0:
            print(f"\r{number} texts, {accepted} accepted, {different} different", end="", flush=True)
        root = parsed(sql)
        if root is None:
            continue
        try:
            pglast.parse_sql(sql)
        except pglast.Error:
            refused_later += 1
            continue
        accepted += 1
        try:
            assert_same(sql, root)
        except AssertionError:
            different += 1
            print(f"\ndifferent: {sql}")
    print(
        f"\r{count} texts in {time.monotonic() - started:.0f} s: {accepted} accepted by both, {refused_later} by the "
        f"grammar alone, {different} different"
    )
    return min(different, 1)


def statements() -> Iterator[str]:
    yield from QUERIES
    yield from ACCEPTED
    for name in ("accepts.jsonl", "attacks.jsonl"):
        for case in corpus(name):
            sql = case.get("sql")
            if sql and len(sql) < 2_000 and "{{rep" not in sql and "{{seq" not in sql:
                yield sql.replace("{{", "").replace("}}", "")


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
