-- What holds for a session of the gateway's, if it is that of the connection: the process with the number $1. A pooler gives
-- it to others too, for whom this is not. $2: it is of the shared database.
SELECT pg_catalog.set_config(s.name, s.value, false)
FROM (VALUES
    -- The gateway's own statements read single rows by their index; enter.sql sets this back for the tenant's.
    ('enable_seqscan', 'off', true),
    ('enable_hashjoin', 'off', true),
    -- When the network between us is cut, the server would keep a transaction and its locks for hours, because it waits for
    -- a client that takes its answer, or sends the next command.
    ('tcp_keepalives_idle', '15', false),
    ('tcp_keepalives_interval', '5', false),
    ('tcp_keepalives_count', '3', false),
    ('tcp_user_timeout', '30s', false)
) AS s (name, value, is_of_shared)
WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1 AND ($2 OR NOT s.is_of_shared)
