-- name: add
-- A job that waits for a server process to take it up.
-- $1 job, $2 site, $3 kind, $4 request
INSERT INTO fhir.job (job, site, kind, request) VALUES ($1, $2, $3, $4);

-- name: add_inputs
-- The files of an import.
-- $1 job, $2 positions, $3 types, $4 urls
INSERT INTO fhir.job_input (job, position, type, url)
SELECT $1, position, type, url FROM unnest($2::int[], $3::text[], $4::text[]) AS given (position, type, url);

-- name: waiting
-- How many jobs nobody has taken up yet.
SELECT count(*) FROM fhir.job WHERE state = 'waiting';

-- name: find
-- One job of a site.
-- $1 job, $2 site
SELECT job, site, kind, state, request, created, attempt, progress, expires, result
FROM fhir.job
WHERE job = $1 AND site = $2 AND (expires IS NULL OR expires > now());

-- name: drop
-- Ends a job, whatever it does, and forgets it.
-- $1 job, $2 site
DELETE FROM fhir.job WHERE job = $1 AND site = $2 AND (expires IS NULL OR expires > now()) RETURNING job;

-- name: open
-- Whether there is a job to take up: one that waits, or one whose process has not been heard of.
SELECT EXISTS (SELECT FROM fhir.job WHERE state = 'waiting' OR (state = 'running' AND lease_until < now()));

-- name: one_at_a_time
-- Makes those that take jobs up wait for each other, so that the bound holds.
-- $1 lock
SELECT pg_advisory_xact_lock($1);

-- name: claim
-- Takes up the oldest open job, unless as many run as may.
-- $1 seconds of the lease, $2 most jobs that run
UPDATE fhir.job
SET state = 'running', attempt = attempt + 1, lease_until = now() + $1::float8 * interval '1 second'
WHERE job = (
    SELECT job FROM fhir.job
    WHERE state = 'waiting' OR (state = 'running' AND lease_until < now())
    ORDER BY created LIMIT 1
) AND (SELECT count(*) FROM fhir.job WHERE state = 'running' AND lease_until >= now()) < $2::int
RETURNING job, site, kind, state, request, created, attempt, progress, expires, result;

-- name: beat
-- Renews the lease; no row when the job was cancelled or another process has it.
-- $1 job, $2 attempt, $3 seconds of the lease, $4 progress
UPDATE fhir.job
SET lease_until = now() + $3::float8 * interval '1 second', progress = $4
WHERE job = $1 AND attempt = $2 AND state = 'running'
RETURNING job;

-- name: end
-- What came of a job, and how long it is kept.
-- $1 job, $2 attempt, $3 done or failed, $4 result, $5 seconds to keep it
UPDATE fhir.job
SET state = $3, result = $4, progress = '', lease_until = NULL, expires = now() + $5::float8 * interval '1 second'
WHERE job = $1 AND attempt = $2 AND state = 'running'
RETURNING job;

-- name: release
-- Leaves a job to whoever comes next.
-- $1 job, $2 attempt, $3 seconds until then
UPDATE fhir.job
SET lease_until = now() + $3::float8 * interval '1 second'
WHERE job = $1 AND attempt = $2 AND state = 'running';

-- name: expired
-- Forgets the jobs whose time is over.
DELETE FROM fhir.job WHERE expires <= now() RETURNING job;

-- name: known
-- Which of these jobs there are.
-- $1 jobs
SELECT job FROM fhir.job WHERE job = ANY($1::text[]);
