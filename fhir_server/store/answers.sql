-- name: begin_answer
-- Claims an idempotency key; waits for another request that holds it; gives no row when it is taken. A key whose time is
-- over is free again, whether it was removed already or not.
-- $1 site, $2 sender, $3 key, $4 hash of the request, $5 now, $6 keys older than this are free
INSERT INTO fhir.answered AS a (site, sender, key, body_hash, answered_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (site, sender, key) DO UPDATE
SET body_hash = excluded.body_hash, answered_at = excluded.answered_at, answer = NULL
WHERE a.answered_at < $6
RETURNING key;

-- name: first_answer
-- What the first request under this key got.
-- $1 site, $2 sender, $3 key, $4 keys older than this are free
SELECT body_hash, answer FROM fhir.answered WHERE site = $1 AND sender = $2 AND key = $3 AND answered_at >= $4;

-- name: keep_answer
-- The answer to this key, for whoever asks again.
-- $1 site, $2 sender, $3 key, $4 answer
UPDATE fhir.answered SET answer = $4 WHERE site = $1 AND sender = $2 AND key = $3;

-- name: forget_answers
-- Removes some of the answers whose time is over.
-- $1 older than this, $2 so many at most
DELETE FROM fhir.answered WHERE ctid = ANY (ARRAY(SELECT ctid FROM fhir.answered WHERE answered_at < $1 LIMIT $2));
