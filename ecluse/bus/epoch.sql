-- name: lock
-- One settles at a time.
SELECT pg_advisory_xact_lock(7305001)

-- name: identity
-- Which database cluster this is, and which line of its history.
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int AS timeline

-- name: current
-- The present epoch.
SELECT epoch, system_identifier, timeline FROM bus.epoch ORDER BY epoch DESC LIMIT 1

-- name: begin
-- A new epoch, from the next number of the outbox on.
-- $1 epoch  $2 system identifier  $3 timeline  $4 reason
INSERT INTO bus.epoch (epoch, first_seq, system_identifier, timeline, reason)
SELECT $1, CASE WHEN $1 > 1 THEN coalesce((SELECT max(seq) FROM bus.outbox), last_value) + 1 ELSE 0 END, $2, $3, $4
FROM bus.outbox_seq

-- name: beginnings
-- The first number of each epoch, first epoch first.
SELECT epoch, first_seq FROM bus.epoch ORDER BY epoch
