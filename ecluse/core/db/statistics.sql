-- name: stale
-- Tables of ours that have grown twofold, or changed as much, since the planner last looked at them; how large they are
-- it sees by itself.
SELECT t.relid::regclass::text AS name
FROM pg_stat_user_tables t
JOIN pg_class c ON c.oid = t.relid
WHERE t.n_mod_since_analyze > 500 + 0.5 * t.n_live_tup AND pg_has_role(c.relowner, 'USAGE')
ORDER BY name;
