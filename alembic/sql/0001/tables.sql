-- What a downgrade has to undo, newest first. A step that puts a function back names it.
CREATE TABLE public.postgate_adopted (
    step integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    undo text NOT NULL,
    function text
);

INSERT INTO public.postgate_adopted (undo)
SELECT format('DROP SCHEMA %I', wanted.name)
FROM (VALUES ('postgate_internal'), ('postgate_helpers')) AS wanted (name)
WHERE to_regnamespace(wanted.name) IS NULL;

INSERT INTO public.postgate_adopted (undo)
SELECT format('DROP TABLE public.%I', wanted.name)
FROM (VALUES ('postgate_databases'), ('postgate_tokens')) AS wanted (name)
WHERE to_regclass('public.' || wanted.name) IS NULL;

CREATE SCHEMA IF NOT EXISTS postgate_internal;
CREATE SCHEMA IF NOT EXISTS postgate_helpers;

-- A new table is an empty one to adopt: columns.sql and constraints.sql fill both alike.
CREATE TABLE IF NOT EXISTS public.postgate_databases ();
CREATE TABLE IF NOT EXISTS public.postgate_tokens ();
