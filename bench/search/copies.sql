-- name: keyed
-- The tables whose rows belong to one resource and that searches read, with their columns.
SELECT c.oid::regclass::text AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns,
    array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum) AS types
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = 'fhir'::regnamespace AND c.relkind = 'r'
    AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'pk' AND attidentity = '')
    AND c.relname NOT IN ('superseded', 'flag', 'claim')
GROUP BY c.oid
ORDER BY pg_relation_size(c.oid) DESC;

-- name: plain_indexes
-- Indexes of a table that are no constraint.
-- $1 table
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i
WHERE i.indrelid = $1::text::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid);

-- name: last_key
SELECT coalesce(max(pk), 0) FROM fhir.resource;

-- name: skip_keys
-- No key that a copy has is given out.
-- $1 block
SELECT setval('fhir.key_block', $1);
