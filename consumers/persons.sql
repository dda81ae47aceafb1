-- name: generation
-- Raised when somebody changes who is who.
SELECT generation FROM identity.generation

-- name: known
-- The persons behind patients.
-- $1 sites  $2 patient ids
SELECT p.site, p.patient_id, p.person
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
