-- name: drop
-- $1 keys
DELETE FROM fhir.flag WHERE pk = ANY ($1::bigint[]);

-- name: add
-- $1 site, $2 now, $3 sender, $4 keys, $5 types, $6 versions, $7 positions, $8 severities, $9 codes, $10 profiles,
-- $11 paths, $12 expressions, $13 texts, $14 diagnostics
INSERT INTO fhir.flag (pk, flagged_at, version, site, type, position, severity, code, profile, path, expression, text,
    diagnostics, sender)
SELECT pk, $2::timestamptz, version, $1::smallint, type, position, severity, code, profile, path, expression, text,
    diagnostics, $3
FROM unnest($4::bigint[], $5::smallint[], $6::int[], $7::smallint[], $8::text[], $9::text[], $10::text[], $11::text[],
    $12::text[], $13::text[], $14::text[])
    AS given (pk, type, version, position, severity, code, profile, path, expression, text, diagnostics);

-- name: list
-- Issues, in the order of their resources.
-- $1 site or null, $2 profile (its url, with or without version) or null, $3 type or null, $4 severity or null,
-- $5 code or null, $6 path or null, $7 id or null, $8 and $9 after this key and position, $10 limit
SELECT f.pk, f.position, s.name AS site, f.type, r.id, f.version, f.flagged_at, f.sender, f.severity, f.code, f.profile,
    f.expression, f.text, f.diagnostics
FROM fhir.flag f
JOIN fhir.site s ON s.site = f.site
JOIN fhir.resource r ON r.site = f.site AND r.type = f.type AND r.pk = f.pk
WHERE ($1::text IS NULL OR s.name = $1)
    AND ($2::text IS NULL OR f.profile = $2 OR split_part(f.profile, '|', 1) = $2)
    AND ($3::smallint IS NULL OR f.type = $3)
    AND ($4::text IS NULL OR f.severity = $4)
    AND ($5::text IS NULL OR f.code = $5)
    AND ($6::text IS NULL OR f.path = $6)
    AND ($7::text IS NULL OR r.id = $7)
    AND (f.pk, f.position) > ($8::bigint, $9::smallint)
ORDER BY f.pk, f.position
LIMIT $10;

-- name: counts
-- How many resources have which issue, by site and profile: errors, warnings, information, the most frequent first.
-- $1 site or null, $2 profile or null, $3 type or null, $4 severity or null, $5 code or null, $6 path or null, $7 id or null,
-- $8 how many to leave out, $9 limit
SELECT s.name AS site, f.profile, f.type, f.severity, f.code, f.path, f.text, count(DISTINCT f.pk) AS resources,
    count(*) AS issues
FROM fhir.flag f
JOIN fhir.site s ON s.site = f.site
WHERE ($1::text IS NULL OR s.name = $1)
    AND ($2::text IS NULL OR f.profile = $2 OR split_part(f.profile, '|', 1) = $2)
    AND ($3::smallint IS NULL OR f.type = $3)
    AND ($4::text IS NULL OR f.severity = $4)
    AND ($5::text IS NULL OR f.code = $5)
    AND ($6::text IS NULL OR f.path = $6)
    AND ($7::text IS NULL OR EXISTS (
        SELECT FROM fhir.resource r WHERE r.site = f.site AND r.type = f.type AND r.id = $7 AND r.pk = f.pk
    ))
GROUP BY s.name, f.profile, f.type, f.severity, f.code, f.path, f.text
ORDER BY f.severity = 'information', f.severity, resources DESC, s.name, f.profile, f.path, f.text
OFFSET $8 LIMIT $9;

-- name: standing
-- Current versions of a type, in the order of their keys, held so that no writer overtakes what is found of them.
-- $1 site, $2 type, $3 after this key, $4 limit, $5 id or NULL for all
SELECT r.pk, r.version, w.sender, v.body
FROM fhir.resource r
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
JOIN fhir.write w ON w.write_id = v.write_id
WHERE r.site = $1 AND r.type = $2 AND r.pk > $3 AND NOT r.deleted AND ($5::text IS NULL OR r.id = $5)
ORDER BY r.pk
LIMIT $4
FOR SHARE OF r;
