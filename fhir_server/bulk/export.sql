-- name: snapshot
-- The name under which another connection sees the same.
SELECT pg_export_snapshot();

-- name: types
-- The types of which a site has, or had, resources.
-- $1 site, $2 types
SELECT type FROM unnest($2::smallint[]) AS wanted (type)
WHERE EXISTS (SELECT FROM fhir.resource r WHERE r.site = $1 AND r.type = wanted.type AND r.version > 0);

-- name: bodies
-- Bodies of a type; the conditions below narrow them. A relative address of a Binary becomes one that can be followed;
-- inside a string its quotation marks would be escaped.
-- $1 site, $2 type, $3 after, $4 before, $5 the address of Binary, '' for a type without attachments
SELECT CASE WHEN $5::text = '' THEN convert_from(v.body, 'UTF8')
    ELSE replace(convert_from(v.body, 'UTF8'), '"url":"Binary/', '"url":"' || $5::text) END
FROM fhir.resource r
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
WHERE r.site = $1::smallint AND r.type = $2::smallint AND NOT r.deleted AND v.body IS NOT NULL
  AND r.updated > $3::timestamptz AND r.updated < $4::timestamptz

-- name: of_any_patient
-- In a patient's compartment.
  AND r.patient IS NOT NULL

-- name: provenance_of_any_patient
-- Of what is in a patient's compartment.
-- $6 paths of the target
  AND r.pk IN (
      SELECT f.pk FROM fhir.reference f
      JOIN fhir.resource t ON t.site = f.site AND t.type = f.target_type AND t.id = f.target_id
      WHERE f.site = $1::smallint AND f.path = ANY($6::smallint[]) AND t.patient IS NOT NULL)

-- name: by_id
-- Under these ids.
-- $6 ids
  AND r.id = ANY($6::text[])

-- name: of_patients
-- In the compartment of one of these patients.
-- $6 paths of the compartment, $7 ids of patients, $8 type of patients
  AND r.pk IN (
      SELECT f.pk FROM fhir.reference f
      WHERE f.site = $1::smallint AND f.path = ANY($6::smallint[]) AND f.target_type = $8::smallint
        AND f.target_id = ANY($7::text[]))

-- name: provenance_of_patients
-- Of what is in the compartment of one of these patients.
-- $6 paths of the target, $7 ids of patients
  AND r.pk IN (
      SELECT f.pk FROM fhir.reference f
      JOIN fhir.resource t ON t.site = f.site AND t.type = f.target_type AND t.id = f.target_id
      WHERE f.site = $1::smallint AND f.path = ANY($6::smallint[]) AND t.patient = ANY($7::text[]))

-- name: deleted
-- Deletions of a type, each as a transaction of one entry. Of what was erased nobody knows any more whose it was: it is
-- told to all who may have it.
-- $1 site, $2 type, $3 after, $4 before, $5 name of the type, $6 with a patient, $7 ids of patients or NULL for all
SELECT '{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"'
    || $5::text || '/' || r.id || '"}}]}'
FROM fhir.resource r
WHERE r.site = $1::smallint AND r.type = $2::smallint AND r.deleted AND r.version > 0 AND r.updated > $3::timestamptz
  AND r.updated < $4::timestamptz
  AND (NOT $6::boolean OR r.patient = ANY($7::text[]) OR (r.patient IS NOT NULL AND $7::text[] IS NULL)
      OR EXISTS (SELECT FROM fhir.version v WHERE v.pk = r.pk AND v.version = r.version AND v.op = 5))
