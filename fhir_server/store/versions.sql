-- name: store_new
-- First versions under ids that the server gave and their events; where search_rows.py puts in what adds them, their
-- search rows too. Tells the generation of the parameters made at run time, which the same snapshot reads, and the last of
-- the events.
-- $1 write, $2 received, $3 entries, $4 site, $5 lane, $6 sender, $7 request, $8 source format, $9 traceparent,
-- $10 keys, $11 types, $12 ids, $13 patients, $14 bodies, $15 entries,
-- $16 method, $17 target, $18 status, $19 bytes, $20 ms, $21 created, $22 updated, $23 deleted,
-- $24 entry of a batch, $25 instant of the versions; from $26 on the columns of search rows
WITH source AS (
    INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent,
        method, target, status, bytes, took_ms, created, updated, deleted, part)
    VALUES ($1, $2::timestamptz, $3, $4::smallint, $5::smallint, $6, $7, $8, $9,
        $16, $17, $18::smallint, $19, $20, $21, $22, $23, $24)
    ON CONFLICT DO NOTHING
), first AS (
    SELECT pk, type, id, patient, body, entry
    FROM unnest($10::bigint[], $11::smallint[], $12::text[], $13::text[], $14::bytea[], $15::int[])
        AS given (pk, type, id, patient, body, entry)
), resource AS (
    INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id, patient)
    SELECT pk, $25::timestamptz, 1, $4, type, false, id, patient FROM first
), version AS (
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
    SELECT pk, $1, $25, 1, entry, $4, type, 1, patient, body FROM first
), {search_rows}event AS (
    INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
    SELECT pk, 1, $4, type, 1, $5, patient FROM first ORDER BY entry
    RETURNING seq
)
SELECT generation, (SELECT max(seq) FROM event) AS seq, (SELECT max(epoch) FROM bus.epoch) AS epoch
FROM fhir.parameter_state;

-- name: store_next
-- Next versions of locked rows, their events, and what search_rows.py puts in: the search rows that go and come. Tells
-- generation and last event as `store_new` does.
-- $1 write, $2 received, $3 entries, $4 site, $5 lane, $6 sender, $7 request, $8 source format, $9 traceparent,
-- $10 keys, $11 types, $12 patients, $13 bodies, $14 entries, $15 versions, $16 instants, $17 operations, $18 instants of the versions before,
-- $19 method, $20 target, $21 status, $22 bytes, $23 ms, $24 created, $25 updated, $26 deleted,
-- $27 entry of a batch; from $28 on the columns of search rows
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
), {search_rows}event AS (
    INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
    SELECT pk, version, $4, type, op, $5, patient FROM next ORDER BY entry
    RETURNING seq
)
SELECT generation, (SELECT max(seq) FROM event) AS seq, (SELECT max(epoch) FROM bus.epoch) AS epoch
FROM fhir.parameter_state;
