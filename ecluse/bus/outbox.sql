-- name: last_drawn
-- The last number drawn from the sequence, committed or not; 0 before the first.
SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM bus.outbox_seq

-- name: writers
-- The transactions that hold numbers of the outbox and have not ended.
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (relation = 'bus.outbox'::regclass
       OR relation IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bus.outbox'::regclass))

-- name: last_row
-- The highest row up to a number.
-- $1 number
SELECT max(seq) FROM bus.outbox WHERE seq <= $1

-- name: read
-- Events in order, with their bodies, until the bytes are reached; always at least one.
-- $1 after this number  $2 up to this number  $3 lane or NULL for all  $4 type numbers or NULL for all  $5 most rows
-- $6 most bytes  $7 site numbers or NULL for all
SELECT seq, site, type, id, version, op, lane, patient, former_patient, epoch, current_version, updated, body,
       write_id, entry, entries, sender, request_id, traceparent, reason, survivor, merge
FROM (
    SELECT o.seq, s.name AS site, o.type, r.id, o.version, o.op, o.lane, o.patient, r.version AS current_version,
           coalesce(v.updated, r.updated) AS updated, v.body, v.write_id, v.entry, w.sender, w.request_id,
           coalesce(nullif(w.created + w.updated + w.deleted, 0), w.entries) AS entries, w.traceparent, o.reason, m.survivor, m.number AS merge,
           CASE WHEN o.version > 1 THEN
               (SELECT patient FROM fhir.version f WHERE f.pk = o.pk AND f.version = o.version - 1)
           END AS former_patient,
           (SELECT epoch FROM bus.epoch e WHERE e.first_seq <= o.seq ORDER BY epoch DESC LIMIT 1) AS epoch,
           sum(coalesce(octet_length(v.body), 0)) OVER (ORDER BY o.seq) - coalesce(octet_length(v.body), 0) AS before
    FROM (
        SELECT seq, pk, version, site, type, op, lane, patient, reason FROM bus.outbox
        WHERE seq > $1 AND seq <= $2 AND ($3::smallint IS NULL OR lane = $3)
          AND ($4::smallint[] IS NULL OR type = ANY ($4)) AND ($7::smallint[] IS NULL OR site = ANY ($7))
        ORDER BY seq LIMIT $5
    ) o
    JOIN fhir.site s ON s.site = o.site
    JOIN fhir.resource r ON r.site = o.site AND r.type = o.type AND r.pk = o.pk
    LEFT JOIN fhir.version v ON v.pk = o.pk AND v.version = o.version
    LEFT JOIN fhir.write w ON w.write_id = v.write_id
    LEFT JOIN fhir.merged m ON m.site = o.site AND m.source = o.patient
) sized
WHERE before < $6
ORDER BY seq

-- name: report_cursor
-- How far a reader is in one lane, and whether it could begin anew from the store.
-- $1 name  $2 lane  $3 seq  $4 renewable
INSERT INTO bus.cursor (name, lane, seq, renewable) VALUES ($1, $2, $3, $4)
ON CONFLICT (name, lane) DO UPDATE
SET seq = greatest(bus.cursor.seq, excluded.seq), renewable = excluded.renewable, reported = now()

-- name: lose
-- Leaves a reader behind that can begin anew.
-- $1 name
UPDATE bus.cursor SET lost = true WHERE name = $1 AND renewable AND NOT lost RETURNING name

-- name: lost
-- Whether a reader was left behind.
-- $1 name
SELECT coalesce(bool_or(lost), false) FROM bus.cursor WHERE name = $1

-- name: forget_cursor
-- A reader that reads another log now.
-- $1 name
DELETE FROM bus.cursor WHERE name = $1

-- name: partitions
-- The partitions with the numbers they hold, [low, high), lowest first.
SELECT c.relname AS name,
       (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(\d+)''\)'))[1]::bigint AS low,
       (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''(\d+)''\)'))[1]::bigint AS high
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'bus.outbox'::regclass
ORDER BY low

-- name: written_before
-- When the last event below a number was written, or its resource erased since; NULL without any.
-- $1 number
SELECT coalesce(v.updated, r.updated)
FROM (SELECT pk, version, site, type FROM bus.outbox WHERE seq < $1 ORDER BY seq DESC LIMIT 1) o
JOIN fhir.resource r ON r.site = o.site AND r.type = o.type AND r.pk = o.pk
LEFT JOIN fhir.version v ON v.pk = o.pk AND v.version = o.version

-- name: size
-- What the outbox takes on the disk, the reader who is farthest behind, NULL when there is none, and who was left behind.
SELECT (SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint FROM pg_inherits
        WHERE inhparent = 'bus.outbox'::regclass) AS bytes,
       (SELECT name FROM bus.cursor WHERE NOT lost ORDER BY seq, name LIMIT 1) AS slowest,
       (SELECT min(seq) FROM bus.cursor WHERE NOT lost) AS seq,
       (SELECT coalesce(array_agg(DISTINCT name), '{}') FROM bus.cursor WHERE lost) AS lost
