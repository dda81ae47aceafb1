-- name: due
-- Whether there is work.
SELECT EXISTS (SELECT FROM fhir.parameter WHERE state IN ('requested', 'backfilling', 'verifying') OR dirty);

-- name: next
-- The parameter that is worked on, those that have to go first.
SELECT pk, site, state, is_unique, dirty, kind, readings, place_site, place_type, place_pk
FROM fhir.parameter
WHERE state IN ('requested', 'backfilling', 'verifying') OR dirty
ORDER BY NOT dirty, pk
LIMIT 1;

-- name: readers
-- The other transactions that have read the generation and not ended: what they write may be of an earlier one.
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND mode = 'AccessShareLock' AND granted AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relation = 'fhir.parameter_state'::regclass;

-- name: begin
-- Begins a walk over all resources of some types, counted once for the progress. site 0: of every site.
-- $1 parameter, $2 state it has, $3 state it gets, $4 site, $5 types
UPDATE fhir.parameter SET state = $3, place_site = 0, place_type = 0, place_pk = -1, done = 0,
    total = (SELECT count(*) FROM fhir.resource r WHERE $4::smallint IN (0, r.site) AND r.type = ANY ($5::smallint[]) AND NOT r.deleted)
WHERE pk = $1 AND state = $2;

-- name: sites
-- $1 site, 0 for every one
SELECT site FROM fhir.site WHERE $1::smallint IN (0, site) ORDER BY site;

-- name: walk
-- The next resources of a type.
-- $1 site, $2 type, $3 key to begin after, $4 most rows
SELECT pk FROM fhir.resource WHERE site = $1 AND type = $2 AND pk > $3 AND NOT deleted ORDER BY pk LIMIT $4;

-- name: lock
-- Those resources, locked in the order in which writers lock them; found by key, whatever is known of the table.
-- $1 site, $2 type, $3 keys
SELECT pk FROM fhir.resource WHERE site = $1 AND type = $2 AND pk = ANY ($3::bigint[]) ORDER BY id FOR UPDATE;

-- name: advance
-- Notes how far the walk is; nothing when the parameter was taken away meanwhile.
-- $1 parameter, $2 site, $3 type, $4 key, $5 resources looked at
UPDATE fhir.parameter SET place_site = $2, place_type = $3, place_pk = $4, done = done + $5 WHERE pk = $1;

-- name: settle
-- $1 parameter, $2 state it has, $3 state it gets, $4 reason
UPDATE fhir.parameter SET state = $3, reason = $4, dirty = ($3 = 'failed') WHERE pk = $1 AND state = $2;

-- name: own_paths
-- $1 parameter
SELECT number FROM fhir.parameter_path WHERE parameter = $1 ORDER BY number;

-- name: forget_paths
-- $1 parameter
DELETE FROM fhir.parameter_path WHERE parameter = $1;

-- name: forget
-- Ends what had to go; one that failed stays, to tell why.
-- $1 parameter
WITH gone AS (DELETE FROM fhir.parameter WHERE pk = $1 AND state = 'removing')
UPDATE fhir.parameter SET dirty = false WHERE pk = $1 AND state = 'failed';

-- name: sweep
-- Some index rows of one kind. {table}: filled by building.py from the tables there are.
-- $1 site, $2 path, $3 most rows
DELETE FROM fhir.{table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM fhir.{table} WHERE site = $1 AND path = $2 LIMIT $3));

-- name: astray
-- Whether a row of one kind stands for a resource that does not: two sets of keys, so that no plan takes a resource for
-- each row, whatever is known of the tables. {table}: as above
-- $1 site, $2 type, $3 paths
SELECT EXISTS (
    SELECT pk FROM fhir.{table} WHERE site = $1 AND path = ANY ($3::smallint[])
    EXCEPT
    SELECT pk FROM fhir.resource WHERE site = $1 AND type = $2 AND NOT deleted);
