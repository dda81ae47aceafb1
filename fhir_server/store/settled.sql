-- name: settled
-- Up to when everything is in a snapshot that is taken after this statement: the start of the oldest transaction that
-- may still write, or now. A version's instant is never before the start of the transaction that writes it, cut to the
-- millisecond.
-- $1 application name of the servers' connections
SELECT date_trunc('milliseconds', least(now(), min(a.xact_start))) - interval '1 millisecond'
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
  AND (a.application_name = $1 OR EXISTS (
      SELECT FROM pg_locks l
      WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.relation IN ('fhir.version'::regclass, 'fhir.resource'::regclass)));
