"""A token is revoked by its row alone, whatever its tenant is doing meanwhile; its roles are tidied afterwards."""

from alembic import op

from postgate.metadata.migrate import drop_functions, execute_file, make_functions, restore_function

revision = "0005"
down_revision = "0004"

MADE = ("tidy_roles(uuid)",)


def upgrade() -> None:
    bind = op.get_bind()
    make_functions(bind, revision, MADE)
    execute_file(bind, revision, "follow_row")


def downgrade() -> None:
    bind = op.get_bind()
    restore_function(bind, "0002", "follow_row")
    drop_functions(bind, MADE)
