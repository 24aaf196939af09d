"""What a token can allow, what there is to define, and who a statement is judged for."""

from __future__ import annotations

from dataclasses import dataclass

# The operations, by their wire names.
DML = ("SELECT", "INSERT", "UPDATE", "DELETE")
DEFINITIONS = ("CREATE", "ALTER", "DROP")
OPERATIONS = DML + DEFINITIONS

# What a tenant can CREATE, ALTER and DROP, as it stands in statements and in PostgreSQL's command tags.
RELATION_KINDS = ("TABLE", "INDEX", "VIEW", "MATERIALIZED VIEW", "SEQUENCE")
TYPE_KINDS = ("TYPE", "DOMAIN")
OBJECT_KINDS = (*RELATION_KINDS, *TYPE_KINDS, "STATISTICS")


@dataclass(frozen=True, slots=True)
class Tenant:
    """What a judgement depends on besides the text.

    Attributes:
        schema: the one schema that may be named as a qualifier.
        operations: the token's allowed operations.
    """

    schema: str
    operations: frozenset[str]
