"""Install the packages of a lock file, and this checkout, into .venv: for the Makefile, which runs it by any Python.

Usage: install.py LOCK STAMP; the file STAMP is touched when all is installed.
"""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PIP = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
THE_CHECKOUT = ["--no-deps", "--no-build-isolation", "--editable", ROOT]


def main(lock: Path, stamp: Path) -> None:
    # Two at once in one .venv would leave neither whole.
    with lock.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not is_newer(stamp, (lock, ROOT / "setup.cfg")):
            install(lock)
            stamp.touch()


def is_newer(stamp: Path, sources: tuple[Path, ...]) -> bool:
    return stamp.exists() and all(stamp.stat().st_mtime >= source.stat().st_mtime for source in sources)


def install(lock: Path) -> None:
    is_new = not VENV.exists()
    print(f"Installing what {lock.name} names into {VENV}", file=sys.stderr)
    try:
        run(sys.executable, "-m", "venv", VENV)
        run(*PIP, "--require-hashes", "-r", lock)
        run(*PIP, *THE_CHECKOUT)
    except BaseException:
        # A half one would be taken for a whole one.
        if is_new:
            shutil.rmtree(VENV, ignore_errors=True)
        raise


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    except subprocess.CalledProcessError:
        sys.exit("Error: it could not be installed, for the reason above; `make` tries again")
    except KeyboardInterrupt:
        sys.exit(130)
