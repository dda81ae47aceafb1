-- name: inputs
-- The files of an import, in their order.
-- $1 job
SELECT position, type, url, read_bytes, lines, written, refused, ended
FROM fhir.job_input WHERE job = $1 ORDER BY position;

-- name: advance
-- Moves a file on by what the same transaction writes; no row when another process has moved it, or holds the job.
-- $1 job, $2 position, $3 attempt, $4 bytes read before, $5 bytes read, $6 lines, $7 written, $8 refused, $9 ended
UPDATE fhir.job_input i
SET read_bytes = $5, lines = $6, written = $7, refused = $8, ended = $9
FROM fhir.job j
WHERE i.job = $1 AND i.position = $2 AND i.read_bytes = $4 AND NOT i.ended
    AND j.job = i.job AND j.attempt = $3 AND j.state = 'running'
RETURNING i.position;

-- name: refuse
-- Lines that were not taken.
-- $1 job, $2 position, $3 lines, $4 outcomes
INSERT INTO fhir.job_refusal (job, position, line, outcome)
SELECT $1, $2, line, outcome FROM unnest($3::bigint[], $4::bytea[]) AS given (line, outcome);

-- name: refusals
-- What was not taken of a file, in the order of its lines.
-- $1 job, $2 position
SELECT convert_from(outcome, 'UTF8') FROM fhir.job_refusal WHERE job = $1::text AND position = $2::int ORDER BY line
