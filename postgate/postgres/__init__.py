"""libpq and what the gateway knows of a server; nothing here knows a tenant."""
