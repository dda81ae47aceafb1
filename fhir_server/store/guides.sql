-- name: generation
-- How often packages were installed or removed.
SELECT generation FROM guide.state;

-- name: next_generation
-- Counts one more, and holds the right to install until the transaction ends.
UPDATE guide.state SET generation = generation + 1;

-- name: packages
-- The installed packages, with the number of their definitions and of their profiles.
SELECT p.name, p.version, p.title, p.canonical, p.dependencies, p.installed_at, count(d.pk) AS definitions,
    count(d.pk) FILTER (WHERE d.describes NOT IN ('', 'Extension')) AS profiles
FROM guide.package p
LEFT JOIN guide.definition d ON d.package = p.pk
GROUP BY p.pk
ORDER BY p.name, p.installed_at;

-- name: add_package
-- $1 name, $2 version, $3 title, $4 canonical, $5 dependencies, $6 now
INSERT INTO guide.package (name, version, title, canonical, dependencies, installed_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6)
RETURNING pk;

-- name: remove_definitions
-- $1 name, $2 version
DELETE FROM guide.definition d USING guide.package p
WHERE d.package = p.pk AND p.name = $1 AND p.version = $2;

-- name: remove_package
-- $1 name, $2 version
DELETE FROM guide.package WHERE name = $1 AND version = $2;

-- name: index
-- Where each definition is: in the order in which packages came, so that the last one stands for a url without version.
-- $1 types
SELECT d.pk, d.url, d.version, d.describes
FROM guide.definition d
WHERE d.type = ANY ($1::smallint[])
ORDER BY d.package, d.pk;

-- name: bodies
-- $1 keys
SELECT pk, body FROM guide.definition WHERE pk = ANY ($1::int[]);

-- name: profiles
-- The profiles of installed packages, with what they are for.
SELECT d.describes, d.url FROM guide.definition d WHERE d.describes NOT IN ('', 'Extension') GROUP BY d.describes, d.url ORDER BY d.url;
