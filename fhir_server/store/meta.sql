-- name: profiles
-- The profiles that resources name; each step of the walk leaps to the next value in the index.
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
SELECT DISTINCT code FROM step ORDER BY code LIMIT $3;

-- name: codings
-- One resource for each coding that resources carry, with its body: the index has only the code and the system's key.
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
), first AS (
    SELECT step.code, one.system, min(one.pk) AS pk
    FROM step
    CROSS JOIN LATERAL (
        SELECT t.system, min(t.pk) AS pk FROM fhir.token t
        WHERE t.site = $1 AND t.path = step.path AND t.code = step.code
        GROUP BY t.system
    ) one
    GROUP BY step.code, one.system
    ORDER BY step.code, one.system
    LIMIT $3
)
SELECT first.code, first.system, v.body
FROM first
CROSS JOIN LATERAL (SELECT body FROM fhir.version WHERE pk = first.pk ORDER BY version DESC LIMIT 1) v
ORDER BY first.code, first.system;
