"""Texts that are nearly statements."""

import random
from collections.abc import Iterator

from postgate.validator.lists.keywords import KEYWORDS
from postgate.validator.reading.lexer import LexError, tokenize


def mutations(statements: list[str], count: int, seed: int) -> Iterator[str]:
    """Statements with words exchanged, left out, added or doubled, or with a piece of another one."""
    source = random.Random(seed)  # noqa: S311 - no secret
    texts = [words for sql in statements if (words := split(sql))]
    words = sorted({word for text in texts for word in text} | KEYWORDS)
    for _ in range(count):
        tokens = list(source.choice(texts))
        for _ in range(source.randint(1, 3)):
            place, other = source.randrange(len(tokens)), source.choice(texts)
            start = source.randrange(len(other))
            replaced, added = source.choice(
                [(0, [source.choice(words)]), (1, [source.choice(words)]), (1, []), (0, other[start : start + 8])]
            )
            tokens[place : place + replaced] = added
            tokens = tokens or ["SELECT"]
        yield " ".join(tokens)


def split(sql: str) -> list[str]:
    """The words and signs of a text; none when PostgreSQL's scanner refuses it."""
    try:
        return [token.text for token in tokenize(sql)]
    except LexError:
        return []
