-- name: state
-- How many loads there were, and which edition of R4's own definitions is in.
SELECT generation, edition FROM terminology.state;

-- name: lock_state
-- Holds the loads of others until this transaction ends.
SELECT edition FROM terminology.state FOR UPDATE;

-- name: next_state
-- One load more.
-- $1 edition of R4's own definitions
UPDATE terminology.state SET generation = generation + 1, edition = greatest(edition, $1);

-- name: candidates
-- Definitions under these addresses: those of all sites, and the resources of one, which may not have been read yet.
-- $1 site, $2 type, $3 addresses, $4 path of the address in the index, $5 addresses as the index holds them
SELECT d.pk, d.site, d.url, d.version, d.source, d.concepts, d.body, NULL::bigint AS resource_pk, NULL::int AS resource_version
FROM terminology.definition d
WHERE d.type = $2 AND d.url = ANY ($3::text[]) AND d.site = 0
UNION ALL
SELECT d.pk, $1, d.url, d.version, d.source, d.concepts, d.body, r.pk, r.version
FROM fhir.token t
JOIN fhir.resource r ON r.site = $1 AND r.type = $2 AND r.pk = t.pk AND NOT r.deleted
LEFT JOIN terminology.definition d ON d.resource_pk = r.pk AND d.resource_version = r.version
WHERE t.site = $1 AND t.path = $4 AND t.code = ANY ($5::text[]);

-- name: of_resource
-- The definition of a stored resource, if that version has been read.
-- $1 resource, $2 version
SELECT pk, site, url, version, source, concepts, body FROM terminology.definition
WHERE resource_pk = $1 AND resource_version = $2;

-- name: of_value_set
-- Code systems whose value set of all codes has this address.
-- $1 site, $2 address
SELECT d.pk, d.site, d.url, d.version, d.source, d.concepts, d.body FROM terminology.definition d
WHERE d.value_set = $2 AND (d.site = 0 OR EXISTS (
    SELECT FROM fhir.resource r
    WHERE r.site = $1 AND r.site = d.site AND r.type = d.type AND r.pk = d.resource_pk AND r.version = d.resource_version
        AND NOT r.deleted));

-- name: supplements
-- Code systems that add to the one of these addresses: those for all sites, then those of one.
-- $1 site, $2 addresses, each with and without a version
SELECT d.pk FROM terminology.definition d
WHERE d.supplements = ANY ($2::text[]) AND (d.site = 0 OR EXISTS (
    SELECT FROM fhir.resource r
    WHERE r.site = $1 AND r.site = d.site AND r.type = d.type AND r.pk = d.resource_pk AND r.version = d.resource_version
        AND NOT r.deleted))
ORDER BY d.site, d.pk;

-- name: unread_supplements
-- Stored supplements whose current version has not been read.
-- $1 site, $2 type, $3 path of the content in the index
SELECT r.pk, r.version FROM fhir.token t
JOIN fhir.resource r ON r.site = $1 AND r.type = $2 AND r.pk = t.pk AND NOT r.deleted
WHERE t.site = $1 AND t.path = $3 AND t.code = 'supplement' AND NOT EXISTS (
    SELECT FROM terminology.definition d WHERE d.resource_pk = r.pk AND d.resource_version = r.version);

-- name: unread
-- Stored resources of a type whose current version has not been read.
-- $1 site, $2 type
SELECT r.pk, r.version FROM fhir.resource r
WHERE r.site = $1 AND r.type = $2 AND NOT r.deleted AND NOT EXISTS (
    SELECT FROM terminology.definition d WHERE d.resource_pk = r.pk AND d.resource_version = r.version)
ORDER BY r.pk;

-- name: body
-- One version of a resource.
-- $1 resource, $2 version
SELECT body FROM fhir.version WHERE pk = $1 AND version = $2;

-- name: lock_resource
-- Waits for whoever reads the same resource.
-- $1 lock class, $2 resource
SELECT pg_advisory_xact_lock($1, ($2::bigint % 1024)::int);

-- name: replaced
-- Sets aside the definitions that a new one replaces: nobody finds them any more, whoever reads them may end.
-- $1 type, $2 address, $3 version, $4 resource; without one, the definition is for all sites
UPDATE terminology.definition SET site = -1, resource_pk = NULL, resource_version = NULL, loaded_at = now()
WHERE CASE WHEN $4::bigint IS NULL THEN site = 0 AND type = $1 AND url = $2 AND version = $3 ELSE resource_pk = $4 END;

-- name: forgotten
-- Sets aside the definitions of resources that are deleted.
UPDATE terminology.definition d SET site = -1, resource_pk = NULL, resource_version = NULL, loaded_at = now()
FROM fhir.resource r
WHERE d.resource_pk IS NOT NULL AND r.site = d.site AND r.type = d.type AND r.pk = d.resource_pk AND r.deleted;

-- name: set_aside
-- Sets aside everything of a source.
-- $1 source
UPDATE terminology.definition SET site = -1, loaded_at = now() WHERE site = 0 AND source = $1;

-- name: set_aside_one
-- Sets aside one definition of a source.
-- $1 source, $2 type, $3 address, $4 version
UPDATE terminology.definition SET site = -1, loaded_at = now()
WHERE site = 0 AND source = $1 AND type = $2 AND url = $3 AND version = $4;

-- name: swept
-- Takes away what was set aside longer ago than any request takes, and gives its keys.
DELETE FROM terminology.definition WHERE site = -1 AND loaded_at < now() - interval '5 minutes' RETURNING pk;

-- name: drop_concepts
-- $1 code systems
DELETE FROM terminology.concept WHERE system = ANY ($1::int[]);

-- name: keys
-- Keys for so many definitions.
-- $1 how many
SELECT nextval(pg_get_serial_sequence('terminology.definition', 'pk'))::int FROM generate_series(1, $1);

-- name: digests
-- What is loaded for all sites under this source.
-- $1 source
SELECT type, url, version, digest FROM terminology.definition WHERE site = 0 AND source = $1;

-- name: listed
-- Everything that is loaded for all sites, but R4's own.
-- $1 source of R4's own
SELECT type, url, version, source, concepts, loaded_at FROM terminology.definition
WHERE site = 0 AND source <> $1 ORDER BY type, url, version;

-- name: systems
-- Code systems that can be asked here, once each.
-- $1 site, $2 type
SELECT DISTINCT url, version FROM terminology.definition
WHERE type = $2 AND (site = 0 OR site = $1) AND concepts > 0 ORDER BY url, version;

-- name: of_type
-- Every definition of a type that can be used at a site.
-- $1 site, $2 type
SELECT d.pk, d.site, d.url, d.version, d.source, d.concepts, d.body FROM terminology.definition d
WHERE d.type = $2 AND (d.site = 0 OR EXISTS (
    SELECT FROM fhir.resource r
    WHERE r.site = $1 AND r.site = d.site AND r.type = d.type AND r.pk = d.resource_pk AND r.version = d.resource_version
        AND NOT r.deleted));

-- name: drop
-- Sets aside what was loaded for all sites, and gives its keys.
-- $1 source of R4's own, which stays; $2 source, or $3 address and $4 version, "" for each
UPDATE terminology.definition SET site = -1, loaded_at = now()
WHERE site = 0 AND source <> $1 AND (source = $2 OR (url = $3 AND $4 IN ('', version)))
RETURNING pk;
