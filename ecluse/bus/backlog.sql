-- name: waiting
-- What a reader of one lane has not read, among the next rows of the outbox; where these and the outbox end. `oldest` is of
-- the first of its events, or of the last row when none of the rows is its own.
-- $1 type numbers or NULL for all  $2 lane  $3 next number  $4 most rows
WITH rows AS MATERIALIZED (
    SELECT seq, site, type, pk, version, lane = $2 AND ($1::smallint[] IS NULL OR type = ANY ($1)) AS own
    FROM bus.outbox WHERE seq >= $3 ORDER BY seq LIMIT $4
), ends AS (
    SELECT count(*) AS rows, count(*) FILTER (WHERE own) AS events, max(seq) AS last,
           coalesce(min(seq) FILTER (WHERE own), max(seq)) AS first
    FROM rows
)
SELECT ends.rows, ends.events, (SELECT max(seq) FROM bus.outbox) - ends.last AS beyond,
       (SELECT coalesce(v.updated, r.updated) FROM rows
        JOIN fhir.resource r ON r.site = rows.site AND r.type = rows.type AND r.pk = rows.pk
        LEFT JOIN fhir.version v ON v.pk = rows.pk AND v.version = rows.version
        WHERE rows.seq = ends.first) AS oldest
FROM ends;
