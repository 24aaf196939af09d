"""Where things are, for tests in any folder."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"


@contextmanager
def a_directory(prefix: str = "postgate-test-") -> Iterator[Path]:
    """A temporary directory for the data of a PostgreSQL, which as root is another's: pytest's own is closed to it."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


def copy_of_the_checkout(directory: Path, *names: str) -> None:
    """Copy these files and folders of the checkout into a directory, with what the package is built from."""
    for name in ("postgate", "alembic", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", *names):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, directory / name)


@contextmanager
def open_checkout() -> Iterator[None]:
    """As root, let others pass the directories above the checkout meanwhile: PostgreSQL's binaries are in it."""
    modes = {directory: stat.S_IMODE(directory.stat().st_mode) for directory in (ROOT, *ROOT.parents)}
    closed = [directory for directory, mode in modes.items() if os.geteuid() == 0 and not mode & stat.S_IXOTH]
    for directory in closed:
        directory.chmod(modes[directory] | stat.S_IXOTH)
    try:
        yield
    finally:
        for directory in closed:
            directory.chmod(modes[directory])
