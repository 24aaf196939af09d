-- The functions of extensions that x.f could call for the tenant with the schema $1: those that take one argument.
SELECT DISTINCT p.proname
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) d.objid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
    AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
    AND d.deptype OPERATOR(pg_catalog.=) 'e'
    AND n.nspname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog', $1]::pg_catalog.name[])
    AND p.pronargs OPERATOR(pg_catalog.>=) 1
    AND p.pronargs OPERATOR(pg_catalog.-) p.pronargdefaults OPERATOR(pg_catalog.<=) 1
