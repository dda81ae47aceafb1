-- name: writer
-- The oldest transaction that holds numbers of the outbox: no reader goes past it.
SELECT a.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.relation = 'bus.outbox'::regclass
       OR l.relation IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bus.outbox'::regclass))
  AND a.xact_start IS NOT NULL
ORDER BY a.xact_start
LIMIT 1;

-- name: relay_running
-- Whether a process has the right to send.
SELECT coalesce((SELECT until > now() FROM bus.relay_lease), false);

-- name: arrivals
-- What arrived within the last minute, and how long the answers took.
SELECT count(*) AS requests, coalesce(sum(created + updated + deleted), 0)::bigint AS resources,
    count(*) FILTER (WHERE status >= 400) AS refused,
    coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY took_ms), 0)::int AS p99_ms
FROM fhir.write WHERE received_at > now() - interval '1 minute' AND part IS NULL;

-- name: subscriptions
-- How Subscriptions stand, and how many notifications wait.
SELECT count(*) FILTER (WHERE state = 'active') AS active, count(*) FILTER (WHERE state = 'error') AS error,
    count(*) FILTER (WHERE state = 'requested') AS requested, coalesce(sum(last - delivered), 0)::bigint AS waiting
FROM fhir.subscription WHERE state <> 'off';
