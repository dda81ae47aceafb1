-- name: lock
-- The skeletons of some resources, locked in key order; what was never stored has none.
-- $1 site, $2 types, $3 ids
SELECT r.pk, r.type, r.id
FROM fhir.resource r
JOIN unnest($2::smallint[], $3::text[]) AS wanted (type, id) ON r.site = $1 AND r.type = wanted.type AND r.id = wanted.id
WHERE r.version > 0
ORDER BY r.type, r.id
FOR UPDATE OF r;

-- name: standing
-- What stands under locked keys, in a snapshot that is younger than the wait for their locks. The former patient of a
-- deleted resource is the one it had.
-- $1 site, $2 types, $3 keys
SELECT r.pk, r.type, r.id, r.version, r.updated, r.patient, v.op, v.body
FROM unnest($2::smallint[], $3::bigint[]) AS wanted (type, pk)
JOIN fhir.resource r ON r.site = $1 AND r.type = wanted.type AND r.pk = wanted.pk
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
ORDER BY r.type, r.id;

-- name: bodies
-- Every version of some resources that has a body.
-- $1 keys
SELECT v.updated, v.body FROM unnest($1::bigint[]) AS wanted (pk) JOIN fhir.version v ON v.pk = wanted.pk WHERE v.body IS NOT NULL;

-- name: erase
-- Takes all versions of locked resources away, with what was flagged in them or made of them; the skeleton takes the next
-- version, which says so, and their events follow.
-- $1 write, $2 received, $3 entries, $4 site, $5 lane, $6 sender, $7 request, $8 source format, $9 traceparent,
-- $10 keys, $11 types, $12 next versions, $13 instants, $14 former patients, $15 method, $16 target
WITH source AS (
    INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent,
        method, target, deleted)
    VALUES ($1, $2::timestamptz, $3, $4::smallint, $5::smallint, $6, $7, $8, $9, $15, $16, $3)
    ON CONFLICT DO NOTHING
), erased AS (
    SELECT pk, type, version, updated, patient, number::int - 1 AS entry
    FROM unnest($10::bigint[], $11::smallint[], $12::int[], $13::timestamptz[], $14::text[])
        WITH ORDINALITY AS given (pk, type, version, updated, patient, number)
), gone AS (
    DELETE FROM fhir.version v USING erased WHERE v.pk = erased.pk RETURNING v.pk, v.type, v.updated
), superseded AS (
    DELETE FROM fhir.superseded s USING gone
    WHERE s.site = $4 AND s.type = gone.type AND s.updated = gone.updated AND s.pk = gone.pk
), unflagged AS (
    DELETE FROM fhir.flag f USING erased WHERE f.pk = erased.pk
), unclaimed AS (
    DELETE FROM fhir.claim c USING erased WHERE c.pk = erased.pk
), undefined AS (
    DELETE FROM terminology.definition d USING erased WHERE d.resource_pk = erased.pk RETURNING d.pk
), unlisted AS (
    DELETE FROM terminology.concept c USING undefined WHERE c.system = undefined.pk
), unsubscribed AS (
    DELETE FROM fhir.subscription s USING erased WHERE s.pk = erased.pk RETURNING s.pk
), unnotified AS (
    DELETE FROM fhir.notification n USING unsubscribed WHERE n.subscription = unsubscribed.pk
), untopical AS (
    DELETE FROM fhir.topic t USING erased WHERE t.pk = erased.pk
), skeleton AS (
    UPDATE fhir.resource r SET version = erased.version, updated = erased.updated, deleted = true, patient = NULL
    FROM erased WHERE r.site = $4 AND r.type = erased.type AND r.pk = erased.pk
), version AS (
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op)
    SELECT pk, $1, updated, version, entry, $4, type, 5 FROM erased
), event AS (
    INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
    SELECT pk, version, $4, type, 5, $5, patient FROM erased ORDER BY entry
    RETURNING seq
)
SELECT (SELECT max(epoch) FROM bus.epoch) AS epoch, max(seq) AS seq FROM event;

-- name: deleted
-- Resources that were deleted while they were of some patients.
-- $1 site, $2 ids of the patients
SELECT type, id FROM fhir.resource WHERE site = $1 AND patient = ANY ($2::text[]) AND deleted;

-- name: answers
-- First answers that were given since, in the order of their keys.
-- $1 site, $2 since, $3 sender and $4 key to begin after, $5 most rows
SELECT sender, key, answer FROM fhir.answered
WHERE site = $1 AND answered_at >= $2 AND (sender, key) > ($3, $4) AND answer IS NOT NULL
ORDER BY sender, key
LIMIT $5;

-- name: document_of
-- Whether a document still names one of these addresses.
-- $1 site, $2 paths, $3 addresses
SELECT EXISTS (
    SELECT FROM unnest($2::smallint[]) AS p (path)
    JOIN fhir.token t ON t.site = $1 AND t.path = p.path AND t.code = ANY ($3::text[]));
