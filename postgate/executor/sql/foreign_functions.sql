-- Those of the names $1 (a JSON array) that are functions, but not only the tenant's with the schema $2: a built-in function
-- or an extension's has the same name, or it is an administrator's function of ours. For a name of no function PostgreSQL
-- itself says that there is none; whether there is one in another schema is nobody's business.
SELECT f FROM pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb) AS f
WHERE EXISTS (
    SELECT FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE p.proname OPERATOR(pg_catalog.=) f::pg_catalog.name
        AND (n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' OR n.nspname OPERATOR(pg_catalog.=) $2 AND EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d
            WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
        ))
) OR f OPERATOR(pg_catalog.=) ANY (ARRAY['create_tenant_database', 'delete_tenant_database', 'create_tenant_token',
    'delete_tenant_token'])
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE p.proname OPERATOR(pg_catalog.=) f::pg_catalog.name AND n.nspname OPERATOR(pg_catalog.=) $2
)
