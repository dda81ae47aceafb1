-- name: lock
-- One merge or unmerge of a site at a time, so that survivors and their sources change together.
-- $1 the class of these locks, $2 site
SELECT pg_advisory_xact_lock($1, $2);

-- name: merged
-- What is known of the merge of a Patient.
-- $1 site, $2 source
SELECT source, target, survivor, number, source_version, target_version, told FROM fhir.merged WHERE site = $1 AND source = $2;

-- name: sources
-- The Patients that were merged into another one, directly or by way of others.
-- $1 site, $2 survivor
SELECT source FROM fhir.merged WHERE site = $1 AND survivor = $2 AND source <> survivor ORDER BY source;

-- name: sources_of_all
-- The Patients that were merged into any of these.
-- $1 site, $2 survivors
SELECT source FROM fhir.merged WHERE site = $1 AND survivor = ANY ($2::text[]) AND source <> survivor ORDER BY source;

-- name: merge
-- A Patient is another one from now on, and so is who was merged into it before.
-- $1 site, $2 source, $3 target, $4 version of the source, $5 of the target, $6 now
WITH next AS (SELECT nextval('fhir.merge_number') AS number),
moved AS (
    UPDATE fhir.merged m SET survivor = $3, number = next.number, told = false
    FROM next WHERE m.site = $1 AND m.survivor = $2 AND m.source <> $2
)
INSERT INTO fhir.merged (number, merged_at, source_version, target_version, site, told, source, target, survivor)
SELECT number, $6, $4, $5, $1, false, $2, $3, $3 FROM next
ON CONFLICT (site, source) DO UPDATE SET number = excluded.number, merged_at = excluded.merged_at, told = false,
    source_version = excluded.source_version, target_version = excluded.target_version, target = excluded.target,
    survivor = excluded.survivor;

-- name: unmerge
-- A Patient is itself again, and so survives who was merged into it, directly or by way of others.
-- $1 site, $2 source
WITH RECURSIVE own (source) AS (
    SELECT $2::text COLLATE "C"
    UNION
    SELECT m.source FROM fhir.merged m JOIN own ON m.site = $1 AND m.target = own.source
), next AS (SELECT nextval('fhir.merge_number') AS number)
UPDATE fhir.merged m SET survivor = $2, number = next.number, told = false,
    target = CASE WHEN m.source = $2 THEN NULL ELSE m.target END
FROM own, next
WHERE m.site = $1 AND m.source = own.source;

-- name: untold
-- The Patients whose resources are not on the bus again yet.
-- $1 site
SELECT source, survivor FROM fhir.merged WHERE site = $1 AND NOT told ORDER BY number, source;

-- name: untold_sites
-- The sites that have such Patients.
SELECT DISTINCT site FROM fhir.merged WHERE NOT told;

-- name: tell
-- Sends some resources again, those that are of this Patient; the last event. Whoever has a newer version keeps it.
-- $1 site, $2 types, $3 keys, $4 the Patient, $5 lane, $6 reason
WITH event AS (
    INSERT INTO bus.outbox (pk, version, site, type, op, lane, patient, reason)
    SELECT r.pk, r.version, r.site, r.type, 2, $5::smallint, r.patient, $6
    FROM unnest($2::smallint[], $3::bigint[]) AS wanted (type, pk)
    JOIN fhir.resource r ON r.site = $1 AND r.type = wanted.type AND r.pk = wanted.pk
    WHERE NOT r.deleted AND r.patient = $4
    ORDER BY r.type, r.pk
    RETURNING seq
)
SELECT (SELECT max(epoch) FROM bus.epoch) AS epoch, max(seq) AS seq FROM event;

-- name: told
-- All that moved is on the bus.
-- $1 site, $2 source
UPDATE fhir.merged SET told = true WHERE site = $1 AND source = $2;

-- name: forget
-- Patients that were erased.
-- $1 site, $2 ids
DELETE FROM fhir.merged WHERE site = $1 AND source = ANY ($2::text[]);
