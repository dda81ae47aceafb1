-- name: take
-- Takes a Subscription in; one that is known goes on counting. Headers that are not given again stay.
-- $1 key, $2 site, $3 id, $4 instant, $5 end, $6 type, $7 endpoint, $8 payload, $9 headers or null, $10 condition
INSERT INTO fhir.subscription (pk, site, id, since, due_at, ends_at, type, endpoint, payload, headers, condition)
VALUES ($1, $2::smallint, $3, $4::timestamptz, $4, $5::timestamptz, $6::smallint, $7, $8, coalesce($9::text, '[]')::jsonb,
    $10::text::jsonb)
ON CONFLICT (pk) DO UPDATE SET due_at = excluded.due_at, ends_at = excluded.ends_at, type = excluded.type,
    endpoint = excluded.endpoint, payload = excluded.payload, condition = excluded.condition, state = 'requested',
    error = '', attempts = 0, headers = CASE WHEN $9::text IS NULL THEN subscription.headers ELSE excluded.headers END;

-- name: drop
-- Forgets a Subscription and what it would still have told.
-- $1 key
WITH gone AS (DELETE FROM fhir.notification WHERE subscription = $1)
DELETE FROM fhir.subscription WHERE pk = $1;

-- name: told
-- How a Subscription stands, or all of a site.
-- $1 site, $2 id or null
SELECT id, state, error, last, delivered, attempts FROM fhir.subscription
WHERE site = $1 AND ($2::text IS NULL OR id = $2) ORDER BY id;
