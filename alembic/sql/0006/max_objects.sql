-- How many objects a tenant may define.
ALTER TABLE public.postgate_databases
    ADD COLUMN max_objects integer NOT NULL DEFAULT 10000 CONSTRAINT valid_max_objects CHECK (max_objects >= 0);
