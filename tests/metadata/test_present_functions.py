"""alembic/sql/present/ has each function as it reads today: a migrated database has exactly these."""

import re

import psycopg
from support.paths import ROOT

PRESENT = sorted((ROOT / "alembic" / "sql" / "present").glob("*.sql"))
# The body to the letter, and whatever else CREATE FUNCTION says.
DEFINITIONS = """
    SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid)
    FROM pg_proc AS p
    WHERE p.pronamespace::regnamespace::text IN ('public', 'postgate_internal', 'postgate_helpers')
        AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')"""


# Those that the transaction has written.
WRITTEN = "SELECT oid::regprocedure::text FROM pg_proc WHERE xmin = pg_current_xact_id()::xid"


def test_a_migrated_database_has_exactly_the_present_functions(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        migrated = dict(connection.execute(DEFINITIONS).fetchall())
        for path in PRESENT:
            connection.execute(path.read_bytes())
        assert dict(connection.execute(DEFINITIONS).fetchall()) == migrated
        assert {name for (name,) in connection.execute(WRITTEN)} == migrated.keys()
        connection.rollback()


def test_a_file_has_the_name_of_its_function() -> None:
    for path in PRESENT:
        (name,) = re.findall(r"^CREATE OR REPLACE FUNCTION \w+\.(\w+)\(", path.read_text(), re.MULTILINE)
        assert path.stem == name or re.fullmatch(rf"{name}_of_\d{{4}}", path.stem), path
