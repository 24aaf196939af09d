-- What PostgreSQL holds each tenant to. No statement_timeout_ms means the service's own POSTGATE_STATEMENT_TIMEOUT.
ALTER TABLE public.postgate_databases
    ADD COLUMN statement_timeout_ms integer CONSTRAINT valid_statement_timeout CHECK (statement_timeout_ms > 0),
    ADD COLUMN lock_timeout_ms integer NOT NULL DEFAULT 10000 CONSTRAINT valid_lock_timeout CHECK (lock_timeout_ms > 0),
    ADD COLUMN work_mem_kb integer NOT NULL DEFAULT 16384 CONSTRAINT valid_work_mem CHECK (work_mem_kb >= 64),
    ADD COLUMN temp_file_limit_kb integer NOT NULL DEFAULT 1048576
        CONSTRAINT valid_temp_file_limit CHECK (temp_file_limit_kb >= 0);

-- Roles besides its owner that the service may log in as.
CREATE TABLE postgate_internal.gateways (role name PRIMARY KEY);

-- What harden() took from PUBLIC, as the statements that give it back.
CREATE TABLE postgate_internal.hardened (undo text PRIMARY KEY);
