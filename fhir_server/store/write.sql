-- name: reserve
-- Skeletons for ids that clients chose, in key order; a resource that stands already keeps its row.
-- $1 site, $2 keys, $3 types, $4 ids, $5 now
INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id)
SELECT pk, $5::timestamptz, 0, $1::smallint, type, true, id
FROM unnest($2::bigint[], $3::smallint[], $4::text[]) AS wanted (pk, type, id)
ORDER BY type, id
ON CONFLICT DO NOTHING;

-- name: lock
-- The rows of known ids, locked in key order.
-- $1 site, $2 types, $3 ids
SELECT r.pk, r.type, r.id, r.version, r.deleted, r.updated, r.patient
FROM fhir.resource r
JOIN unnest($2::smallint[], $3::text[]) AS wanted (type, id) ON r.site = $1 AND r.type = wanted.type AND r.id = wanted.id
ORDER BY r.type, r.id
FOR UPDATE OF r;

-- name: current_bodies
-- Bodies of the current versions; a statement of its own, so that its snapshot is younger than the wait for the locks.
-- $1 keys
SELECT v.pk, v.body
FROM unnest($1::bigint[]) AS wanted (pk)
CROSS JOIN LATERAL (SELECT pk, body FROM fhir.version WHERE pk = wanted.pk ORDER BY version DESC LIMIT 1) v;

-- name: store_new
-- First versions under ids that the server gave, their search rows and their events.
-- $1 write, $2 received, $3 entries, $4 site, $5 lane, $6 sender, $7 request, $8 source format, $9 traceparent,
-- $10 keys, $11 types, $12 ids, $13 patients, $14 bodies, $15 entries,
-- tokens: $16 keys, $17 paths, $18 systems, $19 codes; references: $20 keys, $21 paths, $22 target types, $23 target ids;
-- strings: $24 keys, $25 paths, $26 folded, $27 exact; dates: $28 keys, $29 paths, $30 lows, $31 highs
WITH source AS (
    INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent)
    VALUES ($1, $2::timestamptz, $3, $4::smallint, $5::smallint, $6, $7, $8, $9)
), first AS (
    SELECT pk, type, id, patient, body, entry
    FROM unnest($10::bigint[], $11::smallint[], $12::text[], $13::text[], $14::bytea[], $15::int[])
        AS given (pk, type, id, patient, body, entry)
), resource AS (
    INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id, patient)
    SELECT pk, $2, 1, $4, type, false, id, patient FROM first
), version AS (
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
    SELECT pk, $1, $2, 1, entry, $4, type, 1, patient, body FROM first
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

-- name: store_changes
-- Next versions of locked rows; of the search rows only the difference is touched.
-- $1 write, $2 received, $3 entries, $4 site, $5 lane, $6 sender, $7 request, $8 source format, $9 traceparent,
-- $10 keys, $11 types, $12 patients, $13 bodies, $14 entries, $15 versions, $16 instants, $17 operations,
-- new tokens: $18 keys, $19 paths, $20 systems, $21 codes; references: $22 keys, $23 paths, $24 target types, $25 target ids;
-- strings: $26 keys, $27 paths, $28 folded, $29 exact; dates: $30 keys, $31 paths, $32 lows, $33 highs;
-- gone tokens: $34 … $37, references: $38 … $41, strings: $42 … $45, dates: $46 … $49
WITH source AS (
    INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent)
    VALUES ($1, $2::timestamptz, $3, $4::smallint, $5::smallint, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING
), next AS (
    SELECT pk, type, patient, body, entry, version, updated, op
    FROM unnest($10::bigint[], $11::smallint[], $12::text[], $13::bytea[], $14::int[], $15::int[], $16::timestamptz[],
        $17::smallint[]) AS given (pk, type, patient, body, entry, version, updated, op)
), resource AS (
    UPDATE fhir.resource r
    SET version = next.version, updated = next.updated, deleted = next.body IS NULL, patient = next.patient
    FROM next
    WHERE r.site = $4 AND r.type = next.type AND r.pk = next.pk
), version AS (
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
    SELECT pk, $1, updated, version, entry, $4, type, op, patient, body FROM next
), token AS (
    INSERT INTO fhir.token (pk, system, site, path, code)
    SELECT pk, system, $4, path, code
    FROM unnest($18::bigint[], $19::smallint[], $20::bigint[], $21::text[]) AS given (pk, path, system, code)
), reference AS (
    INSERT INTO fhir.reference (pk, site, path, target_type, target_id)
    SELECT pk, $4, path, target_type, target_id
    FROM unnest($22::bigint[], $23::smallint[], $24::smallint[], $25::text[]) AS given (pk, path, target_type, target_id)
), string AS (
    INSERT INTO fhir.string (pk, site, path, folded, exact)
    SELECT pk, $4, path, folded, exact
    FROM unnest($26::bigint[], $27::smallint[], $28::text[], $29::text[]) AS given (pk, path, folded, exact)
), date AS (
    INSERT INTO fhir.date (pk, low, high, site, path)
    SELECT pk, low, high, $4, path
    FROM unnest($30::bigint[], $31::smallint[], $32::timestamptz[], $33::timestamptz[]) AS given (pk, path, low, high)
), gone_token AS (
    DELETE FROM fhir.token t
    USING unnest($34::bigint[], $35::smallint[], $36::bigint[], $37::text[]) AS gone (pk, path, system, code)
    WHERE t.site = $4 AND t.path = gone.path AND t.code = gone.code AND t.pk = gone.pk AND t.system = gone.system
), gone_reference AS (
    DELETE FROM fhir.reference r
    USING unnest($38::bigint[], $39::smallint[], $40::smallint[], $41::text[]) AS gone (pk, path, target_type, target_id)
    WHERE r.site = $4 AND r.path = gone.path AND r.target_id = gone.target_id AND r.target_type = gone.target_type
        AND r.pk = gone.pk
), gone_string AS (
    DELETE FROM fhir.string s
    USING unnest($42::bigint[], $43::smallint[], $44::text[], $45::text[]) AS gone (pk, path, folded, exact)
    WHERE s.site = $4 AND s.path = gone.path AND s.folded = gone.folded AND s.pk = gone.pk AND s.exact = gone.exact
), gone_date AS (
    DELETE FROM fhir.date d
    USING unnest($46::bigint[], $47::smallint[], $48::timestamptz[], $49::timestamptz[]) AS gone (pk, path, low, high)
    WHERE d.site = $4 AND d.path = gone.path AND d.low = gone.low AND d.high = gone.high AND d.pk = gone.pk
)
INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
SELECT pk, version, $4, type, op, $5, patient FROM next ORDER BY entry;
