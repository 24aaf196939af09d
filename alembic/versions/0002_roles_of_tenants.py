"""Roles for tenants, and a database that lets them do no more than their tokens say.

The tenants that stand are given their roles afterwards, one transaction each (metadata.migrate). Workers of the
previous revision go on serving meanwhile with postgate_internal.enter(text, text, integer), which stays for them.
"""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text

revision = "0002"
down_revision = "0001"

# Each file creates the function of its name, in this order.
INTERNAL = (
    "role_name(uuid, text[])",
    "hold_role(text, boolean)",
    "grant_operations(text, text, text, text[])",
    "adopt_relations(text, text)",
    "drop_role(text)",
    "has_role(text, text)",
    "arrange_roles(uuid, boolean)",
    "follow_row()",
    "acting_role()",
    "enter(text, text, integer, text)",
    "check_definition()",
    "adopt_definition()",
    "check_drops()",
    "harden()",
    "soften()",
    "admit(name)",
)
REPLACED = ("list_tables", "describe_table")
ADMIN_FUNCTIONS = (
    "create_tenant_database(varchar, integer)",
    "delete_tenant_database(uuid)",
    "create_tenant_token(uuid, varchar, text[])",
    "delete_tenant_token(uuid)",
)
EVENT_TRIGGERS = ("postgate_check_definition", "postgate_adopt_definition", "postgate_check_drops")
COLUMNS = ("statement_timeout_ms", "lock_timeout_ms", "work_mem_kb", "temp_file_limit_kb")


def upgrade() -> None:
    bind = op.get_bind()
    execute_file(bind, revision, "columns")
    for identity in INTERNAL:
        execute_file(bind, revision, identity.partition("(")[0])
    for name in ("tables_of", "columns_of", *REPLACED, "admin_functions", "triggers"):
        execute_file(bind, revision, name)


def downgrade() -> None:
    bind = op.get_bind()
    for name in EVENT_TRIGGERS:
        execute_text(bind, f"DROP EVENT TRIGGER IF EXISTS {name}")
    execute_text(bind, "SELECT postgate_internal.soften()")
    execute_text(bind, "DROP TRIGGER postgate_follow_token ON public.postgate_tokens")
    execute_text(bind, "DROP TRIGGER postgate_follow_database ON public.postgate_databases")
    execute_file(bind, revision, "drop_roles")
    for name in REPLACED:
        execute_file(bind, "0001", name)
    for identity in ADMIN_FUNCTIONS:
        execute_text(bind, f"ALTER FUNCTION public.{identity} SECURITY INVOKER")
    execute_text(bind, "DROP FUNCTION postgate_helpers.tables_of(text), postgate_helpers.columns_of(text, text)")
    for identity in reversed(INTERNAL):
        execute_text(bind, f"DROP FUNCTION postgate_internal.{identity}")
    execute_text(bind, "DROP TABLE postgate_internal.hardened, postgate_internal.gateways")
    for column in COLUMNS:
        execute_text(bind, f"ALTER TABLE public.postgate_databases DROP COLUMN {column}")
