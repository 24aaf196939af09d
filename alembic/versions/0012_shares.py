"""How much of the service one database may have: statements at once, statements a second, bytes a minute."""

from alembic import op

from postgate.metadata.migrate import execute_file, execute_text

revision = "0012"
down_revision = "0011"

COLUMNS = ("max_concurrency", "statements_per_second", "bytes_per_minute")


def upgrade() -> None:
    execute_file(op.get_bind(), revision, "shares")


def downgrade() -> None:
    for column in COLUMNS:
        execute_text(op.get_bind(), f"ALTER TABLE public.postgate_databases DROP COLUMN {column}")
