-- name: watching
-- Subscriptions about some types, in the order of their keys.
-- $1 types
SELECT s.pk, n.name AS site, s.site AS site_number, s.type, s.since, s.condition FROM fhir.subscription s
JOIN fhir.site n ON n.site = s.site
WHERE s.type = ANY ($1::smallint[]) AND (s.ends_at IS NULL OR s.ends_at > now()) ORDER BY s.pk;

-- name: notify
-- Appends notifications under the next numbers; none when the Subscription has gone meanwhile.
-- $1 Subscription, $2 site, $3 type, $4 ids, $5 versions
WITH counted AS (
    UPDATE fhir.subscription SET last = last + cardinality($4::text[]) WHERE pk = $1
    RETURNING last - cardinality($4::text[]) AS before
)
INSERT INTO fhir.notification (subscription, number, made_at, version, site, type, id)
SELECT $1, before + given.position, now(), given.version, $2::smallint, $3::smallint, given.id
FROM counted, unnest($4::text[], $5::int[]) WITH ORDINALITY AS given (id, version, position);

-- name: blank
-- Takes what was erased out of the notifications that wait; they keep their numbers.
-- $1 name of the site, $2 type, $3 ids
UPDATE fhir.notification SET id = '', version = 0
WHERE site = (SELECT site FROM fhir.site WHERE name = $1) AND type = $2::smallint AND id = ANY ($3::text[]);

-- name: begin
-- Subscriptions that wait for a consumer are served from now on; those that have ended are off.
UPDATE fhir.subscription SET state = CASE WHEN ends_at <= now() THEN 'off' ELSE 'active' END
WHERE state = 'requested' OR (state <> 'off' AND ends_at <= now());

-- name: due
-- Subscriptions with something to send now.
SELECT s.pk FROM fhir.subscription s
WHERE s.last > s.delivered AND s.due_at <= now() AND s.state IN ('active', 'error')
ORDER BY s.due_at;

-- name: next
-- The next notifications of a Subscription with their content, in order; no content when it was erased.
-- $1 Subscription, $2 most rows
SELECT n.number, n.type, n.id, v.body, s.endpoint, s.payload, s.headers, s.attempts
FROM fhir.notification n JOIN fhir.subscription s ON s.pk = n.subscription
LEFT JOIN fhir.resource r ON r.site = n.site AND r.type = n.type AND r.id = n.id
LEFT JOIN fhir.version v ON v.pk = r.pk AND v.version = n.version
WHERE n.subscription = $1 AND s.state IN ('active', 'error') ORDER BY n.number LIMIT $2;

-- name: delivered
-- A notification has arrived.
-- $1 Subscription, $2 number
WITH gone AS (DELETE FROM fhir.notification WHERE subscription = $1 AND number = $2)
UPDATE fhir.subscription SET delivered = $2, attempts = 0, error = '', state = 'active'
WHERE pk = $1 AND delivered < $2;

-- name: failed
-- A notification has not arrived; it is tried again.
-- $1 Subscription, $2 why, $3 seconds until then
UPDATE fhir.subscription SET state = 'error', error = $2, attempts = attempts + 1,
    due_at = now() + make_interval(secs => $3::float8)
WHERE pk = $1 AND state IN ('active', 'error');
