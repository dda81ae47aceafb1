-- name: below
-- The codes that a code subsumes, itself included.
-- $1 code system, $2 code, $3 most
SELECT k.code FROM terminology.concept k
WHERE k.system = $1
    AND k.position <@ (SELECT under FROM terminology.concept WHERE system = $1 AND lower(code) = lower($2) AND code = $2)
LIMIT $3;

-- name: above
-- The codes that subsume a code, itself included.
-- $1 code system, $2 code, $3 most
SELECT k.code FROM terminology.concept k
WHERE k.system = $1
    AND k.under @> (SELECT position FROM terminology.concept WHERE system = $1 AND lower(code) = lower($2) AND code = $2)
LIMIT $3;
