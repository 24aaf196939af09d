"""What definitions do to rows needs the operations for it, and from PostgreSQL 17 on a transaction has a time."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, revision_sql

revision = "0008"
down_revision = "0007"

MADE = ("reads_rows(text, text)", "check_rewrite()")
CHANGED = {"check_definition": "0002", "enter": "0003", "harden": "0006"}


def upgrade() -> None:
    bind = op.get_bind()
    for identity in MADE:
        execute_file(bind, revision, identity.partition("(")[0])
        execute_text(bind, f"REVOKE ALL ON FUNCTION postgate_internal.{identity} FROM PUBLIC")
    for name in CHANGED:
        execute_file(bind, revision, name)


def downgrade() -> None:
    bind = op.get_bind()
    execute_text(bind, "DROP EVENT TRIGGER IF EXISTS postgate_check_rewrite")
    for name, before in CHANGED.items():
        execute_text(bind, revision_sql(before, name).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    for identity in reversed(MADE):
        execute_text(bind, f"DROP FUNCTION postgate_internal.{identity}")
