"""Functions whose time no timeout ends are not for tenants."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, restore_function

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute_file(op.get_bind(), revision, "harden")


def downgrade() -> None:
    bind = op.get_bind()
    restore_function(bind, "0008", "harden")
    taken = "SELECT undo FROM postgate_internal.hardened WHERE undo ~ '(path|poly)_(distance|inter|overlap)'"
    for (statement,) in execute_text(bind, taken).fetchall():
        execute_text(bind, statement)
        execute_text(bind, "DELETE FROM postgate_internal.hardened WHERE undo = %(undo)s", {"undo": statement})
