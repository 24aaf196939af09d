-- Have the gateway's own statements read single rows by their index, in this session, if it is that of the connection: the
-- process with the number $1. A pooler gives it to others too, for whom this is not.
SELECT pg_catalog.set_config('enable_seqscan', 'off', false), pg_catalog.set_config('enable_hashjoin', 'off', false)
WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1
