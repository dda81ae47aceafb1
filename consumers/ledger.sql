-- name: claim
-- Rows of what is about to be written; where something newer stands, nothing changes and nothing is returned. fresh: there
-- was no row, which is when no transaction has locked the one that is returned.
-- $1 consumer  $2 sites  $3 types  $4 ids  $5 epochs  $6 versions  $7 deleted  $8 states  $9 reasons  $10 patients  $11 persons
INSERT INTO bus.ledger AS l (consumer, site, type, id, epoch, version, deleted, state, reason, patient, person)
SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::boolean[], $8::text[], $9::text[],
                           $10::text[], $11::bigint[])
    AS u (site, type, id, epoch, version, deleted, state, reason, patient, person)
ORDER BY site COLLATE "C", type COLLATE "C", id COLLATE "C"
ON CONFLICT (consumer, site, type, id) DO UPDATE
SET epoch = excluded.epoch, version = excluded.version, deleted = excluded.deleted, state = excluded.state,
    reason = excluded.reason, patient = excluded.patient, person = excluded.person
WHERE (l.epoch, l.version) <= (excluded.epoch, excluded.version)
RETURNING site, type, id, xmax = 0 AS fresh

-- name: repeated
-- Those of which this very version was taken.
-- $1 consumer  $2 sites  $3 types  $4 ids  $5 epochs  $6 versions
SELECT l.site, l.type, l.id
FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::int[]) AS u (site, type, id, epoch, version)
JOIN bus.ledger l ON l.consumer = $1 AND l.site = u.site AND l.type = u.type AND l.id = u.id
WHERE (l.epoch, l.version) = (u.epoch, u.version) AND l.state <> 'dead'

-- name: settle
-- What became of rows that `claim` has just locked.
-- $1 consumer  $2 sites  $3 types  $4 ids  $5 states  $6 reasons
UPDATE bus.ledger AS l SET state = u.state, reason = u.reason
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u (site, type, id, state, reason)
WHERE l.consumer = $1 AND l.site = u.site AND l.type = u.type AND l.id = u.id

-- name: resolve
-- What has waited waits no longer.
-- $1 consumer  $2 sites  $3 types  $4 ids  $5 state
UPDATE bus.ledger AS l SET state = $5, reason = ''
FROM unnest($2::text[], $3::text[], $4::text[]) AS u (site, type, id)
WHERE l.consumer = $1 AND l.site = u.site AND l.type = u.type AND l.id = u.id AND l.state = 'waiting'

-- name: suspend
-- What was mapped waits for a parent again, or what waited waits for another one.
-- $1 consumer  $2 sites  $3 types  $4 ids  $5 reasons
UPDATE bus.ledger AS l SET state = 'waiting', reason = u.reason
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS u (site, type, id, reason)
WHERE l.consumer = $1 AND l.site = u.site AND l.type = u.type AND l.id = u.id AND l.state IN ('mapped', 'waiting')

-- name: counts
-- The resources of a consumer by what became of them.
-- $1 consumer
SELECT state, reason, count(*) AS count FROM bus.ledger WHERE consumer = $1 GROUP BY state, reason

-- name: received
-- The resources of some types that the store has ever held.
-- $1 type numbers
SELECT count(*) FROM fhir.resource WHERE type = ANY ($1) AND version > 0

-- name: left_behind
-- Resources that a walk through the whole store did not meet, and that are not taken out yet: they do not exist any more.
-- $1 consumer  $2 epoch of the walk  $3 most rows
SELECT site, type, id, version, epoch, patient FROM bus.ledger
WHERE consumer = $1 AND epoch < $2 AND (state, reason) <> ('removed', 'undone') ORDER BY site, type, id LIMIT $3
