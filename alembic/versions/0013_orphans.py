"""No row of a database goes without its schema."""

from alembic import op

from postgate.metadata.migrate import drop_functions, execute_file, execute_text, make_functions

revision = "0013"
down_revision = "0012"

MADE = ("refuse_orphans()",)
TRIGGERS = ("postgate_refuse_orphans", "postgate_refuse_truncate")


def upgrade() -> None:
    bind = op.get_bind()
    make_functions(bind, revision, MADE)
    execute_file(bind, revision, "triggers")


def downgrade() -> None:
    bind = op.get_bind()
    for name in TRIGGERS:
        execute_text(bind, f"DROP TRIGGER {name} ON public.postgate_databases")
    drop_functions(bind, MADE)
