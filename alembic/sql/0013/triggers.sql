CREATE TRIGGER postgate_refuse_orphans
BEFORE DELETE ON public.postgate_databases
FOR EACH ROW EXECUTE FUNCTION postgate_internal.refuse_orphans();

CREATE TRIGGER postgate_refuse_truncate
BEFORE TRUNCATE ON public.postgate_databases
FOR EACH STATEMENT EXECUTE FUNCTION postgate_internal.refuse_orphans();
