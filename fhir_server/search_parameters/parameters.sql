-- name: next_generation
-- Counts one more, and holds the right to change parameters until the transaction ends.
UPDATE fhir.parameter_state SET generation = generation + 1;

-- name: of_resources
-- The parameters that stored SearchParameters have made, those that are about to go left out.
-- $1 keys of the resources
SELECT pk, resource_pk FROM fhir.parameter WHERE resource_pk = ANY ($1::bigint[]) AND state <> 'removing';

-- name: of_source
-- The parameters of a package.
-- $1 source
SELECT pk FROM fhir.parameter WHERE source = $1 AND state <> 'removing';

-- name: sources_of_failed
-- The packages that have parameters which are not served.
SELECT DISTINCT source FROM fhir.parameter WHERE source <> '' AND state = 'failed';

-- name: bodies
-- The definitions of one type in a package.
-- $1 name, $2 version, $3 type
SELECT d.body FROM guide.definition d JOIN guide.package p ON p.pk = d.package
WHERE p.name = $1 AND p.version = $2 AND d.type = $3
ORDER BY d.pk;

-- name: add
-- $1 key of the resource, $2 now, $3 site, $4 unique, $5 state, $6 reason, $7 source, $8 id, $9 code, $10 kind, $11 url,
-- $12 readings
INSERT INTO fhir.parameter (resource_pk, asked_at, site, is_unique, state, reason, source, id, code, kind, url, readings)
VALUES ($1, $2, $3::smallint, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb)
RETURNING pk;

-- name: free_numbers
-- The lowest numbers that no path has.
-- $1 first, $2 last, $3 how many
SELECT number FROM (SELECT generate_series($1::int, $2::int) EXCEPT SELECT number FROM fhir.parameter_path) free (number)
ORDER BY number LIMIT $3;

-- name: add_paths
-- $1 parameter, $2 numbers, $3 types, $4 evaluated, $5 texts
INSERT INTO fhir.parameter_path (parameter, number, type, evaluated, text)
SELECT $1, number, type, evaluated, text
FROM unnest($2::smallint[], $3::smallint[], $4::boolean[], $5::text[]) AS given (number, type, evaluated, text);

-- name: set_aside
-- Takes parameters out of all searches; what is stored for them goes in the background.
-- $1 parameters
UPDATE fhir.parameter SET state = 'removing', dirty = true WHERE pk = ANY ($1::int[]);

-- name: told
-- How the parameters stand that a site can have, the latest last. site 0: those of all sites, from packages.
-- $1 site
SELECT p.id, p.source, p.code, p.kind, p.url, p.state, p.reason, p.done, p.total, p.readings, p.is_unique, p.asked_at
FROM fhir.parameter p
WHERE p.site IN (0, $1) AND p.state <> 'removing'
ORDER BY p.asked_at, p.pk;

-- name: told_everywhere
-- The same of every site; site "": of all sites.
SELECT coalesce(s.name, '') AS site, p.code, p.state, p.reason, p.done, p.total,
    CASE WHEN p.source = '' THEN 'SearchParameter/' || p.id ELSE p.source END AS source, p.readings AS base
FROM fhir.parameter p
LEFT JOIN fhir.site s ON s.site = p.site
WHERE p.state <> 'removing'
ORDER BY s.site NULLS FIRST, p.asked_at, p.pk;
