-- A tenant's role may run the commands that the token's operations cover, and no other that an event trigger sees.
CREATE OR REPLACE FUNCTION postgate_internal.check_definition()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    acting CONSTANT text := postgate_internal.acting_role();
    operations CONSTANT text[] := string_to_array(current_setting('postgate.operations', true), ',');
    needed text;
BEGIN
    -- adopt_definition runs commands of its own.
    IF acting IS NULL OR current_setting('postgate.adopting', true) = 'on' THEN
        RETURN;
    END IF;
    needed := CASE
        WHEN tg_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE INDEX', 'CREATE VIEW',
            'CREATE MATERIALIZED VIEW', 'REFRESH MATERIALIZED VIEW', 'CREATE SEQUENCE', 'CREATE TYPE', 'CREATE DOMAIN',
            'CREATE STATISTICS')
            THEN 'CREATE'
        WHEN tg_tag IN ('ALTER TABLE', 'ALTER INDEX', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER SEQUENCE',
            'ALTER TYPE', 'ALTER DOMAIN', 'ALTER STATISTICS', 'COMMENT')
            THEN 'ALTER'
        WHEN tg_tag IN ('DROP TABLE', 'DROP INDEX', 'DROP VIEW', 'DROP MATERIALIZED VIEW', 'DROP SEQUENCE',
            'DROP TYPE', 'DROP DOMAIN', 'DROP STATISTICS')
            THEN 'DROP'
    END;
    IF needed IS NULL OR needed = ANY (operations) IS NOT TRUE THEN
        RAISE EXCEPTION 'the token may not run %', tg_tag USING ERRCODE = 'insufficient_privilege',
            HINT = coalesce('It needs the operation ' || needed || '.', 'No token may run it.');
    END IF;
    -- As the owner its query would have every privilege.
    IF tg_tag IN ('CREATE TABLE AS', 'SELECT INTO') AND acting LIKE '%\_owner' THEN
        RAISE EXCEPTION '% has to run with the privileges of the token', tg_tag USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF 'SELECT' = ANY (operations) IS NOT TRUE AND (postgate_internal.reads_rows(tg_tag, current_query())
        -- Which rows of a view a change finds is what its query says of all rows.
        OR tg_tag = 'CREATE VIEW' AND operations && ARRAY['INSERT', 'UPDATE', 'DELETE'])
    THEN
        RAISE EXCEPTION 'the token may not read rows by %', tg_tag USING ERRCODE = 'insufficient_privilege',
            HINT = 'It needs the operation SELECT.';
    END IF;
END
$function$;
