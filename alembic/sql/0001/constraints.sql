-- Gives the tables every constraint and index that they lack under any name; each change leaves its undo.
DO $adopt$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('postgate_databases', 'postgate_databases_pkey', 'p', ARRAY['id'], 'PRIMARY KEY (id)'),
            ('postgate_tokens', 'postgate_tokens_pkey', 'p', ARRAY['id'], 'PRIMARY KEY (id)'),
            ('postgate_databases', 'valid_backend', 'c', NULL, $definition$
                CHECK ((backend_type = 'schema' AND schema_name IS NOT NULL)
                    OR (backend_type = 'dedicated' AND connection_string IS NOT NULL))$definition$),
            ('postgate_databases', 'unique_schema', 'u', ARRAY['schema_name'], 'UNIQUE (schema_name)'),
            ('postgate_tokens', 'postgate_tokens_database_id_name_key', 'u', ARRAY['database_id', 'name'],
                'UNIQUE (database_id, name)'),
            ('postgate_tokens', 'postgate_tokens_database_id_fkey', 'f', ARRAY['database_id'],
                'FOREIGN KEY (database_id) REFERENCES public.postgate_databases (id) ON DELETE CASCADE')
        ) AS w (relation, name, type, columns, definition)
        WHERE NOT EXISTS (
            SELECT FROM pg_constraint AS c
            WHERE c.conrelid = format('public.%I', w.relation)::regclass
                AND c.contype = w.type::"char"
                AND (c.conname = w.name OR w.columns = ARRAY(
                    SELECT a.attname::text
                    FROM unnest(c.conkey) WITH ORDINALITY AS key (attnum, position)
                    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = key.attnum
                    ORDER BY key.position))
        )
        -- A foreign key needs what it refers to.
        ORDER BY w.type = 'f', w.name
    LOOP
        EXECUTE format('ALTER TABLE public.%I ADD CONSTRAINT %I %s', wanted.relation, wanted.name, wanted.definition);
        INSERT INTO public.postgate_adopted (undo)
        VALUES (format('ALTER TABLE public.%I DROP CONSTRAINT %I', wanted.relation, wanted.name));
    END LOOP;

    IF NOT EXISTS (
        SELECT FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = 'public.postgate_tokens'::regclass AND i.indpred IS NULL AND a.attname = 'token_hash'
    ) THEN
        CREATE UNIQUE INDEX postgate_tokens_token_hash_idx ON public.postgate_tokens (token_hash);
        INSERT INTO public.postgate_adopted (undo) VALUES ('DROP INDEX public.postgate_tokens_token_hash_idx');
    END IF;
END
$adopt$;
