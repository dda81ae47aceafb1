-- name: note
-- Requests that wrote nothing themselves: refused, repeated, without effect; and the sums of batches.
-- $1 columns of fhir.write, as JSON, one object a request
INSERT INTO fhir.write (write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent, method,
    target, status, bytes, took_ms, created, updated, deleted, refused, part, nothing, reason, issues)
SELECT write_id, received_at, entries, site, lane, sender, request_id, source_format, traceparent, method,
    target, status, bytes, took_ms, created, updated, deleted, refused, part, true, reason, issues
FROM jsonb_populate_recordset(NULL::fhir.write, $1::jsonb);

-- name: list
-- Requests, the newest first, without their content.
-- $1 since, $2 site or NULL, $3 sender or NULL, $4 reason or NULL, $5 request id or NULL, $6 lowest and $7 highest status,
-- $8 received, $9 entry, $10 key: after this row, $11 entries of batches too, $12 most
SELECT w.received_at, s.name AS site, w.sender, w.request_id, w.method, w.target, w.status, w.reason, w.entries, w.created,
    w.updated, w.deleted, w.refused, w.part, w.bytes, w.took_ms, w.issues::text AS issues, w.write_id
FROM fhir.write w
LEFT JOIN fhir.site s ON s.site = w.site
WHERE w.received_at >= $1 AND w.received_at <= $8 AND ($2::text IS NULL OR s.name = $2)
    AND ($3::text IS NULL OR w.sender = $3) AND ($4::text IS NULL OR w.reason = $4)
    AND ($5::text IS NULL OR w.request_id = $5) AND w.status BETWEEN $6 AND $7 AND ($11 OR w.part IS NULL)
    AND (w.received_at, coalesce(w.part, 2147483647), w.write_id) < ($8, $9::int, $10::bigint)
ORDER BY w.received_at DESC, coalesce(w.part, 2147483647) DESC, w.write_id DESC
LIMIT $12;

-- name: tallies
-- How many requests each sender sent, and how they were answered, the most frequent first.
-- $1 since, $2 site or NULL, $3 sender or NULL, $4 reason or NULL, $5 request id or NULL, $6 lowest and $7 highest status,
-- $8 most
SELECT s.name AS site, w.sender, w.status, w.reason, count(*) AS requests, sum(w.entries) AS entries,
    sum(w.created) AS created, sum(w.updated) AS updated, sum(w.deleted) AS deleted, sum(w.refused) AS refused
FROM fhir.write w
LEFT JOIN fhir.site s ON s.site = w.site
WHERE w.received_at >= $1 AND ($2::text IS NULL OR s.name = $2)
    AND ($3::text IS NULL OR w.sender = $3) AND ($4::text IS NULL OR w.reason = $4)
    AND ($5::text IS NULL OR w.request_id = $5) AND w.status BETWEEN $6 AND $7 AND w.part IS NULL
GROUP BY s.name, w.sender, w.status, w.reason
ORDER BY requests DESC, s.name, w.sender, w.status, w.reason
LIMIT $8;

-- name: stands
-- Whether a request's write was committed.
-- $1 received, $2 request id, $3 entry of its batch or NULL
SELECT EXISTS (
    SELECT FROM fhir.write WHERE received_at = $1 AND request_id = $2 AND part IS NOT DISTINCT FROM $3::int AND status < 400
);

-- name: forget
-- Removes some of the old rows to which no version points.
-- $1 older than this, $2 so many at most
DELETE FROM fhir.write
WHERE ctid = ANY (ARRAY(SELECT ctid FROM fhir.write WHERE nothing AND received_at < $1 LIMIT $2));
