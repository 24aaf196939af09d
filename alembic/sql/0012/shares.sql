-- How much of the service one database may have; null means the service's own settings, and for the rates no limit.
ALTER TABLE public.postgate_databases
    ADD COLUMN max_concurrency integer CONSTRAINT valid_max_concurrency CHECK (max_concurrency > 0),
    ADD COLUMN statements_per_second integer CONSTRAINT valid_statements_per_second CHECK (statements_per_second > 0),
    ADD COLUMN bytes_per_minute bigint CONSTRAINT valid_bytes_per_minute CHECK (bytes_per_minute > 0);
