-- name: begin
-- Waits for any other writer of the warehouse. All that follows looks rows up by key, in tables that grow from nothing: plans
-- made while they were small must not scan them once they are large.
-- $1 the lock
SELECT pg_advisory_xact_lock($1), set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true);

-- name: end
-- Gives the planner back to the rest of the transaction.
SELECT set_config('enable_seqscan', 'on', true), set_config('enable_hashjoin', 'on', true),
       set_config('enable_mergejoin', 'on', true);

-- name: held
-- The rows that stand for some resources.
-- $1 sites  $2 types  $3 ids
SELECT m.site, m.resource_type, m.resource_id, m.omop_table, m.part, m.omop_id, d.visit_occurrence_id, d.parent_visit_detail_id,
       m.patient, m.person
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (site, type, id)
JOIN omop_map.id_map m ON m.site = k.site AND m.resource_type = k.type AND m.resource_id = k.id
LEFT JOIN omop.visit_detail d ON m.omop_table = 'visit_detail' AND d.visit_detail_id = m.omop_id;

-- name: codes
-- The codes of some Medications and Devices.
-- $1 sites  $2 types  $3 ids
SELECT c.site, c.resource_type, c.resource_id, c.system, c.code
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (site, type, id)
JOIN omop_map.code c ON c.site = k.site AND c.resource_type = k.type AND c.resource_id = k.id;

-- name: forget_waiting
-- Resources that are written anew wait no longer.
-- $1 sites  $2 types  $3 ids
DELETE FROM omop_map.waiting w USING unnest($1::text[], $2::text[], $3::text[]) AS k (site, type, id)
WHERE w.site = k.site AND w.resource_type = k.type AND w.resource_id = k.id;

-- name: take_waiting
-- Resources that waited for parents that have arrived.
-- $1 sites  $2 types  $3 ids of the parents
DELETE FROM omop_map.waiting w USING unnest($1::text[], $2::text[], $3::text[]) AS k (site, type, id)
WHERE w.site = k.site AND w.parent_type = k.type AND w.parent_id = k.id
RETURNING w.site, w.resource_type, w.resource_id, w.person, w.mapped;

-- name: take_waiting_of
-- Resources that waited for something else while their Patient, who goes, was there.
-- $1 sites  $2 ids of the Patients
DELETE FROM omop_map.waiting w USING unnest($1::text[], $2::text[]) AS k (site, patient)
WHERE w.site = k.site AND w.patient = k.patient AND w.parent_type <> 'Patient'
RETURNING w.site, w.resource_type, w.resource_id, w.person, w.mapped;

-- name: draw
-- The last of n new ids for each table; they follow each other, since nobody else draws while the lock is held.
-- $1 tables  $2 how many
SELECT t, setval(('omop_map.' || t)::regclass, nextval(('omop_map.' || t)::regclass) + n - 1)
FROM unnest($1::text[], $2::int[]) AS w (t, n);

-- name: own_ids
-- Rows that now belong to another patient or person.
-- $1 tables  $2 ids  $3 patients  $4 persons
UPDATE omop_map.id_map m SET patient = k.patient, person = k.person
FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) AS k (t, id, patient, person)
WHERE m.omop_table = k.t AND m.omop_id = k.id;

-- name: forget_ids
-- Rows that are gone.
-- $1 tables  $2 ids
DELETE FROM omop_map.id_map m USING unnest($1::text[], $2::int[]) AS k (t, id) WHERE m.omop_table = k.t AND m.omop_id = k.id;

-- name: forget_links
-- Links of rows that are gone or written anew.
-- $1 tables  $2 ids
DELETE FROM omop_map.link l USING unnest($1::text[], $2::int[]) AS k (t, id) WHERE l.omop_table = k.t AND l.omop_id = k.id;

-- name: take_links
-- Links to resources that stand from now on.
-- $1 sites  $2 types  $3 ids of the targets
DELETE FROM omop_map.link l USING unnest($1::text[], $2::text[], $3::text[]) AS k (site, type, id)
WHERE l.site = k.site AND l.target_type = k.type AND l.target_id = k.id
RETURNING l.omop_table, l.omop_id, l.link, l.site, l.target_type, l.target_id;

-- name: code_links
-- Rows that take the code of some Medications and Devices.
-- $1 sites  $2 types  $3 ids
SELECT l.omop_table, l.omop_id, l.link, l.site, l.target_type, l.target_id
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (site, type, id)
JOIN omop_map.link l ON l.site = k.site AND l.target_type = k.type AND l.target_id = k.id;

-- name: forget_codes
-- Medications and Devices that are gone or told anew.
-- $1 sites  $2 types  $3 ids
DELETE FROM omop_map.code c USING unnest($1::text[], $2::text[], $3::text[]) AS k (site, type, id)
WHERE c.site = k.site AND c.resource_type = k.type AND c.resource_id = k.id;

-- name: sources
-- The resources that some rows came from.
-- $1 tables  $2 ids
SELECT m.omop_table, m.omop_id, m.site, m.resource_type, m.resource_id, m.part, m.patient, m.person
FROM unnest($1::text[], $2::int[]) AS k (t, id)
JOIN omop_map.id_map m ON m.omop_table = k.t AND m.omop_id = k.id;

-- name: links
-- Open links and code links of some rows.
-- $1 tables  $2 ids
SELECT l.omop_table, l.omop_id, l.link, l.target_type, l.target_id
FROM unnest($1::text[], $2::int[]) AS k (t, id)
JOIN omop_map.link l ON l.omop_table = k.t AND l.omop_id = k.id;

-- name: parts_of_visits
-- Unit stays and parts of some visits.
-- $1 visit_occurrence ids  $2 visit_detail ids
SELECT visit_detail_id FROM omop.visit_detail WHERE visit_occurrence_id = ANY ($1)
UNION
SELECT visit_detail_id FROM omop.visit_detail WHERE parent_visit_detail_id = ANY ($2);

-- name: spans
-- First and last day of all that happened to some persons.
-- $1 persons
SELECT person_id, min(first), max(last) FROM (
    SELECT person_id, visit_start_date AS first, greatest(visit_start_date, visit_end_date) AS last
    FROM omop.visit_occurrence WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, visit_detail_start_date, greatest(visit_detail_start_date, visit_detail_end_date)
    FROM omop.visit_detail WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, condition_start_date, greatest(condition_start_date, condition_end_date)
    FROM omop.condition_occurrence WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, drug_exposure_start_date, greatest(drug_exposure_start_date, drug_exposure_end_date)
    FROM omop.drug_exposure WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, procedure_date, greatest(procedure_date, procedure_end_date)
    FROM omop.procedure_occurrence WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, device_exposure_start_date, greatest(device_exposure_start_date, device_exposure_end_date)
    FROM omop.device_exposure WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, measurement_date, measurement_date FROM omop.measurement WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, observation_date, observation_date FROM omop.observation WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, note_date, note_date FROM omop.note WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, specimen_date, specimen_date FROM omop.specimen WHERE person_id = ANY ($1)
    UNION ALL SELECT person_id, death_date, death_date FROM omop.death WHERE person_id = ANY ($1)
) AS event (person_id, first, last)
GROUP BY person_id;

-- name: widen_periods
-- The observation periods of persons to whom something was added.
-- $1 persons  $2 first days  $3 last days
UPDATE omop.observation_period o
SET observation_period_start_date = least(observation_period_start_date, s.first),
    observation_period_end_date = greatest(observation_period_end_date, s.last)
FROM unnest($1::int[], $2::date[], $3::date[]) AS s (person_id, first, last)
WHERE o.person_id = s.person_id AND (s.first < observation_period_start_date OR s.last > observation_period_end_date);

-- name: set_periods
-- The observation periods of persons from whom something was taken.
-- $1 persons  $2 first days  $3 last days
UPDATE omop.observation_period o
SET observation_period_start_date = s.first, observation_period_end_date = s.last
FROM unnest($1::int[], $2::date[], $3::date[]) AS s (person_id, first, last)
WHERE o.person_id = s.person_id AND (s.first, s.last) IS DISTINCT FROM (observation_period_start_date, observation_period_end_date);

-- name: add_periods
-- Observation periods of persons that have none, with the Patient that each came from.
-- $1 persons  $2 first days  $3 last days  $4 type concept
WITH added AS (
    SELECT nextval('omop_map.observation_period')::int AS id, s.*
    FROM unnest($1::int[], $2::date[], $3::date[]) AS s (person_id, first, last)
    WHERE NOT EXISTS (SELECT FROM omop.observation_period o WHERE o.person_id = s.person_id)
), stored AS (
    INSERT INTO omop.observation_period SELECT id, person_id, first, last, $4::int FROM added
)
INSERT INTO omop_map.id_map (person, omop_id, omop_table, site, resource_type, resource_id, patient)
SELECT m.person, added.id, 'observation_period', m.site, m.resource_type, m.resource_id, m.patient
FROM added JOIN omop_map.id_map m ON m.omop_table = 'person' AND m.omop_id = added.person_id;

-- name: drop_periods
-- The observation periods of persons to whom nothing happened.
-- $1 persons
WITH gone AS (DELETE FROM omop.observation_period WHERE person_id = ANY ($1) RETURNING observation_period_id)
DELETE FROM omop_map.id_map m USING gone WHERE m.omop_table = 'observation_period' AND m.omop_id = gone.observation_period_id;
