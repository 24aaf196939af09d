-- How many objects there are in a schema: relations, columns, types, indexes, labels of enums and statistics. Not
-- by the catalogs' columns of the schema, which have no index of their own: every tenant's objects are there.
CREATE OR REPLACE FUNCTION postgate_internal.count_objects(p_schema oid)
RETURNS bigint
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH own AS (
        SELECT d.classid AS class, d.objid AS id, CASE d.classid
                WHEN 'pg_class'::regclass THEN (SELECT c.oid FROM pg_class AS c WHERE c.oid = d.objid AND c.relkind <> 'S')
                WHEN 'pg_type'::regclass THEN (SELECT t.typrelid FROM pg_type AS t WHERE t.oid = d.objid)
            END AS relation
        FROM pg_depend AS d
        WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = p_schema
            AND d.classid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_statistic_ext'::regclass)
    )
    SELECT (SELECT count(*) FROM own)
        + (SELECT count(*) FROM own AS o JOIN pg_attribute AS a ON a.attrelid = o.relation WHERE a.attnum > 0)
        + (SELECT count(*) FROM own AS o JOIN pg_index AS i ON i.indrelid = o.relation)
        + (SELECT count(*) FROM own AS o JOIN pg_enum AS e ON e.enumtypid = o.id WHERE o.class = 'pg_type'::regclass)
$function$;
