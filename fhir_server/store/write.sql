-- name: reserve
-- Skeletons for ids that clients chose, in key order; a resource that stands already keeps its row.
-- $1 site, $2 keys, $3 types, $4 ids, $5 now
INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id)
SELECT pk, $5::timestamptz, 0, $1::smallint, type, true, id
FROM unnest($2::bigint[], $3::smallint[], $4::text[]) AS wanted (pk, type, id)
ORDER BY type, id
ON CONFLICT DO NOTHING;

-- name: lock
-- The rows of known ids, locked in key order, with their current bodies. A row that was changed while this statement
-- waited for it comes without a body: the snapshot is older than the change.
-- $1 site, $2 types, $3 ids
SELECT r.pk, r.type, r.id, r.version, r.deleted, r.updated, r.patient,
    (SELECT v.body FROM fhir.version v WHERE v.pk = r.pk AND v.version = r.version) AS body
FROM fhir.resource r
JOIN unnest($2::smallint[], $3::text[]) AS wanted (type, id) ON r.site = $1 AND r.type = wanted.type AND r.id = wanted.id
ORDER BY r.type, r.id
FOR UPDATE OF r;

-- name: current_bodies
-- Bodies of current versions, in a snapshot that is younger than the wait for their locks.
-- $1 keys
SELECT v.pk, v.body
FROM unnest($1::bigint[]) AS wanted (pk)
CROSS JOIN LATERAL (SELECT pk, body FROM fhir.version WHERE pk = wanted.pk ORDER BY version DESC LIMIT 1) v;
