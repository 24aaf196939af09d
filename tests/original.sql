-- What the original service leaves in a database: written by hand from its documented surface, with a tenant in use.
CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, success boolean NOT NULL);
INSERT INTO _sqlx_migrations VALUES (1, 'initial', true);

CREATE TABLE postgate_databases (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(100) NOT NULL,
    backend_type varchar(20) NOT NULL DEFAULT 'schema',
    schema_name varchar(100),
    connection_string text,
    max_rows integer NOT NULL DEFAULT 1000,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT valid_backend CHECK (
        (backend_type = 'schema' AND schema_name IS NOT NULL)
        OR (backend_type = 'dedicated' AND connection_string IS NOT NULL)),
    CONSTRAINT unique_schema UNIQUE (schema_name)
);

CREATE TABLE postgate_tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    database_id uuid NOT NULL REFERENCES postgate_databases (id) ON DELETE CASCADE,
    name varchar(100) NOT NULL DEFAULT 'default',
    token_hash varchar(64) NOT NULL,
    token_prefix varchar(8) NOT NULL,
    allowed_operations text[] NOT NULL DEFAULT ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    CONSTRAINT one_name_each UNIQUE (database_id, name)
);
CREATE INDEX tokens_by_hash ON postgate_tokens (token_hash);

CREATE FUNCTION create_tenant_database(p_name varchar, p_max_rows integer DEFAULT 1000)
RETURNS TABLE (id uuid, schema_name varchar) LANGUAGE plpgsql AS $$ BEGIN RAISE 'the original''s'; END $$;
CREATE FUNCTION delete_tenant_database(p_database_id uuid)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RAISE 'the original''s'; END $$;
CREATE FUNCTION create_tenant_token(p_database_id uuid, p_name varchar DEFAULT 'default',
    p_permissions text[] DEFAULT ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
RETURNS TABLE (id uuid, token text) LANGUAGE plpgsql AS $$ BEGIN RAISE 'the original''s'; END $$;
CREATE FUNCTION delete_tenant_token(p_token_id uuid)
RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'the original''s'; END $$;
COMMENT ON FUNCTION delete_tenant_token(uuid) IS 'It''s the original''s';
REVOKE EXECUTE ON FUNCTION delete_tenant_token(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_tenant_token(uuid) TO pg_monitor;

CREATE SCHEMA postgate_helpers;
CREATE FUNCTION postgate_helpers.list_tables()
RETURNS TABLE (table_name text, row_count bigint) LANGUAGE sql AS $$ SELECT 'the original''s', 0::bigint $$;
CREATE FUNCTION postgate_helpers.describe_table(p_table_name text)
RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, is_primary_key boolean)
LANGUAGE sql AS $$ SELECT 'the original''s', '100%', true, NULL::text, false $$;

INSERT INTO postgate_databases (id, name, backend_type, schema_name, connection_string, max_rows) VALUES
    ('00000000-0000-0000-0000-000000000000', 'postgate_admin', 'schema', 'public', NULL, 500),
    ('11111111-1111-1111-1111-111111111111', 'shop', 'schema', 'tenant_11111111111111111111111111111111_shop', NULL, 7),
    ('22222222-2222-2222-2222-222222222222', 'far', 'dedicated', NULL, 'host=far.example password=x', 1000);
CREATE SCHEMA tenant_11111111111111111111111111111111_shop;
CREATE TABLE tenant_11111111111111111111111111111111_shop.items (id int PRIMARY KEY, name text);
INSERT INTO tenant_11111111111111111111111111111111_shop.items VALUES (1, 'pen');
CREATE VIEW tenant_11111111111111111111111111111111_shop.tables AS SELECT * FROM postgate_helpers.list_tables();

-- The token is pg_ and 64 times the letter a.
INSERT INTO postgate_tokens (database_id, name, token_hash, token_prefix, last_used_at) VALUES
    ('11111111-1111-1111-1111-111111111111', 'app', encode(sha256(convert_to('pg_' || repeat('a', 64), 'UTF8')), 'hex'),
        'pg_aaaaa', '2024-01-02 03:04:05+00');
