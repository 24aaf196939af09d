-- The statements that drop every function of this schema and name with other parameter types than the new one.
SELECT format('DROP ROUTINE %%s', p.oid::regprocedure)
FROM pg_proc AS p
WHERE p.pronamespace = to_regnamespace(%(schema)s)
    AND p.proname = %(name)s
    AND p.oid IS DISTINCT FROM to_regprocedure(%(identity)s)
