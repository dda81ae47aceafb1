-- name: take
-- Takes a Subscription in; one that is known goes on counting. Headers that are not given again stay.
-- $1 key, $2 site, $3 id, $4 instant, $5 end, $6 type, $7 endpoint, $8 payload, $9 headers or null, $10 condition
-- $11 topic or '', $12 content, $13 seconds between heartbeats, $14 seconds to answer in, $15 most events at once, $16 channel
INSERT INTO fhir.subscription (pk, site, id, since, due_at, ends_at, type, endpoint, payload, headers, condition,
    topic, content, heartbeat_s, timeout_s, most, channel)
VALUES ($1, $2::smallint, $3, $4::timestamptz, $4, $5::timestamptz, $6::smallint, $7, $8, coalesce($9::text, '[]')::jsonb,
    $10::text::jsonb, $11, $12, $13::int, $14::int, $15::int, $16)
ON CONFLICT (pk) DO UPDATE SET due_at = excluded.due_at, ends_at = excluded.ends_at, type = excluded.type,
    endpoint = excluded.endpoint, payload = excluded.payload, condition = excluded.condition, state = 'requested',
    channel = excluded.channel, topic = excluded.topic, content = excluded.content, heartbeat_s = excluded.heartbeat_s,
    timeout_s = excluded.timeout_s, most = excluded.most, shaken = false,
    undecided = 0, undecided_why = '', error = '', attempts = 0, headers = CASE WHEN $9::text IS NULL THEN subscription.headers ELSE excluded.headers END;

-- name: take_topic
-- Takes a topic in. Null when its address is taken by another resource.
-- $1 key of its Basic or null, $2 site or 0 for all, $3 address, $4 version, $5 title, $6 definition
WITH renamed AS (DELETE FROM fhir.topic WHERE pk = $1 AND url <> $3)
INSERT INTO fhir.topic AS t (pk, site, url, version, title, definition)
VALUES ($1, $2::smallint, $3, $4, $5, $6::text::jsonb)
ON CONFLICT (site, url) DO UPDATE SET version = excluded.version, title = excluded.title,
    definition = excluded.definition WHERE t.pk IS NOT DISTINCT FROM excluded.pk
RETURNING url;

-- name: topics
-- The topics of a site, its own before those of all sites.
-- $1 site
SELECT DISTINCT ON (url) url, version, title, definition FROM fhir.topic WHERE site IN (0, $1::smallint)
ORDER BY url, site DESC;

-- name: drop
-- Forgets a Subscription and what it would still have told, or a topic.
-- $1 key
WITH gone AS (DELETE FROM fhir.notification WHERE subscription = $1),
    untopical AS (DELETE FROM fhir.topic WHERE pk = $1)
DELETE FROM fhir.subscription WHERE pk = $1;

-- name: told
-- How a Subscription stands, or all of a site; about: its topic, or its criteria.
-- $1 site, $2 id or null
SELECT pk, id, CASE WHEN gone AND state = 'active' THEN 'error' ELSE state END AS state, error, last, delivered, topic, content,
    undecided, undecided_why, gone, coalesce(nullif(topic, ''), (
        SELECT convert_from(v.body, 'UTF8')::jsonb ->> 'criteria' FROM fhir.resource r
        JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
        WHERE r.pk = s.pk), '') AS about
FROM (
    SELECT s.*, s.topic <> '' AND NOT EXISTS (SELECT FROM fhir.topic t WHERE t.url = s.topic AND t.site IN (0, s.site)) AS gone
    FROM fhir.subscription s WHERE s.site = $1 AND ($2::text IS NULL OR s.id = $2)
) s ORDER BY id;

-- name: again
-- Sends once more from a number on.
-- $1 Subscription, $2 the number
UPDATE fhir.subscription SET delivered = least(delivered, $2::bigint - 1), due_at = now() WHERE pk = $1 AND state <> 'off';

-- name: oldest
-- The lowest number that is kept.
-- $1 Subscription
SELECT min(number) FROM fhir.notification WHERE subscription = $1;

-- name: all_undecided
-- How many events could not be decided, of all Subscriptions.
SELECT coalesce(sum(undecided), 0)::bigint FROM fhir.subscription;

-- name: every_topic
-- The topics of all sites, with the name of the site that has one for itself.
SELECT n.name AS site, t.url, t.version, t.title, t.definition FROM fhir.topic t
LEFT JOIN fhir.site n ON n.site = t.site ORDER BY t.url, n.name NULLS FIRST;

-- name: drop_loaded
-- Forgets a topic that was loaded. Null when there is none.
-- $1 address
DELETE FROM fhir.topic WHERE site = 0 AND url = $1 RETURNING url;

-- name: listening
-- Subscriptions of a site by websocket, as far as they are among these.
-- $1 site, $2 ids or null for all
SELECT pk, id FROM fhir.subscription WHERE site = $1::smallint AND channel = 'websocket' AND state <> 'off'
    AND ($2::text[] IS NULL OR id = ANY ($2)) ORDER BY id;

-- name: bind
-- A token for Subscriptions; those that have expired go.
-- $1 its hash, $2 keys of the Subscriptions, $3 seconds
WITH gone AS (DELETE FROM fhir.binding WHERE expires_at < now())
INSERT INTO fhir.binding (token, subscriptions, expires_at)
VALUES ($1, $2::bigint[], now() + make_interval(secs => $3::float8)) RETURNING expires_at;

-- name: bound
-- What a token is for; nothing when it has expired.
-- $1 its hash
SELECT subscriptions FROM fhir.binding WHERE token = $1 AND expires_at >= now();

-- name: moved
-- How far Subscriptions by websocket are; without those that are off or by another channel now.
-- $1 keys
SELECT pk, last, delivered, heartbeat_s FROM fhir.subscription
WHERE pk = ANY ($1::bigint[]) AND channel = 'websocket' AND state <> 'off';
