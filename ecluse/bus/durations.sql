-- name: add
-- Adds to buckets, in one order whoever adds.
-- $1 measure  $2 subjects  $3 details  $4 upper bounds in seconds  $5 how many  $6 their sums in seconds
INSERT INTO bus.duration AS d (measure, subject, detail, upper_s, found, total_s)
SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::float8[], $5::bigint[], $6::float8[])
    AS u (subject, detail, upper_s, found, total_s)
ORDER BY subject COLLATE "C", detail COLLATE "C", upper_s
ON CONFLICT (measure, subject, detail, upper_s) DO UPDATE
SET found = d.found + excluded.found, total_s = d.total_s + excluded.total_s

-- name: all
-- Every bucket.
SELECT measure, subject, detail, upper_s, found, total_s FROM bus.duration
