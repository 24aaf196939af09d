-- Whether a view, of a tenant as a rule, stands on a function, which can then not be dropped.
SELECT EXISTS (
    SELECT FROM pg_depend AS d
    WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = to_regprocedure(%(identity)s) AND d.deptype = 'n'
)
