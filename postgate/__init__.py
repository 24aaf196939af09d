"""An HTTP proxy that gives many tenants safe SQL access to PostgreSQL."""
