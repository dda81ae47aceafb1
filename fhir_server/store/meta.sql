-- name: values
-- The values under some paths; each step of the walk leaps to the next one in the index.
-- $1 site, $2 paths, $3 limit
WITH RECURSIVE step AS (
    SELECT wanted.path, least.code
    FROM unnest($2::smallint[]) AS wanted (path)
    CROSS JOIN LATERAL (
        SELECT t.code FROM fhir.token t WHERE t.site = $1 AND t.path = wanted.path ORDER BY t.code LIMIT 1
    ) least
    UNION ALL
    SELECT step.path, next.code
    FROM step
    CROSS JOIN LATERAL (
        SELECT t.code FROM fhir.token t WHERE t.site = $1 AND t.path = step.path AND t.code > step.code ORDER BY t.code LIMIT 1
    ) next
)
SELECT path, code FROM step ORDER BY code, path LIMIT $3;

-- name: examples
-- A resource for each coding, with its body: the index has only the code and the system's key.
-- $1 site, $2 paths, $3 codes
WITH first AS (
    SELECT t.code, t.system, min(t.pk) AS pk
    FROM unnest($2::smallint[], $3::text[]) AS wanted (path, code)
    JOIN fhir.token t ON t.site = $1 AND t.path = wanted.path AND t.code = wanted.code
    GROUP BY t.code, t.system
)
SELECT first.code, first.system, v.body
FROM first
CROSS JOIN LATERAL (SELECT body FROM fhir.version WHERE pk = first.pk ORDER BY version DESC LIMIT 1) v
ORDER BY first.code, first.system;
