-- name: of_resource
-- Versions of one resource, newest first.
-- $1 site, $2 type, $3 id, $4 not before, $5 before, $6 still current after, $7 below this version, $8 limit
SELECT v.pk, r.type, r.id, v.version, v.updated, v.op, v.version = 1 AND v.pk > v.write_id AS posted, v.body
FROM fhir.resource r
JOIN fhir.version v ON v.pk = r.pk
WHERE r.site = $1 AND r.type = $2 AND r.id = $3 AND v.version < $7 AND v.updated >= $4 AND v.updated < $5
    AND NOT EXISTS (SELECT FROM fhir.version n WHERE n.pk = v.pk AND n.version = v.version + 1 AND n.updated <= $6)
ORDER BY v.version DESC
LIMIT $8;

-- name: of_resource_total
-- How many versions of one resource there are, and how many of them are asked for.
-- $1 site, $2 type, $3 id, $4 not before, $5 before, $6 still current after
SELECT count(*) AS stored, count(*) FILTER (
    WHERE v.updated >= $4 AND v.updated < $5
    AND NOT EXISTS (SELECT FROM fhir.version n WHERE n.pk = v.pk AND n.version = v.version + 1 AND n.updated <= $6)
) AS asked
FROM fhir.resource r
JOIN fhir.version v ON v.pk = r.pk
WHERE r.site = $1 AND r.type = $2 AND r.id = $3;

-- name: of_types
-- Versions of resources of some types, newest first, beginning after a place in that order. Current versions are found
-- in fhir.resource, earlier ones in fhir.superseded; an index of each is in the order that is asked for.
-- $1 site, $2 types, $3 not before, $4 before, $5 still current after, $6 after this instant, $7 and this key, $8 limit
SELECT h.pk, h.type, r.id, h.version, h.updated, v.op, v.version = 1 AND v.pk > v.write_id AS posted, v.body
FROM (
    SELECT wanted.type, found.pk, found.version, found.updated
    FROM unnest($2::smallint[]) AS wanted (type)
    CROSS JOIN LATERAL (
        (
            SELECT c.pk, c.version, c.updated
            FROM fhir.resource c
            WHERE c.site = $1 AND c.type = wanted.type AND c.version > 0 AND c.updated >= $3 AND c.updated < $4
                AND (c.updated, c.pk) < ($6, $7)
            ORDER BY c.updated DESC, c.pk DESC
            LIMIT $8
        )
        UNION ALL
        (
            SELECT s.pk, s.version, s.updated
            FROM fhir.superseded s
            WHERE s.site = $1 AND s.type = wanted.type AND s.updated >= $3 AND s.updated < $4 AND s.until > $5
                AND (s.updated, s.pk) < ($6, $7)
            ORDER BY s.updated DESC, s.pk DESC
            LIMIT $8
        )
    ) found
    ORDER BY found.updated DESC, found.pk DESC
    LIMIT $8
) h
JOIN fhir.resource r ON r.site = $1 AND r.type = h.type AND r.pk = h.pk
JOIN fhir.version v ON v.pk = h.pk AND v.version = h.version
ORDER BY h.updated DESC, h.pk DESC;

-- name: of_types_total
-- How many versions of resources of some types are asked for.
-- $1 site, $2 types, $3 not before, $4 before, $5 still current after
SELECT (
    SELECT count(*) FROM fhir.resource c
    WHERE c.site = $1 AND c.type = ANY($2::smallint[]) AND c.version > 0 AND c.updated >= $3 AND c.updated < $4
) + (
    SELECT count(*) FROM fhir.superseded s
    WHERE s.site = $1 AND s.type = ANY($2::smallint[]) AND s.updated >= $3 AND s.updated < $4 AND s.until > $5
);
