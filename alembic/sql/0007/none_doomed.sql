-- The revision before knows of no database that is deleted in part.
DO $do$
BEGIN
    IF EXISTS (SELECT FROM postgate_internal.doomed) THEN
        RAISE EXCEPTION 'deleted databases are not cleared away yet'
            USING HINT = 'Run SELECT postgate_internal.finish_deletions() until it says false.';
    END IF;
END
$do$;
