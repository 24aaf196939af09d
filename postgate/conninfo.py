"""What may be told about a connection that failed, and whether trying again can help."""

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# What a server says that will accept connections later; any other FATAL of its is final.
LATER = re.compile(
    r"starting up|shutting down|in recovery|not (yet )?accepting connections|too many (clients|connections)"
    r"|connection slots|terminating connection|query_wait_timeout|server_login_retry"
)
FINAL = re.compile(
    r"FATAL: |no password supplied|does not support SSL|certificate|Servname not supported"
    r"|invalid \w+ value|bad value for|could not match \d+ port numbers"
)
MALFORMED = "the connection string is malformed; percent-encode special characters in a URL's password"


def explain(error: BaseException, conninfo: str) -> str:
    """One line that says what PostgreSQL or libpq said, and never shows a secret of the conninfo."""
    if is_malformed(conninfo):
        return MALFORMED
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error)
    line = next((part.strip() for part in reversed(message.splitlines()) if "FATAL" in part), None)
    return hide_secrets(line or message.strip().partition("\n")[0], conninfo)


def describe(conninfo: str) -> str:
    """Which database it is, for a person, without a secret."""
    if is_malformed(conninfo):
        return "(the connection string is malformed)"
    parts = conninfo_to_dict(conninfo)
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    name = parts.get("dbname") or parts.get("user") or ""
    return hide_secrets(f"{name} at {host}:{parts.get('port') or 5432}", conninfo)


def without_secrets(conninfo: str) -> str:
    """The same connection, for a person, with *** in place of each secret."""
    if is_malformed(conninfo):
        return "(malformed)"
    parts = conninfo_to_dict(conninfo)
    return make_conninfo("", **{key: "***" if "password" in key else value for key, value in parts.items() if value})


def hide_secrets(text: str, conninfo: str) -> str:
    """The text with every secret of the conninfo blacked out."""
    for key, value in conninfo_to_dict(conninfo).items():
        if "password" in key and value:
            text = text.replace(str(value), "***")
    return text


def is_malformed(conninfo: str) -> bool:
    """True when libpq cannot read it, or reads a part of the password as the host."""
    try:
        parts = conninfo_to_dict(conninfo)
    except (psycopg.Error, UnicodeError):
        # Its bytes, percent-encoded or not, are no text.
        return True
    # A "/", "#" or "@" in a URL's password ends it early: the rest is taken for host, port or name.
    if conninfo.partition("://")[0] in ("postgres", "postgresql") and not parts.get("password"):
        authority = conninfo.partition("://")[2].partition("?")[0]
        if "@" in authority.partition("/")[2]:
            return True
    return "@" in str(parts.get("host", "")) or not re.fullmatch(r"[0-9, ]*", str(parts.get("port", "")))


def is_local(conninfo: str) -> bool:
    """Whether the server runs on this machine, as far as its address tells."""
    parts = conninfo_to_dict(conninfo)
    hosts = str(parts.get("hostaddr") or parts.get("host") or "").split(",")
    return all(host in ("", "localhost", "::1") or host.startswith(("/", "@", "127.")) for host in hosts)


def is_transient(error: psycopg.Error, conninfo: str) -> bool:
    """True when the server cannot be reached or does not take connections yet, False when it never will."""
    if is_malformed(conninfo) or not isinstance(error, psycopg.OperationalError):
        return False
    text = str(error)
    return bool(LATER.search(text)) or not FINAL.search(text)
