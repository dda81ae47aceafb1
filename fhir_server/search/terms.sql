-- name: spelled
-- The spellings of a code that stand in the index, letter by letter: what does not begin any code goes no further.
-- $1 site, $2 paths, $3 parts of the code with one letter each, small, $4 the same, large, $5 what no code goes on with, $6 most
WITH RECURSIVE begun (path, parts, code) AS (
    SELECT path, 0, ''::text COLLATE "C" FROM unnest($2::smallint[]) path
    UNION ALL
    SELECT b.path, b.parts + 1, b.code || n.part
    FROM begun b
    CROSS JOIN LATERAL (VALUES (($3::text[])[b.parts + 1]), (($4::text[])[b.parts + 1])) n (part)
    WHERE b.parts < cardinality($3::text[]) AND EXISTS (
        SELECT FROM fhir.token t
        WHERE t.site = $1 AND t.path = b.path AND t.code >= b.code || n.part AND t.code < b.code || n.part || $5
        OFFSET 0)
)
SELECT DISTINCT code FROM begun WHERE parts = cardinality($3::text[]) LIMIT $6;

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
