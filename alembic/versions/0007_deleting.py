"""A database is deleted by its row alone, whatever its tenant is doing meanwhile and however much there is in it."""

from alembic import op

from postgate.metadata.migrate import drop_functions, execute_file, execute_text, make_functions, restore_function

revision = "0007"
down_revision = "0006"

MADE = ("drop_batch(uuid)", "try_drop_batch(uuid)", "finish_deletions()")


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "doomed")
    make_functions(bind, revision, MADE)
    for name in ("arrange_roles", "delete_tenant_database", "admit", "gateways"):
        execute_file(bind, revision, name)


def downgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "none_doomed")
    restore_function(bind, "0003", "admit")
    restore_function(bind, "0001", "delete_tenant_database")
    execute_text(bind, "ALTER FUNCTION public.delete_tenant_database(uuid) SECURITY DEFINER")
    restore_function(bind, "0002", "arrange_roles")
    drop_functions(bind, MADE)
    execute_text(bind, "DROP TABLE postgate_internal.doomed")
