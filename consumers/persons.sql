-- name: generation
-- Raised when somebody changes who is who.
SELECT generation FROM identity.generation

-- name: known
-- The persons behind patients, who they were merged into, and the number of the merge that said so last.
-- $1 sites  $2 patient ids
SELECT p.site, p.patient_id, p.person, p.survivor, p.merge
FROM unnest($1::text[], $2::text[]) AS u (site, patient_id)
JOIN identity.person_patient p ON p.site = u.site AND p.patient_id = u.patient_id AND p.until IS NULL

-- name: create
-- A person for each patient that has none; the order keeps two processes from waiting for each other.
-- $1 sites  $2 patient ids
INSERT INTO identity.person_patient (person, site, patient_id, reason)
SELECT nextval('identity.person_number'), site, patient_id, 'first seen'
FROM (SELECT site, patient_id FROM unnest($1::text[], $2::text[]) AS u (site, patient_id)
      ORDER BY site COLLATE "C", patient_id COLLATE "C") sorted
ON CONFLICT (site, patient_id) WHERE until IS NULL DO NOTHING

-- name: lock
-- The number of the merge that was applied to a patient last; the patient stays locked.
-- $1 site  $2 patient id
SELECT merge FROM identity.person_patient WHERE site = $1 AND patient_id = $2 AND until IS NULL FOR UPDATE

-- name: own_person
-- The person that a patient was before any merge.
-- $1 site  $2 patient id
SELECT person FROM identity.person_patient WHERE site = $1 AND patient_id = $2 AND merge = 0

-- name: end
-- What a patient was until now.
-- $1 site  $2 patient id
UPDATE identity.person_patient SET until = now() WHERE site = $1 AND patient_id = $2 AND until IS NULL

-- name: begin
-- Who a patient is from now on.
-- $1 person  $2 site  $3 patient id  $4 survivor  $5 number of the merge  $6 reason
INSERT INTO identity.person_patient (person, site, patient_id, survivor, merge, reason) VALUES ($1, $2, $3, $4, $5, $6)

-- name: changed
-- Nobody may rely on what was read before.
UPDATE identity.generation SET generation = generation + 1
