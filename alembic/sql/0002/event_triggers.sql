CREATE EVENT TRIGGER postgate_check_definition ON ddl_command_start
EXECUTE FUNCTION postgate_internal.check_definition();

CREATE EVENT TRIGGER postgate_adopt_definition ON ddl_command_end
WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW',
    'CREATE SEQUENCE', 'CREATE TYPE', 'CREATE DOMAIN', 'CREATE FOREIGN TABLE', 'ALTER TABLE', 'ALTER VIEW',
    'ALTER MATERIALIZED VIEW', 'ALTER SEQUENCE', 'ALTER TYPE', 'ALTER DOMAIN')
EXECUTE FUNCTION postgate_internal.adopt_definition();

CREATE EVENT TRIGGER postgate_check_drops ON sql_drop
EXECUTE FUNCTION postgate_internal.check_drops();
