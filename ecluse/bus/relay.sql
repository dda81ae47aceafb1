-- name: lease
-- Who may relay, and whether that right has run out.
SELECT generation, until < now() AS expired FROM bus.relay_lease

-- name: first_lease
-- The first relay.
-- $1 seconds
INSERT INTO bus.relay_lease (generation, until) VALUES (1, now() + make_interval(secs => $1))
ON CONFLICT DO NOTHING RETURNING generation

-- name: take_lease
-- The next relay, if nobody else was quicker.
-- $1 generation that ended  $2 seconds
UPDATE bus.relay_lease SET generation = $1 + 1, until = now() + make_interval(secs => $2)
WHERE generation = $1 RETURNING generation

-- name: renew_lease
-- The same relay goes on.
-- $1 generation  $2 seconds
UPDATE bus.relay_lease SET until = now() + make_interval(secs => $2) WHERE generation = $1 RETURNING generation

-- name: holds
-- A lock that ends with the connection of the relay of this generation.
-- $1 generation
SELECT pg_try_advisory_lock(7305003, $1::bigint::int)

-- name: cursor
-- How far the relay is.
SELECT lane, seq FROM bus.cursor WHERE name = 'relay'

-- name: advance
-- Moves the relay's cursor, if this is still the relay.
-- $1 generation  $2 lane  $3 seq
INSERT INTO bus.cursor AS c (name, lane, seq)
SELECT 'relay', $2, $3 FROM bus.relay_lease WHERE generation = $1
ON CONFLICT (name, lane) DO UPDATE SET seq = greatest(c.seq, excluded.seq), reported = now()
RETURNING seq

-- name: epoch
-- The epoch in which the topics were last put right.
SELECT epoch FROM bus.relay_lease

-- name: put_right
-- They are right in this epoch, if this is still the relay.
-- $1 generation  $2 epoch
UPDATE bus.relay_lease SET epoch = $2 WHERE generation = $1 RETURNING epoch
