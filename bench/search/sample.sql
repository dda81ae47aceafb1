-- name: bodies
-- Some resources of a type, spread over all keys.
-- $1 type, $2 one in so many, $3 at most
SELECT v.body
FROM fhir.resource r
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
WHERE r.site = 1 AND r.type = $1 AND NOT r.deleted AND hashint8(r.pk) % $2 = 0
LIMIT $3;

-- name: of_type
-- $1 type
SELECT count(*) FROM fhir.resource WHERE site = 1 AND type = $1 AND NOT deleted;

-- name: resources
SELECT count(*) FROM fhir.resource WHERE NOT deleted;

-- name: instants
-- When resources of a type were last written, the latest first.
-- $1 type
SELECT updated FROM fhir.resource WHERE site = 1 AND type = $1 ORDER BY updated DESC LIMIT 2000;
