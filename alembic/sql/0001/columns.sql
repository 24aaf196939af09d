-- Gives the tables every column, default and NOT NULL that they lack; each change leaves its undo.
DO $adopt$
DECLARE
    wanted record;
    present record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('postgate_databases', 'id', 'uuid', true, 'gen_random_uuid()'),
            ('postgate_databases', 'name', 'varchar(100)', true, NULL),
            ('postgate_databases', 'backend_type', 'varchar(20)', true, '''schema'''),
            ('postgate_databases', 'schema_name', 'varchar(63)', false, NULL),
            ('postgate_databases', 'connection_string', 'text', false, NULL),
            ('postgate_databases', 'max_rows', 'integer', true, '1000'),
            ('postgate_databases', 'created_at', 'timestamptz', true, 'now()'),
            ('postgate_tokens', 'id', 'uuid', true, 'gen_random_uuid()'),
            ('postgate_tokens', 'database_id', 'uuid', true, NULL),
            ('postgate_tokens', 'name', 'varchar(100)', true, '''default'''),
            ('postgate_tokens', 'token_hash', 'varchar(64)', true, NULL),
            ('postgate_tokens', 'token_prefix', 'varchar(8)', true, NULL),
            ('postgate_tokens', 'allowed_operations', 'text[]', true,
                'ARRAY[''SELECT'', ''INSERT'', ''UPDATE'', ''DELETE'']'),
            ('postgate_tokens', 'created_at', 'timestamptz', true, 'now()'),
            ('postgate_tokens', 'last_used_at', 'timestamptz', false, NULL),
            ('postgate_tokens', 'expires_at', 'timestamptz', false, NULL)
        ) AS w (relation, name, type, required, preset)
    LOOP
        SELECT a.attnotnull, a.atthasdef INTO present
        FROM pg_attribute AS a
        WHERE a.attrelid = format('public.%I', wanted.relation)::regclass
            AND a.attname = wanted.name AND NOT a.attisdropped;
        IF NOT FOUND THEN
            EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s%s%s', wanted.relation, wanted.name,
                wanted.type, ' DEFAULT ' || wanted.preset, CASE WHEN wanted.required THEN ' NOT NULL' END);
            INSERT INTO public.postgate_adopted (undo)
            VALUES (format('ALTER TABLE public.%I DROP COLUMN %I', wanted.relation, wanted.name));
            CONTINUE;
        END IF;
        IF wanted.preset IS NOT NULL AND NOT present.atthasdef THEN
            EXECUTE format('ALTER TABLE public.%I ALTER COLUMN %I SET DEFAULT %s',
                wanted.relation, wanted.name, wanted.preset);
            INSERT INTO public.postgate_adopted (undo)
            VALUES (format('ALTER TABLE public.%I ALTER COLUMN %I DROP DEFAULT', wanted.relation, wanted.name));
        END IF;
        IF wanted.required AND NOT present.attnotnull THEN
            IF wanted.preset IS NOT NULL THEN
                EXECUTE format('UPDATE public.%I SET %I = DEFAULT WHERE %2$I IS NULL', wanted.relation, wanted.name);
            END IF;
            EXECUTE format('ALTER TABLE public.%I ALTER COLUMN %I SET NOT NULL', wanted.relation, wanted.name);
            INSERT INTO public.postgate_adopted (undo)
            VALUES (format('ALTER TABLE public.%I ALTER COLUMN %I DROP NOT NULL', wanted.relation, wanted.name));
        END IF;
    END LOOP;
END
$adopt$;
