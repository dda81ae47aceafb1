-- name: place
-- The copy begins to read where the live consumer is.
-- $1 copy  $2 live consumer
INSERT INTO bus.consumer_offset (consumer, topic, partition, next_offset, generation, epoch)
SELECT $1, topic, partition, next_offset, 1, epoch FROM bus.consumer_offset WHERE consumer = $2

-- name: begin
-- The copy walks through the store.
-- $1 copy  $2 epoch
INSERT INTO bus.consumer (consumer, epoch, walking) VALUES ($1, $2, true)

-- name: hold_outbox
-- What the live consumer has not read yet stays for the copy too.
-- $1 copy  $2 live consumer
INSERT INTO bus.cursor (name, lane, seq) SELECT $1, lane, seq FROM bus.cursor WHERE name = $2 ON CONFLICT DO NOTHING

-- name: known
-- The versions of some resources that a consumer has taken.
-- $1 consumer  $2 sites  $3 types  $4 ids
SELECT l.site, l.type, l.id, l.epoch, l.version
FROM unnest($2::text[], $3::text[], $4::text[]) AS k (site, type, id)
JOIN bus.ledger l ON l.consumer = $1 AND l.site = k.site AND l.type = k.type AND l.id = k.id

-- name: untold
-- The resources that a consumer has and its copy has not, or as they were before; those that are gone only when the copy has them.
-- $1 copy  $2 live consumer  $3 site  $4 type  $5 id, after which to go on  $6 most rows
SELECT l.site, l.type, l.id
FROM bus.ledger l LEFT JOIN bus.ledger s ON s.consumer = $1 AND s.site = l.site AND s.type = l.type AND s.id = l.id
WHERE l.consumer = $2 AND (l.site, l.type, l.id) > ($3, $4, $5)
  AND CASE WHEN s.id IS NULL THEN NOT l.deleted ELSE (s.epoch, s.version) < (l.epoch, l.version) END
ORDER BY l.site, l.type, l.id LIMIT $6

-- name: redecided
-- The resources of a copy that were delivered and are held back now, or were held back and are not; of persons of whom only some
-- are held back, all.
-- $1 copy  $2 site  $3 type  $4 id, after which to go on  $5 persons of whom something is held back  $6 most rows
SELECT site, type, id FROM bus.ledger
WHERE consumer = $1 AND NOT deleted AND (site, type, id) > ($2, $3, $4)
  AND CASE WHEN state = 'withheld' THEN NOT person = ANY ($5::bigint[]) ELSE person = ANY ($5::bigint[]) AND state <> 'removed' END
ORDER BY site, type, id LIMIT $6

-- name: wait_for_turn
-- Keeps the live consumer from writing until the connection lets it.
-- $1 live consumer
SELECT pg_advisory_lock(7305004, hashtext($1))

-- name: end_turn
-- The live consumer writes again.
-- $1 live consumer
SELECT pg_advisory_unlock(7305004, hashtext($1))

-- name: books
-- The books of the copy become those of the live consumer, where they differ.
-- $1 copy  $2 live consumer
WITH other AS (
    UPDATE bus.ledger l SET person = s.person, epoch = s.epoch, version = s.version, deleted = s.deleted, state = s.state,
        reason = s.reason, patient = s.patient
    FROM bus.ledger s
    WHERE s.consumer = $1 AND l.consumer = $2 AND l.site = s.site AND l.type = s.type AND l.id = s.id
      AND ROW(l.person, l.epoch, l.version, l.deleted, l.state, l.reason, l.patient)
          IS DISTINCT FROM ROW(s.person, s.epoch, s.version, s.deleted, s.state, s.reason, s.patient)
)
INSERT INTO bus.ledger (person, epoch, version, deleted, consumer, site, type, id, state, reason, patient)
SELECT s.person, s.epoch, s.version, s.deleted, $2, s.site, s.type, s.id, s.state, s.reason, s.patient
FROM bus.ledger s WHERE s.consumer = $1 ON CONFLICT DO NOTHING

-- name: drop_dead_letters
-- What the live consumer could not take before.
-- $1 live consumer
DELETE FROM bus.dead_letter WHERE consumer = $1

-- name: own_dead_letters
-- What the copy could not take is what the live consumer cannot take.
-- $1 copy  $2 live consumer
UPDATE bus.dead_letter SET consumer = $2 WHERE consumer = $1

-- name: left
-- Whether nobody has gone on with a copy for so long.
-- $1 copy  $2 how long
SELECT coalesce(bool_or(updated < now() - $2::interval), true) FROM bus.consumer WHERE consumer = $1

-- name: forget
-- Nothing of a copy is left.
-- $1 copy
WITH ledger AS (DELETE FROM bus.ledger WHERE consumer = $1),
     offsets AS (DELETE FROM bus.consumer_offset WHERE consumer = $1),
     letters AS (DELETE FROM bus.dead_letter WHERE consumer = $1)
DELETE FROM bus.consumer WHERE consumer = $1
