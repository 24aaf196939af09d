"""How much a tenant may define, judged by the database."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, revision_sql

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
    for identity in MADE:
        execute_file(bind, revision, identity.partition("(")[0])
        execute_text(bind, f"REVOKE ALL ON FUNCTION postgate_internal.{identity} FROM PUBLIC")
    execute_file(bind, revision, "harden")


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, "DROP EVENT TRIGGER IF EXISTS postgate_check_bounds")
    execute_text(bind, revision_sql("0004", "harden"))
    for identity in reversed(MADE):
        execute_text(bind, f"DROP FUNCTION postgate_internal.{identity}")
    execute_text(bind, "ALTER TABLE public.postgate_databases DROP COLUMN max_objects")
