"""Whom PostgreSQL runs as: ourselves, or, because it refuses root, an account that owns the data."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# Another server's settings in our environment must not reach this one.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("PG")}


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    name: str

    @classmethod
    def for_files_of(cls, directory: Path) -> Account:
        """Ourselves; for root whoever owns the directory already, else `postgres` or `nobody`."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), "")
        if directory.exists() and (owner := directory.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid, f"uid {owner.st_uid}")
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, name)
        raise OSError("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")

    @property
    def is_other(self) -> bool:
        return self.uid != os.geteuid()

    def own(self, path: Path) -> None:
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def closed_above(self, path: Path) -> list[Path]:
        """The directories above the path that the account may not pass; those that do not exist yet are left out."""
        if not self.is_other:
            return []
        # A link is passed by the way to it too.
        parents = {*path.absolute().parents, *path.resolve().parents}
        existing = (parent for parent in sorted(parents) if parent.is_dir())
        return [directory for directory in existing if not self._may_pass(directory.stat())]

    def _may_pass(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)

    def run(self, command: Sequence[str | Path], cwd: Path) -> subprocess.CompletedProcess[bytes]:
        """Run to the end, collecting what it prints."""
        with self.spawn(command, cwd, subprocess.PIPE) as process:
            try:
                output, _ = process.communicate()
            except BaseException:
                # Whoever is interrupted here leaves nothing that works on.
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, b"", output)

    def spawn(self, command: Sequence[str | Path], cwd: Path, log: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start in a session of its own, with both outputs going to `log`."""
        other = self.is_other
        return subprocess.Popen(  # noqa: S603
            [str(part) for part in command],
            cwd=cwd,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=self.uid if other else None,
            group=self.gid if other else None,
            extra_groups=[] if other else None,
        )
