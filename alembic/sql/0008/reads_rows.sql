-- Whether a definition may read rows that are there by an expression over them. Its text is all that there is before it does:
-- an error in the middle of it can quote a value. What cannot be told from reading counts as it. The validator has the
-- same lists.
CREATE OR REPLACE FUNCTION postgate_internal.reads_rows(p_tag text, p_text text)
RETURNS boolean
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    functions CONSTANT text[] := ARRAY['btrim', 'char_length', 'length', 'lower', 'ltrim', 'md5', 'rtrim', 'to_tsvector', 'upper'];
    operators CONSTANT text[] := ARRAY['#>', '#>>', '->', '->>', '<', '<=', '<>', '=', '>', '>='];
    -- What has parentheses after it and is no call.
    words CONSTANT text[] := ARRAY['and', 'as', 'by', 'coalesce', 'in', 'include', 'not', 'nullif', 'or', 'where', 'with'];
    -- The words and operators, without what stands in quotes.
    bare CONSTANT text := lower(regexp_replace(p_text, '''[^'']*''|"[^"]*"', ' q ', 'g'));
    -- From the columns of an index on.
    body CONSTANT text := substr(bare, strpos(bare, '('));
    is_unique CONSTANT boolean := bare ~ '^\s*create\s+unique\M';
    any_operator CONSTANT text := '[-+*/<>=~!@#%^&|`?]+';
BEGIN
    -- Other quotes than these, and comments.
    IF bare ~ '(\me|&) q |\$\w*\$|--|/\*' THEN
        RETURN true;
    END IF;
    IF p_tag IN ('CREATE VIEW', 'ALTER VIEW') THEN
        RETURN bare ~ '\mcheck_option\M|\mcheck\s+option\M';
    ELSIF p_tag = 'CREATE INDEX' OR p_tag = 'ALTER TABLE' AND bare ~ '\mexclude\M' THEN
        RETURN body ~ '\m(case|cast|between)\M' AND (is_unique OR body ~ '\m(case|cast)\M')
            OR EXISTS (SELECT FROM regexp_matches(body, '::\s*(\w+)', 'g') AS m WHERE m[1] NOT IN ('text', 'varchar'))
            OR EXISTS (SELECT FROM regexp_matches(body, '(\w+)\s*\(', 'g') AS m WHERE m[1] <> ALL (functions || words))
            OR EXISTS (
                SELECT FROM regexp_matches(body, any_operator, 'g') AS m
                WHERE m[1] <> ALL (CASE WHEN is_unique THEN ARRAY['='] ELSE operators END)
            )
            OR is_unique AND (regexp_split_to_array(body, '\mwhere\M'))[1] ~ any_operator;
    ELSIF p_tag IN ('ALTER TABLE', 'ALTER DOMAIN') THEN
        RETURN bare ~ '\m(check|set\s+expression)\M|\mgenerated\s+always\s+as\s*\(|\musing\s+(?!index\M)';
    END IF;
    RETURN p_tag = 'CREATE MATERIALIZED VIEW';
END
$function$;
