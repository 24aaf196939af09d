"""A batch may ask with lastval() what it has drawn from a sequence."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, restore_function

revision = "0011"
down_revision = "0010"

# It tells nothing of a sequence on which the caller has no privilege (manual, "Sequence Manipulation Functions").
_TAKEN = "SELECT undo FROM postgate_internal.hardened WHERE undo ~ 'FUNCTION lastval'"


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "harden")
    for (statement,) in execute_text(bind, _TAKEN).fetchall():
        execute_text(bind, statement)
        execute_text(bind, "DELETE FROM postgate_internal.hardened WHERE undo = %(undo)s", {"undo": statement})


def downgrade() -> None:
    bind = op.get_bind()
    restore_function(bind, "0009", "harden")
    # As `postgate migrate` does after each upgrade, so that what it takes is noted.
    execute_text(bind, "SELECT postgate_internal.harden()")
