"""The metadata tables, the admin functions and what the gateway calls.

A database that the original made is adopted: what stands is kept, what lacks is added, and its functions are replaced.
Every change leaves its undo in public.postgate_adopted, so a downgrade restores exactly what was there.
"""

from alembic import op
from psycopg.errors import InvalidFunctionDefinition
from sqlalchemy.exc import DBAPIError

from postgate.metadata.migrate import execute_file, execute_text, revision_sql

revision = "0001"
down_revision = None

FUNCTIONS = (
    "public.create_tenant_database(varchar,integer)",
    "public.delete_tenant_database(uuid)",
    "public.create_tenant_token(uuid,varchar,text[])",
    "public.delete_tenant_token(uuid)",
    "postgate_helpers.list_tables()",
    "postgate_helpers.describe_table(text)",
    "postgate_internal.enter(text,text,integer)",
)


def upgrade() -> None:
    for name in ("tables", "columns", "constraints", "admin_database"):
        execute_file(op.get_bind(), revision, name)
    for identity in FUNCTIONS:
        _replace(identity)
    execute_file(op.get_bind(), revision, "restrict")


def downgrade() -> None:
    bind = op.get_bind()
    # Without their expires_at they would be valid again.
    execute_text(bind, "DELETE FROM public.postgate_tokens WHERE expires_at <= now()")
    steps = execute_text(bind, "SELECT undo, function FROM public.postgate_adopted ORDER BY step DESC").all()
    for undo, function in steps:
        if function is None:
            execute_text(bind, undo)
        else:
            _put(function, undo)
    execute_text(bind, "DROP TABLE public.postgate_adopted")


def _replace(identity: str) -> None:
    """Put our function in the place of every function of its name, whose definitions are kept for the downgrade."""
    bind = op.get_bind()
    schema, name = identity.partition("(")[0].split(".")
    names = {"schema": schema, "name": name, "identity": identity}
    stood = execute_text(bind, "SELECT to_regprocedure(%(identity)s) IS NOT NULL", names).scalar_one()
    execute_file(bind, revision, "save_function", names)
    if not stood:
        keep = "INSERT INTO public.postgate_adopted (undo) VALUES ('DROP FUNCTION ' || %(identity)s)"
        execute_text(bind, keep, names)
    for drop in execute_file(bind, revision, "drop_overloads", names).scalars():
        execute_text(bind, drop)
    _put(identity, revision_sql(revision, name))


def _put(identity: str, definition: str) -> None:
    """Create or replace a function, and drop it first only where it must be: views may depend on it."""
    bind = op.get_bind()
    try:
        with bind.begin_nested():
            execute_text(bind, definition)
    except DBAPIError as error:
        if not isinstance(error.orig, InvalidFunctionDefinition):
            raise
        execute_text(bind, f"DROP FUNCTION {identity}")
        execute_text(bind, definition)
