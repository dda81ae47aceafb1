-- name: events
-- How many events the outbox has.
SELECT count(*) FROM bus.outbox;

-- name: copy
-- A copy of everything that was there first, with an event of each resource.
-- $1 what is added to keys  $2 what ids end in  $3 the first key of a copy  $4 what an id looks like  $5 an id of the copy
WITH resource AS (
    INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id, patient)
    SELECT pk + $1::bigint, updated, version, site, type, deleted, id || $2::text, patient || $2
    FROM fhir.resource WHERE pk < $3 AND version > 0
), version AS (
    INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, patient, body)
    SELECT pk + $1::bigint, write_id, updated, version, entry, site, type, op, patient || $2,
        convert_to(regexp_replace(convert_from(body, 'UTF8'), $4, $5, 'g'), 'UTF8')
    FROM fhir.version WHERE pk < $3
)
INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient)
SELECT pk + $1::bigint, version, site, type, op, 0, patient || $2 FROM bus.outbox WHERE pk < $3 ORDER BY seq;
