"""What a tenant may set of its relations, judged by the database too."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, revision_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "check_options")
    execute_text(bind, "REVOKE ALL ON FUNCTION postgate_internal.check_options() FROM PUBLIC")
    execute_file(bind, revision, "harden")


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, "DROP EVENT TRIGGER IF EXISTS postgate_check_options")
    execute_text(bind, revision_sql("0003", "harden"))
    execute_text(bind, "DROP FUNCTION postgate_internal.check_options()")
