-- name: add
-- Adds rows of one kind. The braces are filled by search_rows.py, once, from its table of columns.
-- {site} the site, {arrays} keys of resources and a column each
INSERT INTO fhir.{table} (site, {columns})
SELECT {site}::smallint, {columns} FROM unnest({arrays}) AS given ({columns});

-- name: drop
-- Drops rows of one kind.
-- {site} the site, {arrays} keys of resources and a column each
DELETE FROM fhir.{table} t USING unnest({arrays}) AS gone ({columns}) WHERE t.site = {site} AND {same};

-- name: drop_all
-- What a WITH holds to drop all rows of one kind.
-- $1 keys of resources
DELETE FROM fhir.{table} WHERE pk = ANY ($1::bigint[]);

-- name: held
-- The rows of one kind.
-- $1 keys of resources
SELECT {columns} FROM fhir.{table} WHERE pk = ANY ($1::bigint[]);
