"""What definitions do to rows needs the operations for it, and from PostgreSQL 17 on a transaction has a time."""

from alembic import op

from postgate.metadata.migrate import drop_functions, execute_file, execute_text, make_functions, restore_function

revision = "0008"
down_revision = "0007"

MADE = ("reads_rows(text, text)", "check_rewrite()")
CHANGED = {"check_definition": "0002", "enter": "0003", "harden": "0006"}


def upgrade() -> None:
    bind = op.get_bind()
    make_functions(bind, revision, MADE)
    for name in CHANGED:
        execute_file(bind, revision, name)


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, "DROP EVENT TRIGGER IF EXISTS postgate_check_rewrite")
    for name, before in CHANGED.items():
        restore_function(bind, before, name)
    drop_functions(bind, MADE)
