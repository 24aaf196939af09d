-- Every role of every tenant of this database.
SELECT postgate_internal.drop_role(r.rolname)
FROM public.postgate_databases AS d
JOIN pg_roles AS r ON starts_with(r.rolname, 'postgate_' || replace(d.id::text, '-', '') || '_')
ORDER BY r.rolname LIKE '%\_owner';
