"""The operations that a token can allow, by their wire names."""

DML = ("SELECT", "INSERT", "UPDATE", "DELETE")
DEFINITIONS = ("CREATE", "ALTER", "DROP")
OPERATIONS = DML + DEFINITIONS
