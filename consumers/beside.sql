-- name: there
-- Whether one of some schemas is there.
-- $1 schemas
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = ANY ($1::text[]))

-- name: of
-- The tables that there are in a schema.
-- $1 schema
SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename
