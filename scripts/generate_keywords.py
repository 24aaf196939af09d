"""Write postgate/validator/lists/keywords.txt from running servers, one of every supported version.

Usage: python scripts/generate_keywords.py CONNINFO...
"""

import sys
from pathlib import Path

import psycopg

TARGET = Path(__file__).parent.parent / "postgate" / "validator" / "lists" / "keywords.txt"
# From the most to the least restricted; where versions differ, the most restricted one counts.
CATEGORIES = "RTCU"
QUERY = "SELECT word, catcode, barelabel FROM pg_get_keywords()"


def main(conninfos: list[str]) -> None:
    keywords: dict[str, tuple[str, bool]] = {}
    for conninfo in conninfos:
        with psycopg.connect(conninfo) as connection:
            for word, category, bare in connection.execute(QUERY):
                known, known_bare = keywords.get(word, ("U", True))
                keywords[word] = (min(known, category, key=CATEGORIES.index), known_bare and bare)
    lines = [f"{word} {category} {'t' if bare else 'f'}\n" for word, (category, bare) in sorted(keywords.items())]
    TARGET.write_text("".join(lines))
    print(f"{len(lines)} keywords of {len(conninfos)} servers")


if __name__ == "__main__":
    main(sys.argv[1:])
