"""A fresh checkout, by make alone."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import copy_of_the_checkout
from support.processes import environment

# Says that it is as old, and can do nothing but say so.
OLD_PYTHON = """#!{executable}
import sys
sys.version_info = (3, 9, 2, "final", 0)
assert sys.argv[1] == "-c"
exec(sys.argv[2])
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    copy_of_the_checkout(tmp_path, "scripts", "Makefile", "requirements.lock", "requirements-dev.lock")
    return tmp_path


def make(checkout: Path, *arguments: str) -> subprocess.Popen[str]:
    command = ["make", f"PYTHON={sys.executable}", *arguments]
    # Not as a part of the `make test` that we run in.
    env = {name: value for name, value in environment().items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.Popen(command, cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.timeout(400)
def test_two_at_once_install_once(checkout: Path) -> None:
    both = [make(checkout, ".venv/run") for _ in range(2)]
    # Where pip keeps nothing, all is fetched anew.
    said = [process.communicate(timeout=380)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "".join(said) == f"Installing what requirements.lock names into {checkout / '.venv'}\n"
    version = [checkout / ".venv" / "bin" / "postgate", "--version"]
    assert subprocess.check_output(version, text=True, cwd="/").startswith("postgate, version ")


def test_an_old_python_is_told(checkout: Path) -> None:
    old = checkout / "python3.9"
    old.write_text(OLD_PYTHON.format(executable=sys.executable))
    old.chmod(0o755)
    for target in ("run", "test"):
        process = make(checkout, f"PYTHON={old}", target)
        first, *_ = process.communicate(timeout=60)[0].splitlines()
        assert process.returncode == 2
        assert first == (
            f"Error: postgate needs Python 3.11 or newer, and {old} is 3.9;"
            " name another one: make PYTHON=python3.11 ..."
        )
        assert not (checkout / ".venv").exists()


def test_a_failed_installation_leaves_nothing(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("there-is-no-such-package-of-postgate==1.0 --hash=sha256:00\n")
    process = make(checkout, ".venv/run")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "it could not be installed" in said
    assert not (checkout / ".venv").exists()
