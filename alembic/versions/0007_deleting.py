"""A database is deleted by its row alone, whatever its tenant is doing meanwhile and however much there is in it."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text, revision_sql

revision = "0007"
down_revision = "0006"

MADE = ("drop_batch(uuid)", "try_drop_batch(uuid)", "finish_deletions()")


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "doomed")
    for identity in MADE:
        execute_file(bind, revision, identity.partition("(")[0])
        execute_text(bind, f"REVOKE ALL ON FUNCTION postgate_internal.{identity} FROM PUBLIC")
    for name in ("arrange_roles", "delete_tenant_database", "admit", "gateways"):
        execute_file(bind, revision, name)


def downgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "none_doomed")
    execute_text(bind, revision_sql("0003", "admit"))
    execute_text(bind, revision_sql("0001", "delete_tenant_database"))
    execute_text(bind, "ALTER FUNCTION public.delete_tenant_database(uuid) SECURITY DEFINER")
    execute_text(
        bind, revision_sql("0002", "arrange_roles").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    )
    for identity in reversed(MADE):
        execute_text(bind, f"DROP FUNCTION postgate_internal.{identity}")
    execute_text(bind, "DROP TABLE postgate_internal.doomed")
