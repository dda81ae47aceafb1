-- name: concepts
-- Concepts by code; without regard to case, the exact one first.
-- $1 code system, $2 codes in lower case
SELECT position, code, display, definition, inactive, abstract, parents, under, designation, property
FROM terminology.concept WHERE system = $1 AND lower(code) = ANY ($2::text[]);

-- name: supplemented
-- What supplements say of codes, in their order.
-- $1 supplements, $2 codes
SELECT k.code, k.designation, k.property
FROM terminology.concept k
WHERE k.system = ANY ($1::int[]) AND lower(k.code) = ANY (SELECT lower(code COLLATE "C") FROM unnest($2::text[]) AS asked (code))
    AND k.code = ANY ($2::text[])
ORDER BY array_position($1::int[], k.system);

-- name: at
-- Codes and displays at some positions.
-- $1 code system, $2 positions
SELECT position, code, display FROM terminology.concept WHERE system = $1 AND position = ANY ($2::int[]) ORDER BY position;

-- name: children
-- Codes and displays directly below one concept, at most so many.
-- $1 code system, $2 its position, $3 first and $4 last position under it, $5 limit
SELECT position, code, display FROM terminology.concept
WHERE system = $1 AND position BETWEEN $3 AND $4 AND parents @> ARRAY[$2::int] ORDER BY position LIMIT $5;

-- name: resembling
-- Codes that are the same but for case and punctuation.
-- $1 code system, $2 the beginning in lower case, $3 letters and digits in lower case
SELECT code FROM terminology.concept
WHERE system = $1 AND lower(code) >= $2 AND lower(code) < $2 || chr(1114111)
    AND regexp_replace(lower(code), '[^a-z0-9]', '', 'g') = $3
LIMIT 3;
