-- name: live
-- Of some resources those that have a version of the live lane. An erasure takes the lanes of all versions with it and
-- counts as live: what somebody asked to be forgotten does not come back with an archive.
-- $1 keys
SELECT wanted.pk FROM unnest($1::bigint[]) AS wanted (pk)
WHERE EXISTS (SELECT FROM fhir.version v JOIN fhir.write w ON w.write_id = v.write_id
              WHERE v.pk = wanted.pk AND (w.lane = 0 OR v.op = 5))
