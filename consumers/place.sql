-- name: present
-- Says that this process is one of the consumer's, for as long as the connection lasts.
-- $1 consumer
SELECT pg_advisory_lock_shared(7305005, hashtext($1))

-- name: lead
-- Whether this process leads: the first to ask does, until its connection ends, and may ask again.
-- $1 consumer
SELECT pg_try_advisory_lock(7305002, hashtext($1))

-- name: leave
-- This process leads no more.
-- $1 consumer
SELECT pg_advisory_unlock(7305002, hashtext($1))

-- name: processes
-- The processes of a consumer.
-- $1 consumer
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = 7305005 AND objid = (hashtext($1)::bigint & 4294967295)::oid AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted
