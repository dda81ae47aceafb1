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

-- name: relay
-- Whether a relay runs, how many events it has not sent, and how old the oldest of them is.
-- $1 count up to so many, NULL for all
WITH at (lane, seq) AS (
    SELECT lane.lane, coalesce((SELECT c.seq FROM bus.cursor c WHERE c.name = 'relay' AND c.lane = lane.lane), 0)
    FROM (VALUES (0), (1)) lane (lane)
), unsent AS NOT MATERIALIZED (
    SELECT o.seq, o.site, o.type, o.pk, o.version FROM bus.outbox o JOIN at ON at.lane = o.lane
    WHERE o.seq > (SELECT min(seq) FROM at) AND o.seq > at.seq
), first AS (
    SELECT site, type, pk, version FROM unsent ORDER BY seq LIMIT 1
)
SELECT coalesce((SELECT until > now() FROM bus.relay_lease), false) AS running,
       (SELECT count(*) FROM (SELECT FROM unsent LIMIT $1::bigint) u) AS unsent,
       coalesce((SELECT greatest(extract(epoch FROM now() - coalesce(v.updated, r.updated))::float8, 0) FROM first
                 JOIN fhir.resource r ON r.site = first.site AND r.type = first.type AND r.pk = first.pk
                 LEFT JOIN fhir.version v ON v.pk = first.pk AND v.version = first.version), 0) AS seconds;

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
