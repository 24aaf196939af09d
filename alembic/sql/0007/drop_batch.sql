-- Goes on with the deletion of a database: drops what can be dropped in one transaction, and says whether all is gone. Each
-- object takes a lock until the end of the transaction, and all tenants' locks have one table of some thousand places.
CREATE OR REPLACE FUNCTION postgate_internal.drop_batch(p_database_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
SET lock_timeout = '1s'
AS $function$
DECLARE
    max_locks CONSTANT integer := 1000;
    doomed_schema text;
    schema_id oid;
    drops text[];
BEGIN
    SELECT d.schema_name INTO doomed_schema
    FROM postgate_internal.doomed AS d
    WHERE d.database_id = p_database_id
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        -- Nothing is left, or somebody else is at it.
        RETURN true;
    END IF;
    SELECT n.oid INTO schema_id FROM pg_namespace AS n WHERE n.nspname = doomed_schema;
    IF schema_id IS NOT NULL THEN
        IF postgate_internal.count_objects(schema_id) <= max_locks THEN
            EXECUTE format('DROP SCHEMA %I CASCADE', doomed_schema);
        ELSE
            -- What stands on something goes before it, as far as the order of their making tells: then little goes along.
            SELECT array_agg(format('DROP %s IF EXISTS %I.%I CASCADE', o.kind, doomed_schema, o.name) ORDER BY o.place)
            INTO drops
            FROM (
                SELECT l.kind, l.name, row_number() OVER w AS place, sum(l.locks) OVER w - l.locks AS locks_before
                FROM (
                    SELECT d.objid AS id, coalesce(c.relname, t.typname) AS name,
                        CASE WHEN t.oid IS NOT NULL THEN 'TYPE'
                            WHEN c.relkind = 'v' THEN 'VIEW'
                            WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW'
                            WHEN c.relkind = 'S' THEN 'SEQUENCE'
                            WHEN c.relkind = 'f' THEN 'FOREIGN TABLE'
                            ELSE 'TABLE' END AS kind,
                        (SELECT 1 + count(*) FROM pg_depend AS p
                            WHERE p.refclassid = d.classid AND p.refobjid = d.objid AND p.deptype IN ('a', 'i', 'P', 'S')) AS locks
                    FROM pg_depend AS d
                    LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
                    LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
                    WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = schema_id
                        AND (c.oid IS NOT NULL OR t.oid IS NOT NULL)
                        -- A sequence goes with its column, and a table after its partitions.
                        AND NOT EXISTS (
                            SELECT FROM pg_depend AS p
                            WHERE c.relkind = 'S' AND p.classid = d.classid AND p.objid = d.objid AND p.deptype IN ('a', 'i')
                        )
                        AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = c.oid)
                ) AS l
                WINDOW w AS (ORDER BY l.kind LIKE '%VIEW' DESC, l.kind = 'TYPE', l.id DESC)
            ) AS o
            WHERE o.locks_before < max_locks;
            FOR place IN 1..cardinality(drops) LOOP
                EXECUTE drops[place];
            END LOOP;
            RETURN false;
        END IF;
    END IF;
    DELETE FROM postgate_internal.doomed AS d WHERE d.database_id = p_database_id;
    PERFORM postgate_internal.arrange_roles(p_database_id);
    RETURN true;
END
$function$;
