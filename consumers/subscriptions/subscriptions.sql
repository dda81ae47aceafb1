-- name: watching
-- Subscriptions about some types or about a topic, in the order of their keys, with what the topic says.
-- $1 types
SELECT s.pk, n.name AS site, s.site AS site_number, s.type, s.since, s.condition, s.topic AS about,
    s.content, s.channel, t.definition AS topic
FROM fhir.subscription s JOIN fhir.site n ON n.site = s.site
LEFT JOIN LATERAL (
    SELECT definition FROM fhir.topic WHERE url = s.topic AND site IN (0, s.site) ORDER BY site DESC LIMIT 1
) t ON true
WHERE (s.type = ANY ($1::smallint[]) OR (s.type = 0 AND t.definition IS NOT NULL))
    AND (s.ends_at IS NULL OR s.ends_at > now()) ORDER BY s.pk;

-- name: before
-- The content of a resource before a version; null when there was none, or it was erased.
-- $1 name of the site, $2 type, $3 id, $4 the version
SELECT v.body FROM fhir.resource r JOIN fhir.version v ON v.pk = r.pk AND v.version = $4::int - 1
WHERE r.site = (SELECT site FROM fhir.site WHERE name = $1) AND r.type = $2::smallint AND r.id = $3;

-- name: key
-- The key of a resource.
-- $1 site, $2 type, $3 id
SELECT pk FROM fhir.resource WHERE site = $1::smallint AND type = $2::smallint AND id = $3;

-- name: patients
-- The patients in whose compartments resources are.
-- $1 site, $2 types, $3 keys
SELECT r.pk, r.patient FROM unnest($2::smallint[], $3::bigint[]) AS u (type, pk)
JOIN fhir.resource r ON r.site = $1::smallint AND r.type = u.type AND r.pk = u.pk;

-- name: notify
-- Appends notifications under the next numbers; none when the Subscription has gone meanwhile.
-- $1 Subscription, $2 site, $3 types, $4 ids, $5 versions, $6 keys of what is sent beside each
WITH counted AS (
    UPDATE fhir.subscription SET last = last + cardinality($4::text[]) WHERE pk = $1
    RETURNING last - cardinality($4::text[]) AS before
)
INSERT INTO fhir.notification (subscription, number, made_at, version, site, type, id, beside)
SELECT $1, before + given.position, now(), given.version, $2::smallint, given.type, given.id, given.beside::jsonb
FROM counted, unnest($3::smallint[], $4::text[], $5::int[], $6::text[])
    WITH ORDINALITY AS given (type, id, version, beside, position);

-- name: undecided
-- Counts events of which could not be told whether they are meant.
-- $1 Subscription, $2 how many, $3 why, of the last
UPDATE fhir.subscription SET undecided = undecided + $2, undecided_why = $3 WHERE pk = $1;

-- name: blank
-- Takes what was erased out of the notifications that wait; they keep their numbers.
-- $1 name of the site, $2 type, $3 ids
UPDATE fhir.notification SET id = '', version = 0, beside = '[]'
WHERE site = (SELECT site FROM fhir.site WHERE name = $1) AND type = $2::smallint AND id = ANY ($3::text[]);

-- name: begin
-- Subscriptions that wait for a consumer are served from now on, those to a topic when their app has answered; those
-- that have ended are off.
UPDATE fhir.subscription SET state = CASE WHEN ends_at <= now() THEN 'off' ELSE 'active' END
WHERE (state = 'requested' AND topic = '') OR (state <> 'off' AND ends_at <= now());

-- name: due
-- Subscriptions with something to say now: a handshake, notifications, or that all is well. Whoever listens by websocket
-- is told by the server that holds the connection.
SELECT s.pk FROM fhir.subscription s
WHERE s.due_at <= now() AND s.state <> 'off' AND s.channel <> 'websocket' AND (
    s.last > s.delivered OR (s.topic <> '' AND (
        NOT s.shaken OR (s.heartbeat_s > 0 AND s.told_at + make_interval(secs => s.heartbeat_s) <= now()))))
ORDER BY s.due_at;

-- name: failed
-- A notification has not arrived; it is tried again.
-- $1 Subscription, $2 why, $3 seconds until then
UPDATE fhir.subscription SET state = 'error', error = $2, attempts = attempts + 1,
    due_at = now() + make_interval(secs => $3::float8)
WHERE pk = $1 AND state <> 'off';

-- name: forget
-- Drops what was delivered long ago.
-- $1 days
DELETE FROM fhir.notification n USING fhir.subscription s
WHERE s.pk = n.subscription AND n.number <= s.delivered AND n.made_at < now() - make_interval(days => $1);
