"""The metadata tables: what the revisions in alembic/ build and a test holds them to."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NEW_ID = text("gen_random_uuid()")
NOW = text("now()")


class Base(DeclarativeBase):
    pass


class DatabaseRecord(Base):
    """A tenant: a schema of the shared database, or a database of its own."""

    __tablename__ = "postgate_databases"
    __table_args__ = (
        CheckConstraint(
            "(backend_type = 'schema' AND schema_name IS NOT NULL)"
            " OR (backend_type = 'dedicated' AND connection_string IS NOT NULL)",
            name="valid_backend",
        ),
        CheckConstraint("statement_timeout_ms > 0", name="valid_statement_timeout"),
        CheckConstraint("lock_timeout_ms > 0", name="valid_lock_timeout"),
        CheckConstraint("work_mem_kb >= 64", name="valid_work_mem"),
        CheckConstraint("temp_file_limit_kb >= 0", name="valid_temp_file_limit"),
        CheckConstraint("max_objects >= 0", name="valid_max_objects"),
        CheckConstraint("max_concurrency > 0", name="valid_max_concurrency"),
        CheckConstraint("statements_per_second > 0", name="valid_statements_per_second"),
        CheckConstraint("bytes_per_minute > 0", name="valid_bytes_per_minute"),
        UniqueConstraint("schema_name", name="unique_schema"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    name: Mapped[str] = mapped_column(String(100))
    backend_type: Mapped[str] = mapped_column(String(20), server_default=text("'schema'"))
    schema_name: Mapped[str | None] = mapped_column(String(63))
    connection_string: Mapped[str | None] = mapped_column(Text)
    max_rows: Mapped[int] = mapped_column(server_default=text("1000"))
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=NOW)
    statement_timeout_ms: Mapped[int | None]
    lock_timeout_ms: Mapped[int] = mapped_column(server_default=text("10000"))
    work_mem_kb: Mapped[int] = mapped_column(server_default=text("16384"))
    temp_file_limit_kb: Mapped[int] = mapped_column(server_default=text("1048576"))
    max_objects: Mapped[int] = mapped_column(server_default=text("10000"))
    max_concurrency: Mapped[int | None]
    statements_per_second: Mapped[int | None]
    bytes_per_minute: Mapped[int | None] = mapped_column(BigInteger)


class TokenRecord(Base):
    """A tenant's credential, known here only by its hash. `expires_at` null means never."""

    __tablename__ = "postgate_tokens"
    __table_args__ = (
        UniqueConstraint("database_id", "name"),
        Index("postgate_tokens_token_hash_idx", "token_hash", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    database_id: Mapped[UUID] = mapped_column(ForeignKey("postgate_databases.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100), server_default=text("'default'"))
    token_hash: Mapped[str] = mapped_column(String(64))
    token_prefix: Mapped[str] = mapped_column(String(8))
    allowed_operations: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']")
    )
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=NOW)
    last_used_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))


class UsageRecord(Base):
    """What a database has used on a day (UTC); it stays when the database is deleted."""

    __tablename__ = "postgate_usage"

    database_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    database_ms: Mapped[float]
