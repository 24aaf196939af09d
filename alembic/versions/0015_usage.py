"""What each database has used, by day: for an operator's bills, and for the tenant."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, restore_function

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    for name in ("table_of_usage", "usage", "admit"):
        execute_file(op.get_bind(), revision, name)


def downgrade() -> None:
    bind = op.get_bind()
    restore_function(bind, "0007", "admit")
    execute_text(bind, "DROP FUNCTION postgate_helpers.usage()")
    execute_text(bind, "DROP TABLE public.postgate_usage")
