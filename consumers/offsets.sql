-- name: claim
-- Takes partitions over: whoever had them finds another generation and gives up.
-- $1 consumer  $2 topics  $3 partitions  $4 epoch
INSERT INTO bus.consumer_offset AS o (consumer, topic, partition, next_offset, generation, epoch)
SELECT $1, topic, partition, 0, 1, $4 FROM unnest($2::text[], $3::int[]) AS p (topic, partition)
ORDER BY topic, partition
ON CONFLICT (consumer, topic, partition) DO UPDATE SET generation = o.generation + 1, epoch = excluded.epoch
RETURNING topic, partition, next_offset, generation

-- name: advance
-- Stores positions; rows of another generation stay.
-- $1 consumer  $2 topics  $3 partitions  $4 next offsets  $5 generations
UPDATE bus.consumer_offset AS o SET next_offset = p.next_offset, updated = now()
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) AS p (topic, partition, next_offset, generation)
WHERE o.consumer = $1 AND o.topic = p.topic AND o.partition = p.partition AND o.generation = p.generation

-- name: stored
-- Where a consumer goes on.
-- $1 consumer
SELECT topic, partition, next_offset, updated FROM bus.consumer_offset WHERE consumer = $1

-- name: put
-- Places a consumer that has just read a snapshot.
-- $1 consumer  $2 topic  $3 partition  $4 next offset  $5 epoch
INSERT INTO bus.consumer_offset AS o (consumer, topic, partition, next_offset, generation, epoch)
VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT (consumer, topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, generation = o.generation + 1, epoch = excluded.epoch, updated = now()

-- name: turn
-- Waits until no other process of a consumer writes. Whoever is stopped in its turn loses it, where several write.
-- $1 consumer  $2 for how long it may say nothing, "60s"; NULL for as long as the session may
SELECT set_config('idle_in_transaction_session_timeout', coalesce($2, current_setting('idle_in_transaction_session_timeout')), true),
       pg_advisory_xact_lock(7305004, hashtext($1))
