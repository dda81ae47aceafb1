-- name: served
-- How a Subscription stands that is served; nothing when it is off.
-- $1 Subscription
SELECT s.id, n.name AS site, s.site AS site_number, s.topic, s.state, s.last, s.delivered, s.content, s.payload, s.endpoint, s.headers,
    s.attempts, s.timeout_s, s.most, s.shaken, s.channel, s.heartbeat_s,
    s.heartbeat_s > 0 AND s.told_at + make_interval(secs => s.heartbeat_s) <= now() AS quiet
FROM fhir.subscription s JOIN fhir.site n ON n.site = s.site WHERE s.pk = $1 AND s.state <> 'off';

-- name: kept
-- Notifications of a Subscription with their content and the trace of who wrote it, in order, the delivered ones as long as they are kept; no content
-- when it was erased.
-- $1 Subscription, $2 first number, $3 last number, $4 most rows
SELECT n.number, n.made_at, n.type, n.id, n.beside, v.op, v.body, coalesce(w.traceparent, '') AS traceparent
FROM fhir.notification n
LEFT JOIN fhir.resource r ON r.site = n.site AND r.type = n.type AND r.id = n.id
LEFT JOIN fhir.version v ON v.pk = r.pk AND v.version = n.version
LEFT JOIN fhir.write w ON w.write_id = v.write_id
WHERE n.subscription = $1 AND n.number BETWEEN $2 AND $3 ORDER BY n.number LIMIT $4;

-- name: arrived
-- Notifications up to a number have arrived; the pointers stay for those who ask again. Number 0: something else has.
-- Who asked again while they were on their way is heard: then `delivered` is no longer what the sender began at, and stays.
-- $1 Subscription, $2 number, $3 number at which the sender began
UPDATE fhir.subscription SET attempts = 0, error = '', state = 'active', shaken = true, told_at = now(),
    delivered = CASE WHEN delivered = $3::bigint THEN greatest(delivered, $2::bigint) ELSE delivered END
WHERE pk = $1 AND state <> 'off';
