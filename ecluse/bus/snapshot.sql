-- name: by_key
-- The present version of some resources.
-- $1 site names  $2 type numbers  $3 ids
SELECT s.site AS site_number, r.pk, s.name AS site, r.type, r.id, r.version, r.deleted, r.patient, r.updated, v.op, v.body,
       m.survivor, m.number AS merge, coalesce((SELECT max(epoch) FROM bus.epoch), 1) AS epoch
FROM unnest($1::text[], $2::smallint[], $3::text[]) AS u (site, type, id)
JOIN fhir.site s ON s.name = u.site
JOIN fhir.resource r ON r.site = s.site AND r.type = u.type AND r.id = u.id
LEFT JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
LEFT JOIN fhir.merged m ON m.site = r.site AND m.source = r.patient
WHERE r.version > 0

-- name: walk
-- The present versions of all resources, in the order of their keys, until the bytes are reached; always at least one.
-- $1 site number  $2 type number  $3 pk, after which to go on  $4 type numbers  $5 most rows  $6 most bytes
SELECT site_number, pk, site, type, id, version, deleted, patient, updated, op, body, survivor, merge, epoch
FROM (
    SELECT r.site AS site_number, r.pk, s.name AS site, r.type, r.id, r.version, r.deleted, r.patient, r.updated, v.op,
           v.body, m.survivor, m.number AS merge, coalesce((SELECT max(epoch) FROM bus.epoch), 1) AS epoch,
           sum(coalesce(octet_length(v.body), 0)) OVER (ORDER BY r.site, r.type, r.pk)
               - coalesce(octet_length(v.body), 0) AS before
    FROM (
        SELECT site, type, pk, id, version, deleted, patient, updated FROM fhir.resource
        WHERE (site, type, pk) > ($1::smallint, $2::smallint, $3::bigint) AND type = ANY ($4::smallint[]) AND version > 0
        ORDER BY site, type, pk LIMIT $5
    ) r
    JOIN fhir.site s ON s.site = r.site
    LEFT JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
    LEFT JOIN fhir.merged m ON m.site = r.site AND m.source = r.patient
) sized
WHERE before < $6
ORDER BY site_number, type, pk
