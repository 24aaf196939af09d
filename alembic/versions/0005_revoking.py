"""A token is revoked by its row alone, whatever its tenant is doing meanwhile; its roles are tidied afterwards."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, revision_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "tidy_roles")
    execute_text(bind, "REVOKE ALL ON FUNCTION postgate_internal.tidy_roles(uuid) FROM PUBLIC")
    execute_file(bind, revision, "follow_row")


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, revision_sql("0002", "follow_row").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    execute_text(bind, "DROP FUNCTION postgate_internal.tidy_roles(uuid)")
