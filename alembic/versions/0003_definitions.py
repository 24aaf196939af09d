"""Versions of what is defined, so that nothing remembered of a statement outlives the definitions it was made for.

Workers of the previous revision go on serving with the version that they know: postgate_internal.enter takes both.
"""

from alembic import op

from postgate.metadata.migrate import drop_functions, execute_file, execute_text, make_functions, restore_function

revision = "0003"
down_revision = "0002"

NOTED_BY = ("note_schemas(text[])", "note_definition()", "note_drops()")
CHANGED = ("harden", "admit", "enter")
EVENT_TRIGGERS = ("postgate_note_definition", "postgate_note_drops")


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "definitions")
    make_functions(bind, revision, NOTED_BY)
    for name in CHANGED:
        execute_file(bind, revision, name)
    execute_file(bind, revision, "gateways")


def downgrade() -> None:
    bind = op.get_bind()
    for name in EVENT_TRIGGERS:
        execute_text(bind, f"DROP EVENT TRIGGER IF EXISTS {name}")
    for name in CHANGED:
        restore_function(bind, "0002", name)
    drop_functions(bind, NOTED_BY)
    execute_text(bind, "DROP TABLE postgate_internal.definitions")
