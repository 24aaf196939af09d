"""What a tenant may set of its relations, judged by the database too."""

from alembic import op

from postgate.metadata.migrate import drop_functions, execute_file, execute_text, make_functions, restore_function

revision = "0004"
down_revision = "0003"

MADE = ("check_options()",)


def upgrade() -> None:
    bind = op.get_bind()
    make_functions(bind, revision, MADE)
    execute_file(bind, revision, "harden")


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, "DROP EVENT TRIGGER IF EXISTS postgate_check_options")
    restore_function(bind, "0003", "harden")
    drop_functions(bind, MADE)
