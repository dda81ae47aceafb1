-- name: begin
-- A project's row; nothing changes where there is one.
-- $1 project  $2 check value of the master key  $3 lowest shift  $4 highest shift
INSERT INTO hub.project (project, key_check, shift_low, shift_high) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: begun
-- What a project's feed began with.
-- $1 project
SELECT key_check, shift_low, shift_high FROM hub.project WHERE project = $1

-- name: states
-- What was last told under each key, and of whom.
-- $1 project  $2 keys
SELECT s.key, s.op, s.digest, p.person
FROM hub.state s LEFT JOIN hub.subject p ON p.project = s.project AND p.key = s.key
WHERE s.project = $1 AND s.key = ANY ($2::text[])

-- name: take_seq
-- The last of some new sequence numbers; the row stays locked, so that numbers are committed in their order.
-- $1 project  $2 how many
UPDATE hub.project SET last_seq = last_seq + $2 WHERE project = $1 RETURNING last_seq

-- name: purge
-- Takes what was told under some keys out of the feed; a notice takes its place.
-- $1 project  $2 keys
DELETE FROM hub.feed WHERE project = $1 AND key = ANY ($2::text[])

-- name: append
-- New records.
-- $1 project  $2 sequence numbers  $3 keys  $4 epochs  $5 versions  $6 records
INSERT INTO hub.feed (project, seq, key, epoch, version, record)
SELECT $1, u.* FROM unnest($2::bigint[], $3::text[], $4::int[], $5::int[], $6::text[])
    AS u (seq, key, epoch, version, record)

-- name: remember
-- What is now told under each key.
-- $1 project  $2 keys  $3 epochs  $4 versions  $5 ops  $6 digests
INSERT INTO hub.state (project, key, epoch, version, op, digest)
SELECT $1, u.* FROM unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::text[])
    AS u (key, epoch, version, op, digest)
ORDER BY u.key COLLATE "C"
ON CONFLICT (project, key) DO UPDATE
SET epoch = excluded.epoch, version = excluded.version, op = excluded.op, digest = excluded.digest

-- name: subjects
-- Whose records these are.
-- $1 project  $2 keys  $3 persons  $4 sites  $5 patients
INSERT INTO hub.subject AS s (project, key, person, site, patient)
SELECT $1, u.* FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[]) AS u (key, person, site, patient)
ORDER BY u.key COLLATE "C"
ON CONFLICT (project, key) DO UPDATE SET person = excluded.person, site = excluded.site, patient = excluded.patient
WHERE (s.person, s.site, s.patient) IS DISTINCT FROM (excluded.person, excluded.site, excluded.patient)

-- name: forget
-- Whose records these were is told no more: they were erased.
-- $1 project  $2 keys
DELETE FROM hub.subject WHERE project = $1 AND key = ANY ($2::text[])

-- name: records
-- The feed after a sequence number, in its order.
-- $1 project  $2 sequence number  $3 most rows
SELECT seq, key, epoch, version, record FROM hub.feed WHERE project = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: counts
-- What stands in a project's feed.
-- $1 project
SELECT p.last_seq,
       (SELECT count(*) FROM hub.feed f WHERE f.project = $1) AS records,
       (SELECT count(*) FROM hub.state s WHERE s.project = $1 AND s.op = 'recorded') AS resources,
       (SELECT count(DISTINCT s.person) FROM hub.subject s WHERE s.project = $1) AS persons
FROM hub.project p WHERE p.project = $1

-- name: published
-- Up to where the feed stands in its topic.
-- $1 project
SELECT published_seq FROM hub.project WHERE project = $1

-- name: advance
-- The feed stands in its topic up to here.
-- $1 project  $2 sequence number
UPDATE hub.project SET published_seq = greatest(published_seq, $2) WHERE project = $1
