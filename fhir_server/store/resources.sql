-- name: current
-- The current version of one resource, deleted or not.
-- $1 site, $2 type, $3 id
SELECT r.pk, r.version, r.updated, r.deleted, v.body, v.op IS NOT DISTINCT FROM 5 AS erased
FROM fhir.resource r
LEFT JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
WHERE r.site = $1 AND r.type = $2 AND r.id = $3 AND r.version > 0;

-- name: current_of_keys
-- The current versions of resources of one type, those that were deleted meanwhile left out.
-- $1 site, $2 type, $3 keys
SELECT r.pk, r.id, v.body
FROM unnest($3::bigint[]) AS wanted (pk)
JOIN fhir.resource r ON r.site = $1 AND r.type = $2 AND r.pk = wanted.pk
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
WHERE NOT r.deleted;

-- name: version
-- One version of one resource.
-- $1 site, $2 type, $3 id, $4 version
SELECT v.pk, v.version, v.updated, v.body IS NULL AS deleted, v.body, v.op = 5 AS erased
FROM fhir.resource r
JOIN fhir.version v ON v.pk = r.pk AND v.version = $4
WHERE r.site = $1 AND r.type = $2 AND r.id = $3;

-- name: conditions
-- Waits for the conditional writes that another transaction is making on the same conditions, in bucket order.
-- $1 buckets, ascending; $2 the class of these locks
SELECT pg_advisory_xact_lock($2, bucket) FROM unnest($1::int[]) AS wanted (bucket);

-- name: of_codes
-- The resources that have one of these codes, so many of each at most. LIMIT keeps PostgreSQL from any other plan than
-- one probe after the other, also where a table has no statistics yet.
-- $1 site; for each code $2 its place, $3 type, $4 path, $5 system, $6 code; $7 how many
SELECT wanted.place, r.id, r.version
FROM unnest($2::int[], $3::smallint[], $4::smallint[], $5::bigint[], $6::text[]) AS wanted (place, type, path, system, code)
CROSS JOIN LATERAL (
    SELECT DISTINCT pk FROM fhir.token t
    WHERE t.site = $1 AND t.path = wanted.path AND t.code = wanted.code AND t.system = wanted.system
    LIMIT $7
) t
CROSS JOIN LATERAL (
    SELECT id, version FROM fhir.resource r WHERE r.site = $1 AND r.type = wanted.type AND r.pk = t.pk LIMIT 1
) r;

-- name: sites
-- All sites.
SELECT site, name, time_zone FROM fhir.site ORDER BY site;

-- name: add_site
-- A new site.
-- $1 name, $2 title, $3 FINESS, $4 time zone, $5 identifier systems
INSERT INTO fhir.site (name, title, finess, time_zone, identifier_systems) VALUES ($1, $2, $3, $4, $5::jsonb) RETURNING site;

-- name: stored
-- How many resources of each type stand, by site.
SELECT s.name AS site, r.type, count(*) FILTER (WHERE NOT r.deleted) AS present, count(*) FILTER (WHERE r.deleted) AS deleted
FROM fhir.resource r
JOIN fhir.site s ON s.site = r.site
WHERE r.version > 0
GROUP BY s.name, r.type
ORDER BY s.name, r.type;
