-- name: of_canonical
-- The resources of a type at a site that have this address.
-- $1 site, $2 type, $3 path of the address in the index, $4 the address as the index holds it
SELECT v.body
FROM fhir.token t
JOIN fhir.resource r ON r.site = $1 AND r.type = $2 AND r.pk = t.pk AND NOT r.deleted
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
WHERE t.site = $1 AND t.path = $3 AND t.code = $4
ORDER BY r.pk;
