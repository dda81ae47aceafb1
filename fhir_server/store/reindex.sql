-- name: begin
-- A new request; how many resources there are is counted once, for the progress.
-- $1 id, $2 now, $3 site, $4 types
INSERT INTO fhir.reindex (id, requested_at, site, types, total)
SELECT $1, $2, $3, $4, count(*) FROM fhir.resource WHERE site = $3 AND type = ANY ($4::smallint[]) AND NOT deleted;

-- name: job
-- How far a request is.
-- $1 site, $2 id
SELECT id, site, types, place_type, place_pk, total, done, changed, requested_at, finished_at, cancelled
FROM fhir.reindex WHERE site = $1 AND id = $2;

-- name: waiting
-- Whether there is work.
SELECT EXISTS (SELECT FROM fhir.reindex WHERE finished_at IS NULL);

-- name: due
-- Whether there is work, or something that an interrupted process left.
SELECT EXISTS (SELECT FROM fhir.reindex WHERE finished_at IS NULL) OR to_regclass('fhir.token_pk') IS NOT NULL
    OR to_regclass('fhir.reference_pk') IS NOT NULL OR to_regclass('fhir.string_pk') IS NOT NULL;

-- name: next
-- The request that is worked on, locked.
SELECT id, site, types, place_type, place_pk, total, done, changed, requested_at, finished_at, cancelled
FROM fhir.reindex WHERE finished_at IS NULL ORDER BY requested_at, id LIMIT 1 FOR UPDATE;

-- name: cancel
-- Ends a request where it is.
-- $1 site, $2 id, $3 now
UPDATE fhir.reindex SET finished_at = $3, cancelled = true WHERE site = $1 AND id = $2 AND finished_at IS NULL;

-- name: advance
-- $1 id, $2 type, $3 key, $4 resources looked at, $5 resources changed
UPDATE fhir.reindex SET place_type = $2, place_pk = $3, done = done + $4, changed = changed + $5 WHERE id = $1;

-- name: finish
-- $1 id
UPDATE fhir.reindex SET finished_at = now() WHERE id = $1;

-- name: walk
-- The next resources.
-- $1 site, $2 types, $3 type and $4 key to begin after, $5 most rows
SELECT type, pk, id FROM fhir.resource
WHERE site = $1 AND type = ANY ($2::smallint[]) AND (type, pk) > ($3::smallint, $4::bigint) AND NOT deleted
ORDER BY type, pk
LIMIT $5;

-- name: one
-- The key of one resource that stands.
-- $1 site, $2 type, $3 id
SELECT type, pk, id FROM fhir.resource WHERE site = $1 AND type = $2 AND id = $3 AND NOT deleted;

-- name: tokens
-- $1 keys
SELECT pk, path, system, code FROM fhir.token WHERE pk = ANY ($1::bigint[]);

-- name: references
-- $1 keys
SELECT pk, path, target_type, target_id FROM fhir.reference WHERE pk = ANY ($1::bigint[]);

-- name: strings
-- $1 keys
SELECT pk, path, folded, exact FROM fhir.string WHERE pk = ANY ($1::bigint[]);

-- name: dates
-- $1 keys
SELECT pk, path, low, high FROM fhir.date WHERE pk = ANY ($1::bigint[]);

-- name: only_one
-- True for the one process that works; the right ends with `release`, or with the connection.
-- $1 lock
SELECT pg_try_advisory_lock($1);

-- name: release
-- $1 lock
SELECT pg_advisory_unlock($1);

-- name: unfinished_indexes
-- Indexes whose making was cut off.
SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'fhir' AND c.relname IN ('token_pk', 'reference_pk', 'string_pk') AND NOT i.indisvalid;
