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

-- name: due
-- Whether there is work.
-- $1 generation of the rows that this release makes
SELECT EXISTS (SELECT FROM fhir.reindex WHERE finished_at IS NULL) OR (SELECT generation FROM fhir.search_rows) < $1;

-- name: generation
-- That of the rows that stand.
SELECT generation FROM fhir.search_rows;

-- name: reached
-- $1 generation of the rows that stand now
UPDATE fhir.search_rows SET generation = $1 WHERE generation < $1;

-- name: begin_all
-- A request for all types of each site, unless it stands already; how many resources there are.
-- $1 beginning of their names, $2 now
WITH stored AS (
    SELECT s.site, s.name, count(r.pk) AS total, coalesce(array_agg(DISTINCT r.type) FILTER (WHERE r.type > 0), '{}') AS types
    FROM fhir.site s LEFT JOIN fhir.resource r ON r.site = s.site AND NOT r.deleted
    GROUP BY s.site
), requested AS (
    INSERT INTO fhir.reindex (id, requested_at, site, types, total)
    SELECT $1 || name, $2, site, types, total FROM stored
    ON CONFLICT DO NOTHING
)
SELECT sum(total)::bigint FROM stored;

-- name: present
-- The generation of the rows that stand, and how far the requests of a higher one are.
-- $1 beginning of their names
SELECT generation, coalesce(sum(done), 0)::bigint AS done, coalesce(sum(total), 0)::bigint AS total
FROM fhir.search_rows LEFT JOIN fhir.reindex ON starts_with(id, $1)
GROUP BY generation;

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
