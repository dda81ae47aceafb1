-- name: reserve
-- Skeletons for ids that clients chose, in key order; a resource that stands already keeps its row.
-- $1 site, $2 keys, $3 types, $4 ids, $5 now
INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id)
SELECT pk, $5::timestamptz, 0, $1::smallint, type, true, id
FROM unnest($2::bigint[], $3::smallint[], $4::text[]) AS wanted (pk, type, id)
ORDER BY type, id
ON CONFLICT DO NOTHING;

-- name: lock
-- The rows of known ids, locked in key order, with their current bodies. A row that was changed while this statement
-- waited for it comes without a body: the snapshot is older than the change.
-- $1 site, $2 types, $3 ids
SELECT r.pk, r.type, r.id, r.version, r.deleted, r.updated, r.patient,
    (SELECT v.body FROM fhir.version v WHERE v.pk = r.pk AND v.version = r.version) AS body
FROM fhir.resource r
JOIN unnest($2::smallint[], $3::text[]) AS wanted (type, id) ON r.site = $1 AND r.type = wanted.type AND r.id = wanted.id
ORDER BY r.type, r.id
FOR UPDATE OF r;

-- name: current_bodies
-- Bodies of current versions, in a snapshot that is younger than the wait for their locks.
-- $1 keys
SELECT v.pk, v.body
FROM unnest($1::bigint[]) AS wanted (pk)
CROSS JOIN LATERAL (SELECT pk, body FROM fhir.version WHERE pk = wanted.pk ORDER BY version DESC LIMIT 1) v;

-- name: store_new
-- First versions under ids that the server gave, their search rows and their events.
-- $1 write, $2 received, $3 entries, $4 site, $5 lane, $6 sender, $7 request, $8 source format, $9 traceparent,
-- $10 keys, $11 types, $12 ids, $13 patients, $14 bodies, $15 entries,
-- tokens: $16 keys, $17 paths, $18 systems, $19 codes; references: $20 keys, $21 paths, $22 target types, $23 target ids;
-- strings: $24 keys, $25 paths, $26 folded, $27 exact; dates: $28 keys, $29 paths, $30 lows, $31 highs;
-- $32 method, $33 target, $34 status, $35 bytes, $36 ms, $37 created, $38 updated, $39 deleted,
-- $40 entry of a batch, $41 instant of the versions
WITH source AS (
    INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent,
        method, target, status, bytes, took_ms, created, updated, deleted, part)
    VALUES ($1, $2::timestamptz, $3, $4::smallint, $5::smallint, $6, $7, $8, $9,
        $32, $33, $34::smallint, $35, $36, $37, $38, $39, $40)
    ON CONFLICT DO NOTHING
), first AS (
    SELECT pk, type, id, patient, body, entry
    FROM unnest($10::bigint[], $11::smallint[], $12::text[], $13::text[], $14::bytea[], $15::int[])
        AS given (pk, type, id, patient, body, entry)
), resource AS (
    INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id, patient)
    SELECT pk, $41::timestamptz, 1, $4, type, false, id, patient FROM first
), version AS (
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
    SELECT pk, $1, $41, 1, entry, $4, type, 1, patient, body FROM first
), token AS (
    INSERT INTO fhir.token (pk, system, site, path, code)
    SELECT pk, system, $4, path, code
    FROM unnest($16::bigint[], $17::smallint[], $18::bigint[], $19::text[]) AS given (pk, path, system, code)
), reference AS (
    INSERT INTO fhir.reference (pk, site, path, target_type, target_id)
    SELECT pk, $4, path, target_type, target_id
    FROM unnest($20::bigint[], $21::smallint[], $22::smallint[], $23::text[]) AS given (pk, path, target_type, target_id)
), string AS (
    INSERT INTO fhir.string (pk, site, path, folded, exact)
    SELECT pk, $4, path, folded, exact
    FROM unnest($24::bigint[], $25::smallint[], $26::text[], $27::text[]) AS given (pk, path, folded, exact)
), date AS (
    INSERT INTO fhir.date (pk, low, high, site, path)
    SELECT pk, low, high, $4, path
    FROM unnest($28::bigint[], $29::smallint[], $30::timestamptz[], $31::timestamptz[]) AS given (pk, path, low, high)
)
INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
SELECT pk, 1, $4, type, 1, $5, patient FROM first ORDER BY entry;

-- name: store_next
-- Next versions of locked rows, and their events.
-- $1 write, $2 received, $3 entries, $4 site, $5 lane, $6 sender, $7 request, $8 source format, $9 traceparent,
-- $10 keys, $11 types, $12 patients, $13 bodies, $14 entries, $15 versions, $16 instants, $17 operations, $18 instants of the versions before,
-- $19 method, $20 target, $21 status, $22 bytes, $23 ms, $24 created, $25 updated, $26 deleted,
-- $27 entry of a batch
WITH source AS (
    INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent,
        method, target, status, bytes, took_ms, created, updated, deleted, part)
    VALUES ($1, $2::timestamptz, $3, $4::smallint, $5::smallint, $6, $7, $8, $9,
        $19, $20, $21::smallint, $22, $23, $24, $25, $26, $27)
    ON CONFLICT DO NOTHING
), next AS (
    SELECT pk, type, patient, body, entry, version, updated, op, former
    FROM unnest($10::bigint[], $11::smallint[], $12::text[], $13::bytea[], $14::int[], $15::int[], $16::timestamptz[],
        $17::smallint[], $18::timestamptz[]) AS given (pk, type, patient, body, entry, version, updated, op, former)
), resource AS (
    UPDATE fhir.resource r
    SET version = next.version, updated = next.updated, deleted = next.body IS NULL, patient = next.patient
    FROM next
    WHERE r.site = $4 AND r.type = next.type AND r.pk = next.pk
), version AS (
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
    SELECT pk, $1, updated, version, entry, $4, type, op, patient, body FROM next
), superseded AS (
    INSERT INTO fhir.superseded (pk, updated, until, version, site, type)
    SELECT pk, former, updated, version - 1, $4, type FROM next WHERE version > 1
), unflagged AS (
    DELETE FROM fhir.flag f USING next WHERE f.pk = next.pk
)
INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
SELECT pk, version, $4, type, op, $5, patient FROM next ORDER BY entry;

-- name: add_tokens
-- $1 site, $2 keys, $3 paths, $4 systems, $5 codes
INSERT INTO fhir.token (pk, system, site, path, code)
SELECT pk, system, $1, path, code
FROM unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::text[]) AS given (pk, path, system, code);

-- name: add_references
-- $1 site, $2 keys, $3 paths, $4 target types, $5 target ids
INSERT INTO fhir.reference (pk, site, path, target_type, target_id)
SELECT pk, $1, path, target_type, target_id
FROM unnest($2::bigint[], $3::smallint[], $4::smallint[], $5::text[]) AS given (pk, path, target_type, target_id);

-- name: add_strings
-- $1 site, $2 keys, $3 paths, $4 folded, $5 exact
INSERT INTO fhir.string (pk, site, path, folded, exact)
SELECT pk, $1, path, folded, exact
FROM unnest($2::bigint[], $3::smallint[], $4::text[], $5::text[]) AS given (pk, path, folded, exact);

-- name: add_dates
-- $1 site, $2 keys, $3 paths, $4 lows, $5 highs
INSERT INTO fhir.date (pk, low, high, site, path)
SELECT pk, low, high, $1, path
FROM unnest($2::bigint[], $3::smallint[], $4::timestamptz[], $5::timestamptz[]) AS given (pk, path, low, high);

-- name: drop_tokens
-- $1 site, $2 keys, $3 paths, $4 systems, $5 codes
DELETE FROM fhir.token t
USING unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::text[]) AS gone (pk, path, system, code)
WHERE t.site = $1 AND t.path = gone.path AND t.code = gone.code AND t.pk = gone.pk AND t.system = gone.system;

-- name: drop_references
-- $1 site, $2 keys, $3 paths, $4 target types, $5 target ids
DELETE FROM fhir.reference r
USING unnest($2::bigint[], $3::smallint[], $4::smallint[], $5::text[]) AS gone (pk, path, target_type, target_id)
WHERE r.site = $1 AND r.path = gone.path AND r.target_id = gone.target_id AND r.target_type = gone.target_type
    AND r.pk = gone.pk;

-- name: drop_strings
-- $1 site, $2 keys, $3 paths, $4 folded, $5 exact
DELETE FROM fhir.string s
USING unnest($2::bigint[], $3::smallint[], $4::text[], $5::text[]) AS gone (pk, path, folded, exact)
WHERE s.site = $1 AND s.path = gone.path AND s.folded = gone.folded AND s.pk = gone.pk AND s.exact = gone.exact;

-- name: drop_dates
-- $1 site, $2 keys, $3 paths, $4 lows, $5 highs
DELETE FROM fhir.date d
USING unnest($2::bigint[], $3::smallint[], $4::timestamptz[], $5::timestamptz[]) AS gone (pk, path, low, high)
WHERE d.site = $1 AND d.path = gone.path AND d.low = gone.low AND d.high = gone.high AND d.pk = gone.pk;
