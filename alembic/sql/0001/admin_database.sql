WITH admin AS (
    INSERT INTO public.postgate_databases (id, name, backend_type, schema_name)
    VALUES ('00000000-0000-0000-0000-000000000000', 'postgate_admin', 'schema', 'public')
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO public.postgate_adopted (undo)
SELECT format('DELETE FROM public.postgate_databases WHERE id = %L', admin.id)
FROM admin;
