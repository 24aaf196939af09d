CREATE TRIGGER postgate_follow_database
AFTER INSERT OR DELETE OR UPDATE OF id, backend_type, schema_name ON public.postgate_databases
FOR EACH ROW EXECUTE FUNCTION postgate_internal.follow_row('id');

CREATE TRIGGER postgate_follow_token
AFTER INSERT OR DELETE OR UPDATE OF database_id, allowed_operations ON public.postgate_tokens
FOR EACH ROW EXECUTE FUNCTION postgate_internal.follow_row('database_id');
