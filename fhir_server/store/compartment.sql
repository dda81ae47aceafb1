-- name: sized
-- The bodies of some resources, in the order of type and key, until the bytes are reached; always at least one. `found` is
-- how many were chosen. compartment.py puts in which.
-- {chosen} one of the statements below: type, pk, id and version; {bytes} most bytes, its last argument
SELECT type, pk, id, body, found
FROM (
    SELECT m.type, m.pk, m.id, v.body, count(*) OVER () AS found,
        sum(octet_length(v.body)) OVER (ORDER BY m.type, m.pk) - octet_length(v.body) AS before
    FROM (
{chosen}
    ) m
    JOIN fhir.version v ON v.pk = m.pk AND v.version = m.version
) sized
WHERE before < {bytes}
ORDER BY type, pk;

-- name: members
-- Resources that refer to one of some targets along paths of a compartment. The first target is not among them.
-- $1 site, $2 types of the paths, $3 paths, $4 type of the targets, $5 their ids, $6 type and $7 key to begin after,
-- $8 most rows, $9 updated since or NULL, $10 paths of dates of care or NULL, $11 from, $12 until, $13 most bytes
SELECT DISTINCT p.type, w.pk, w.id, w.version
FROM unnest($2::smallint[], $3::smallint[]) AS p (type, path)
CROSS JOIN unnest($5::text[]) AS t (id)
CROSS JOIN LATERAL (
    SELECT m.pk, r.id, r.version
    FROM fhir.reference m
    JOIN fhir.resource r ON r.site = m.site AND r.type = p.type AND r.pk = m.pk
    WHERE m.site = $1 AND m.path = p.path AND m.target_id = t.id AND m.target_type = $4
        AND NOT (p.type = $4 AND r.id = ($5::text[])[1])
        AND m.pk > CASE WHEN p.type = $6::smallint THEN $7::bigint ELSE -1 END
        AND ($9::timestamptz IS NULL OR r.updated >= $9)
        AND ($10::smallint[] IS NULL OR coalesce((
            SELECT min(d.low) < $12::timestamptz AND max(d.high) > $11::timestamptz
            FROM fhir.date d WHERE d.pk = m.pk AND d.path = ANY ($10)), true))
    ORDER BY m.pk
    LIMIT $8
) w
ORDER BY p.type, w.pk
LIMIT $8;

-- name: of_all
-- The same for the compartments of all patients of a site: every resource that has a patient.
-- $1 site, $2 types, $3 type and $4 key to begin after, $5 most rows, $6 updated since or NULL,
-- $7 paths of dates of care or NULL, $8 from, $9 until, $10 most bytes
SELECT r.type, r.pk, r.id, r.version
FROM fhir.resource r
WHERE r.site = $1 AND (r.type, r.pk) > ($3::smallint, $4::bigint) AND r.type = ANY ($2::smallint[])
    AND r.patient IS NOT NULL AND NOT r.deleted AND ($6::timestamptz IS NULL OR r.updated >= $6)
    AND ($7::smallint[] IS NULL OR coalesce((
        SELECT min(d.low) < $9::timestamptz AND max(d.high) > $8::timestamptz
        FROM fhir.date d WHERE d.pk = r.pk AND d.path = ANY ($7)), true))
ORDER BY r.type, r.pk
LIMIT $5;

-- name: referred
-- Those of some addresses where something stands that is of no patient, or of one of these. The bodies of Binaries are
-- left out: they refer to nothing.
-- $1 site, $2 types, $3 ids, $4 patients, $5 the type of Binaries
SELECT r.type, r.pk, r.id, r.version, r.updated, r.patient,
    CASE WHEN r.type <> $5 AND r.patient IS NULL THEN v.body END AS body
FROM unnest($2::smallint[], $3::text[]) AS u (type, id)
JOIN fhir.resource r ON r.site = $1 AND r.type = u.type AND r.id = u.id
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
WHERE NOT r.deleted AND (r.patient IS NULL OR r.patient = ANY ($4::text[]));

-- name: referred_by_all
-- Resources of no patient that others refer to.
-- $1 site, $2 types, $3 type and $4 key to begin after, $5 most rows, $6 updated since or NULL, $7 paths along which anything refers,
-- $8 most bytes
SELECT r.type, r.pk, r.id, r.version
FROM fhir.resource r
WHERE r.site = $1 AND (r.type, r.pk) > ($3::smallint, $4::bigint) AND r.type = ANY ($2::smallint[])
    AND r.patient IS NULL AND NOT r.deleted AND ($6::timestamptz IS NULL OR r.updated >= $6)
    AND EXISTS (
        SELECT FROM unnest($7::smallint[]) AS p (path)
        JOIN fhir.reference m ON m.site = $1 AND m.path = p.path AND m.target_id = r.id AND m.target_type = r.type)
ORDER BY r.type, r.pk
LIMIT $5;

-- name: bodies
-- Some resources in some version.
-- $1 types, $2 keys, $3 ids, $4 versions, $5 most bytes
SELECT type, pk, id, version FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::int[]) AS u (type, pk, id, version);
