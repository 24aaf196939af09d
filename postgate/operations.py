"""What a token can allow, and what there is to define."""

# The operations, by their wire names.
DML = ("SELECT", "INSERT", "UPDATE", "DELETE")
DEFINITIONS = ("CREATE", "ALTER", "DROP")
OPERATIONS = DML + DEFINITIONS

# What a tenant can CREATE, ALTER and DROP, as it stands in statements and in PostgreSQL's command tags. Where one name
# begins another's, the grammar reads words, so their order means nothing.
RELATION_KINDS = ("TABLE", "INDEX", "VIEW", "MATERIALIZED VIEW", "SEQUENCE")
TYPE_KINDS = ("TYPE", "DOMAIN")
OBJECT_KINDS = (*RELATION_KINDS, *TYPE_KINDS, "STATISTICS")
