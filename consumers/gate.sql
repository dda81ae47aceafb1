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
