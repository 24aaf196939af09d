"""To make a tenant takes as long as it did for the first one."""

from alembic import op

from postgate.metadata.migrate import execute_file, restore_function

revision = "0010"
down_revision = "0009"

CHANGED = {"arrange_roles": "0007", "grant_operations": "0002"}


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "helpers")
    for name in CHANGED:
        execute_file(bind, revision, name)


def downgrade() -> None:
    bind = op.get_bind()
    for name, before in CHANGED.items():
        restore_function(bind, before, name)
    execute_file(bind, revision, "helpers_of_roles")
