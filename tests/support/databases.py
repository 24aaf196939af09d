"""Databases for tests, which go with them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo

TENANT_ROLES = """
    SELECT DISTINCT r.rolname FROM pg_shdepend AS s JOIN pg_roles AS r ON r.oid = s.refobjid
    JOIN pg_database AS d ON d.oid = s.dbid
    WHERE d.datname = %s AND r.rolname ~ '^postgate_[0-9a-f]{32}_'"""


@contextmanager
def a_database(server: str, template: str = "template1") -> Iterator[str]:
    """The conninfo of a new database, dropped afterwards whoever is connected to it."""
    name = f"postgate_test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        conninfo = make_conninfo(server, dbname=name)
        if template.startswith("postgate"):
            # The privileges on a database are not copied with it.
            with psycopg.connect(conninfo) as inside:
                inside.execute("SELECT postgate_internal.harden()")
        yield conninfo
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            roles = [role for (role,) in admin.execute(TENANT_ROLES, [name])]
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            for role in roles:
                with suppress(psycopg.errors.DependentObjectsStillExist):
                    admin.execute(f"DROP ROLE IF EXISTS {role}")
