-- name: park
-- Keeps a record that could not be taken; a resource has one, its newest.
-- $1 consumer  $2 sites  $3 types  $4 ids  $5 epochs  $6 versions  $7 ops  $8 patients  $9 persons  $10 event times
-- $11 topics  $12 partitions  $13 positions  $14 reasons
INSERT INTO bus.dead_letter AS d (consumer, site, type, id, epoch, version, op, patient, person, event_time, topic,
                                  partition, position, reason)
SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::text[], $8::text[], $9::bigint[],
                           $10::timestamptz[], $11::text[], $12::int[], $13::bigint[], $14::text[])
    AS u (site, type, id, epoch, version, op, patient, person, event_time, topic, partition, position, reason)
ON CONFLICT (consumer, site, type, id) DO UPDATE
SET epoch = excluded.epoch, version = excluded.version, op = excluded.op, patient = excluded.patient,
    person = excluded.person, event_time = excluded.event_time, topic = excluded.topic, partition = excluded.partition,
    position = excluded.position, reason = excluded.reason, failed_at = now(), attempts = d.attempts + 1, replay = false

-- name: heal
-- The same or a later version of these resources was taken.
-- $1 consumer  $2 sites  $3 types  $4 ids
DELETE FROM bus.dead_letter AS d USING unnest($2::text[], $3::text[], $4::text[]) AS u (site, type, id)
WHERE d.consumer = $1 AND d.site = u.site AND d.type = u.type AND d.id = u.id

-- name: listed
-- The dead letters, oldest first.
-- $1 consumer or NULL  $2 reason or NULL
SELECT consumer, site, type, id, version, epoch, reason, attempts, failed_at, event_time, topic, partition, position, replay
FROM bus.dead_letter
WHERE ($1::text IS NULL OR consumer = $1) AND ($2::text IS NULL OR reason = $2)
ORDER BY failed_at, consumer, site, type, id

-- name: reasons
-- How many dead letters a consumer has, by reason.
-- $1 consumer
SELECT reason, count(*) AS found FROM bus.dead_letter WHERE consumer = $1 GROUP BY reason ORDER BY found DESC, reason

-- name: one
-- The dead letter of one resource.
-- $1 consumer  $2 site  $3 type  $4 id
SELECT consumer, site, type, id, version, epoch, reason, attempts, failed_at, event_time, topic, partition, position, replay
FROM bus.dead_letter WHERE consumer = $1 AND site = $2 AND type = $3 AND id = $4

-- name: request_replay
-- The running consumer tries these again.
-- $1 consumer  $2 reason or NULL
UPDATE bus.dead_letter SET replay = true WHERE consumer = $1 AND ($2::text IS NULL OR reason = $2)

-- name: requested
-- What the consumer was asked to try again.
-- $1 consumer  $2 most rows
SELECT site, type, id FROM bus.dead_letter WHERE consumer = $1 AND replay
ORDER BY site, type, id LIMIT $2

-- name: unrequest
-- Ends a request that found nothing to try.
-- $1 consumer  $2 sites  $3 types  $4 ids
UPDATE bus.dead_letter AS d SET replay = false, attempts = attempts + 1
FROM unnest($2::text[], $3::text[], $4::text[]) AS u (site, type, id)
WHERE d.consumer = $1 AND d.site = u.site AND d.type = u.type AND d.id = u.id AND d.replay

-- name: drop
-- Gives up: the resource stays in the books as excluded.
-- $1 consumer  $2 reason or NULL  $3 those that failed before, or NULL  $4 what the books say
WITH dropped AS (
    DELETE FROM bus.dead_letter
    WHERE consumer = $1 AND ($2::text IS NULL OR reason = $2) AND ($3::timestamptz IS NULL OR failed_at < $3)
    RETURNING site, type, id
), booked AS (
    UPDATE bus.ledger AS l SET state = 'excluded', reason = $4 FROM dropped d
    WHERE l.consumer = $1 AND l.site = d.site AND l.type = d.type AND l.id = d.id AND l.state = 'dead'
)
SELECT count(*) FROM dropped
