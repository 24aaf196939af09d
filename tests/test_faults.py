"""Every write is accounted for, whatever breaks: the quick half of `make faults`."""

import os
import re
import subprocess
import sys

from support.paths import ROOT


def test_no_write_is_lost_doubled_or_misreported() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("POSTGATE_", "DATABASE_"))}
    command = [sys.executable, "scripts/faults", "--quick"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = re.findall(r"^(\w[\w ]*\w) +[\d.]+ +[\d.]+ +(\d+) +(\d+) +(\d+)  .* of (\d+)$", ran.stdout, re.MULTILINE)
    assert len(rows) == 8, ran.stdout
    for name, *counts, writes in rows:
        assert counts == ["0", "0", "0"], name
        # The fault has hit somebody who was at work.
        assert int(writes) > 100, ran.stdout
