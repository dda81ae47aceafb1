-- name: release
-- $1 site, $2 keys, $3 types, $4 parameters, $5 systems, $6 codes
DELETE FROM fhir.claim c
USING unnest($2::bigint[], $3::smallint[], $4::int[], $5::bigint[], $6::text[]) AS gone (pk, type, parameter, system, code)
WHERE c.parameter = gone.parameter AND c.site = $1 AND c.type = gone.type AND c.code = gone.code
    AND c.system = gone.system AND c.pk = gone.pk;

-- name: claim
-- Claims what nobody has, in the order of the keys, so that writers never wait in a circle; waits for whoever is about
-- to have it.
-- $1 site, $2 keys, $3 types, $4 parameters, $5 systems, $6 codes
INSERT INTO fhir.claim (pk, system, parameter, site, type, code)
SELECT pk, system, parameter, $1, type, code
FROM unnest($2::bigint[], $3::smallint[], $4::int[], $5::bigint[], $6::text[]) AS given (pk, type, parameter, system, code)
ORDER BY parameter, type, code, system
ON CONFLICT DO NOTHING;

-- name: holders
-- Whoever has what was claimed and is another resource: the claimant, its place among the given, the holder.
-- $1 site, $2 keys, $3 types, $4 parameters, $5 systems, $6 codes
SELECT given.place::int - 1 AS place, r.id
FROM unnest($2::bigint[], $3::smallint[], $4::int[], $5::bigint[], $6::text[])
    WITH ORDINALITY AS given (pk, type, parameter, system, code, place)
JOIN fhir.claim c ON c.parameter = given.parameter AND c.site = $1 AND c.type = given.type AND c.code = given.code
    AND c.system = given.system AND c.pk <> given.pk
JOIN fhir.resource r ON r.site = $1 AND r.type = c.type AND r.pk = c.pk
ORDER BY given.place;

-- name: shared
-- Values that several resources have: up to so many, with the ids of their resources.
-- $1 site, $2 type, $3 paths, $4 most
SELECT t.code, array_agg(DISTINCT r.id) AS ids
FROM fhir.token t
JOIN fhir.resource r ON r.site = t.site AND r.type = $2 AND r.pk = t.pk
WHERE t.site = $1 AND t.path = ANY ($3::smallint[]) AND t.code <> ''
GROUP BY t.system, t.code
HAVING count(DISTINCT t.pk) > 1
ORDER BY t.code
LIMIT $4;

-- name: drop
-- $1 parameters, $2 most rows
DELETE FROM fhir.claim WHERE ctid = ANY (ARRAY(SELECT ctid FROM fhir.claim WHERE parameter = ANY ($1::int[]) LIMIT $2));
