"""A shell for the examples of a document."""

from collections.abc import Iterator

import pytest
from support.examples import Shell, a_shell
from support.paths import a_directory


@pytest.fixture
def shell() -> Iterator[Shell]:
    """In a checkout whose `data` is its own; not in pytest's directory, where root's PostgreSQL cannot go."""
    with a_directory("postgate test-") as directory, a_shell(directory) as shell:
        yield shell
