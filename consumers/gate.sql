-- name: decisions
-- What was decided for these persons, for this consumer and purpose; the most careful answer wins.
-- $1 persons  $2 consumer  $3 purpose
SELECT DISTINCT ON (person, site) person, site, decision, reason FROM identity.decision
WHERE person = ANY ($1::bigint[]) AND until IS NULL
  AND (consumer IS NULL OR consumer = $2) AND (purpose IS NULL OR purpose = $3)
ORDER BY person, site, array_position(ARRAY['withdraw', 'withhold', 'deliver'], decision::text), since DESC
