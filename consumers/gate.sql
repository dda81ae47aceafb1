-- name: held_back
-- The persons of whom something is not delivered to this consumer and purpose, with those into whom one of them was merged.
-- $1 consumer  $2 purpose
WITH decided AS (
    SELECT person FROM identity.decision
    WHERE until IS NULL AND decision <> 'deliver' AND (consumer IS NULL OR consumer = $1) AND (purpose IS NULL OR purpose = $2)
)
SELECT person FROM decided
UNION
SELECT now.person
FROM decided d
JOIN identity.person_patient was ON was.person = d.person AND was.merge = 0
JOIN identity.person_patient now ON now.site = was.site AND now.patient_id = was.patient_id AND now.until IS NULL AND now.merge > 0
ORDER BY person

-- name: decisions
-- What was decided for these persons, for this consumer and purpose; the most careful answer wins. A decision about
-- somebody who was merged into a person holds for that person.
-- $1 persons  $2 consumer  $3 purpose
SELECT DISTINCT ON (who.person, d.site) who.person, d.site, d.decision, d.reason
FROM (
    SELECT person, person AS decided FROM unnest($1::bigint[]) AS asked (person)
    UNION
    SELECT now.person, was.person
    FROM identity.person_patient now
    JOIN identity.person_patient was ON was.site = now.site AND was.patient_id = now.patient_id AND was.merge = 0
    WHERE now.person = ANY ($1::bigint[]) AND now.until IS NULL AND now.merge > 0
) who
JOIN identity.decision d ON d.person = who.decided
WHERE d.until IS NULL AND (d.consumer IS NULL OR d.consumer = $2) AND (d.purpose IS NULL OR d.purpose = $3)
ORDER BY who.person, d.site, array_position(ARRAY['withdraw', 'withhold', 'deliver'], d.decision::text), d.since DESC
