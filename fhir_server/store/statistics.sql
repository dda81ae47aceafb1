-- name: stale
-- Tables of the store that have grown twofold, or changed as much, since the planner last looked at them; how large they
-- are it sees by itself.
SELECT relid::regclass::text AS name
FROM pg_stat_user_tables
WHERE schemaname = 'fhir' AND n_mod_since_analyze > 500 + 0.5 * n_live_tup
ORDER BY name;

-- name: only_one
-- True for the one process that looks now; the right ends with the transaction.
-- $1 lock
SELECT pg_try_advisory_xact_lock($1);
