"""The helpers tell all that a tenant has: kinds, types with their lengths, foreign keys, indexes, comments."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, restore_function

revision = "0014"
down_revision = "0013"

REPLACED = {"list_tables": "", "describe_table": "text"}
INNER = ("relations_of(text)", "columns_of(text, text)", "description_of(text)")


def upgrade() -> None:
    bind = op.get_bind()
    kept = [name for name, types in REPLACED.items() if _leaves(name, types, f"{name}_until_0013")]
    execute_text(bind, "DROP FUNCTION postgate_helpers.tables_of(text), postgate_helpers.columns_of(text, text)")
    for name in ("relations_of", "columns_of", "description_of", *REPLACED, "describe_schema"):
        execute_file(bind, revision, name)
    for name in kept:
        execute_file(bind, revision, f"{name}_until_0013")


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, "DROP FUNCTION postgate_helpers.describe_schema()")
    for name, types in REPLACED.items():
        execute_text(bind, f"DROP FUNCTION postgate_helpers.{name}({types})")
    for identity in INNER:
        execute_text(bind, f"DROP FUNCTION postgate_helpers.{identity}")
    for name in ("tables_of", "columns_of"):
        execute_file(bind, "0002", name)
    for name, types in REPLACED.items():
        old = f"postgate_helpers.{name}_until_0013({types})"
        if execute_text(bind, "SELECT to_regprocedure(%(old)s) IS NOT NULL", {"old": old}).scalar():
            execute_text(bind, f"ALTER FUNCTION {old} RENAME TO {name}")
        restore_function(bind, "0002", name)


def _leaves(name: str, types: str, new_name: str) -> bool:
    """Make way for a function of another type; whether the old one has to stay, under another name, for a view."""
    bind = op.get_bind()
    identity = f"postgate_helpers.{name}({types})"
    if execute_file(bind, revision, "dependents", {"identity": identity}).scalar():
        execute_text(bind, f"ALTER FUNCTION {identity} RENAME TO {new_name}")
        return True
    execute_text(bind, f"DROP FUNCTION {identity}")
    return False
