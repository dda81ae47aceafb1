-- name: referred
-- What resources refer to, along some paths, in the order of type and key; a Patient that was merged brings its survivor
-- too. Addresses that are not a type and an id come as rows of type 0: key of the one that refers, address, path.
-- $1 site, $2 keys, $3 paths, $4 types of the targets or 0, $5 type and $6 key to begin after, $7 most rows, $8 the type
-- of Patients
WITH named AS MATERIALIZED (
    SELECT DISTINCT m.target_type, m.target_id,
        CASE m.target_type WHEN 0 THEN m.pk END AS pk, CASE m.target_type WHEN 0 THEN m.path END AS path
    FROM fhir.reference m
    JOIN unnest($3::smallint[], $4::smallint[]) AS w (path, target)
        ON w.path = m.path AND (w.target IN (0, m.target_type) OR m.target_type = 0)
    WHERE m.pk = ANY ($2::bigint[]) AND m.site = $1
)
SELECT 0::smallint AS type, pk, target_id AS id, path::integer AS version
FROM named
WHERE target_type = 0
UNION ALL (
    SELECT DISTINCT r.type, r.pk, r.id, r.version
    FROM named n
    CROSS JOIN LATERAL (
        SELECT n.target_id AS id
        UNION ALL
        SELECT g.survivor FROM fhir.merged g WHERE n.target_type = $8 AND g.site = $1 AND g.source = n.target_id
    ) own
    JOIN fhir.resource r ON r.site = $1 AND r.type = n.target_type AND r.id = own.id
    WHERE n.target_type <> 0 AND NOT r.deleted AND (r.type, r.pk) > ($5::smallint, $6::bigint)
    ORDER BY r.type, r.pk
    LIMIT $7
);

-- name: referring
-- What refers to resources, along some paths, in the order of type and key. A resource may have several names; a
-- Patient has those of who was merged into it, too.
-- $1 site, $2 types that refer, $3 paths, $4 types of the targets or 0, $5 types of the resources, $6 types and $7 ids of
-- their names, $8 type and $9 key to begin after, $10 most rows, $11 the type of Patients
WITH named (type, target_type, target_id) AS (
    SELECT type, target_type, target_id
    FROM unnest($5::smallint[], $6::smallint[], $7::text[]) AS n (type, target_type, target_id)
    UNION ALL
    SELECT n.type, n.target_type, g.source
    FROM unnest($5::smallint[], $6::smallint[], $7::text[]) AS n (type, target_type, target_id)
    JOIN fhir.merged g ON g.site = $1 AND g.survivor = n.target_id AND g.source <> g.survivor
    WHERE n.target_type = $11
)
SELECT DISTINCT r.type, r.pk, r.id, r.version
FROM unnest($2::smallint[], $3::smallint[], $4::smallint[]) AS w (source, path, target)
JOIN named n ON w.target IN (0, n.type)
CROSS JOIN LATERAL (
    SELECT m.pk
    FROM fhir.reference m
    WHERE m.site = $1 AND m.path = w.path AND m.target_id = n.target_id AND m.target_type = n.target_type
        AND m.pk > CASE WHEN w.source = $8::smallint THEN $9::bigint ELSE -1 END
    ORDER BY m.pk
    LIMIT $10
) m
JOIN fhir.resource r ON r.site = $1 AND r.type = w.source AND r.pk = m.pk
WHERE w.source >= $8::smallint AND NOT r.deleted
ORDER BY r.type, r.pk
LIMIT $10;

-- name: of_ids
-- Those of some addresses where something stands, Patients also as their survivors.
-- $1 site, $2 types, $3 ids, $4 the type of Patients
SELECT DISTINCT r.type, r.pk, r.id, r.version
FROM unnest($2::smallint[], $3::text[]) AS u (type, id)
CROSS JOIN LATERAL (
    SELECT u.id
    UNION ALL
    SELECT g.survivor FROM fhir.merged g WHERE u.type = $4 AND g.site = $1 AND g.source = u.id
) own
JOIN fhir.resource r ON r.site = $1 AND r.type = u.type AND r.id = own.id
WHERE NOT r.deleted;

-- name: of_urls
-- The resources of some canonical addresses, of any version when none is named.
-- $1 site, $2 types, $3 paths of their urls, $4 paths of their versions, $5 urls, $6 versions or empty
SELECT DISTINCT r.type, r.pk, r.id, r.version
FROM unnest($2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::text[]) AS u (type, path, told, url, version)
JOIN fhir.token t ON t.site = $1 AND t.path = u.path AND t.code = u.url
JOIN fhir.resource r ON r.site = $1 AND r.type = u.type AND r.pk = t.pk
WHERE NOT r.deleted AND (u.version = '' OR EXISTS (
    SELECT FROM fhir.token v WHERE v.pk = t.pk AND v.site = $1 AND v.path = u.told AND v.code = u.version));

-- name: urls
-- The canonical addresses of some resources, with their versions, without case, or empty.
-- $1 site, $2 keys, $3 paths of urls, $4 paths of versions
SELECT t.pk, t.code AS url, coalesce(v.code, '') AS version
FROM fhir.token t
LEFT JOIN fhir.token v ON v.pk = t.pk AND v.site = $1 AND v.path = ANY ($4::smallint[])
WHERE t.site = $1 AND t.pk = ANY ($2::bigint[]) AND t.path = ANY ($3::smallint[]);

-- name: addressing
-- What leads to resources by their canonical addresses, along some paths, in the order of type and key: without a
-- version, or with theirs. An address with a version has a second row without it, which then says nothing; `}` is the
-- sign after the bar.
-- $1 site, $2 types that refer, $3 paths, $4 types of the targets or 0, $5 types of the resources, $6 addresses and $7
-- versions of these, $8 type and $9 key to begin after, $10 most rows
SELECT DISTINCT r.type, r.pk, r.id, r.version
FROM unnest($2::smallint[], $3::smallint[], $4::smallint[]) AS w (source, path, target)
JOIN unnest($5::smallint[], $6::text[], $7::text[]) AS n (type, url, version) ON w.target IN (0, n.type)
CROSS JOIN LATERAL (
    (
        SELECT m.pk
        FROM fhir.reference m
        WHERE m.site = $1 AND m.path = w.path AND m.target_id = n.url AND m.target_type = 0
            AND m.pk > CASE WHEN w.source = $8::smallint THEN $9::bigint ELSE -1 END
            AND NOT EXISTS (
                SELECT FROM fhir.reference o
                WHERE o.pk = m.pk AND o.site = $1 AND o.path = m.path AND o.target_type = 0
                    AND o.target_id >= n.url || '|' AND o.target_id < n.url || '}')
        ORDER BY m.pk
        LIMIT $10
    )
    UNION ALL
    (
        SELECT m.pk
        FROM fhir.reference m
        WHERE m.site = $1 AND m.path = w.path AND m.target_id >= n.url || '|' AND m.target_id < n.url || '}'
            AND m.target_type = 0 AND lower(substr(m.target_id, length(n.url) + 2)) = n.version
            AND m.pk > CASE WHEN w.source = $8::smallint THEN $9::bigint ELSE -1 END
        ORDER BY m.pk
        LIMIT $10
    )
) m
JOIN fhir.resource r ON r.site = $1 AND r.type = w.source AND r.pk = m.pk
WHERE w.source >= $8::smallint AND NOT r.deleted
ORDER BY r.type, r.pk
LIMIT $10;

-- name: present
-- The types of which a site has, or had, any resource.
-- $1 site
WITH RECURSIVE present (type) AS (
    (SELECT type FROM fhir.resource WHERE site = $1 ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT r.type FROM fhir.resource r WHERE r.site = $1 AND r.type > p.type ORDER BY r.type LIMIT 1)
    FROM present p
    WHERE p.type IS NOT NULL
)
SELECT type FROM present WHERE type IS NOT NULL;

-- name: bodies
-- Versions of resources, in no order.
-- $1 keys, $2 versions
SELECT v.pk, v.body
FROM unnest($1::bigint[], $2::integer[]) AS u (pk, version)
JOIN fhir.version v ON v.pk = u.pk AND v.version = u.version;

-- name: keys
-- Those of some keys that are resources of a type.
-- $1 site, $2 type, $3 keys
SELECT r.pk, r.id FROM fhir.resource r WHERE r.site = $1 AND r.type = $2 AND r.pk = ANY ($3::bigint[]) AND NOT r.deleted;

-- name: beside
-- Some resources as they stand, with their bodies as long as these are no more than so many bytes together.
-- $1 site, $2 types, $3 keys, $4 most bytes
SELECT r.type, r.pk, r.id,
    CASE WHEN sum(octet_length(v.body)) OVER (ORDER BY r.type, r.pk) <= $4::bigint THEN v.body END AS body
FROM (SELECT DISTINCT type, pk FROM unnest($2::smallint[], $3::bigint[]) AS u (type, pk)) u
JOIN fhir.resource r ON r.site = $1 AND r.type = u.type AND r.pk = u.pk
JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version
WHERE NOT r.deleted
ORDER BY r.type, r.pk;
