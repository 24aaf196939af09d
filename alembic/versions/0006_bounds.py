"""How much a tenant may define, judged by the database."""

from alembic import op

from postgate.metadata.migrate import drop_functions, execute_file, execute_text, make_functions, restore_function

revision = "0006"
down_revision = "0005"

MADE = (
    "definition_of(oid, oid)",
    "definitions_below(oid, oid)",
    "definitions_above(oid, oid)",
    "count_objects(oid)",
    "count_relations(oid, integer)",
    "check_bounds()",
)


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "max_objects")
    make_functions(bind, revision, MADE)
    execute_file(bind, revision, "harden")


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, "DROP EVENT TRIGGER IF EXISTS postgate_check_bounds")
    restore_function(bind, "0004", "harden")
    drop_functions(bind, MADE)
    execute_text(bind, "ALTER TABLE public.postgate_databases DROP COLUMN max_objects")
