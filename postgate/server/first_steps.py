"""What a new installation prints: the line that makes the admin token, and the first question."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import psycopg

from postgate.config import Config
from postgate.server.listening import address

ADMIN_DATABASE = "00000000-0000-0000-0000-000000000000"
FIRST_SQL = "SELECT id, name, max_rows FROM postgate_databases"


def first_steps(ready: Config, configured: Config) -> str:
    """What to paste into another terminal, as long as nobody has a token; "" afterwards.

    Args:
        ready: the config of the running service, whose database is reachable.
        configured: the config as the environment gives it, where the embedded database has no conninfo.
    """
    if ready.conninfo is None or _has_tokens(ready.conninfo):
        return ""
    script = Path(sys.executable).with_name("postgate")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "postgate"]
    where = "" if configured.conninfo else f"POSTGATE_DATA_DIR={shlex.quote(str(ready.data_dir.absolute()))} "
    generate = f"{where}{shlex.join(command)} gen-token {ADMIN_DATABASE}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(ready.host, ready.host)  # noqa: S104
    url = f"http://{address(host, ready.port)}/query"
    same = " (where the same database settings are in the environment)" if configured.conninfo else ""
    return (
        f"\nThere is no token yet. In another terminal{same}, this makes the admin token, and asks the first question"
        f" with it:\n\n  TOKEN=$({generate})\n"
        f"""  curl -s {shlex.quote(url)} -H "Authorization: Bearer $TOKEN" -d '{{"sql": "{FIRST_SQL}"}}'\n\n"""
    )


def _has_tokens(conninfo: str) -> bool:
    try:
        with psycopg.connect(conninfo, prepare_threshold=None) as connection:
            return connection.execute("SELECT FROM public.postgate_tokens LIMIT 1").rowcount > 0
    except psycopg.Error:
        return True
