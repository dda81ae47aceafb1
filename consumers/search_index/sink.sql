-- name: generation
-- Which index the ledger describes.
SELECT generation, opstamp, epoch FROM search.generation FOR UPDATE

-- name: adopt
-- From now on the ledger describes this index.
-- $1 generation  $2 opstamp  $3 epoch
INSERT INTO search.generation (generation, opstamp, epoch) VALUES ($1, $2, $3)
ON CONFLICT (only_row) DO UPDATE SET generation = excluded.generation, opstamp = excluded.opstamp, epoch = excluded.epoch

-- name: walk_again
-- The consumer walks through the whole store before it goes on. A consumer that has not begun will read everything anyway.
-- $1 consumer
UPDATE bus.consumer SET walking = true, walk_site = 0, walk_type = 0, walk_pk = 0, updated = now() WHERE consumer = $1

-- name: described
-- Whether the ledger describes this index still, until the transaction ends.
-- $1 generation
SELECT true FROM search.generation WHERE generation = $1 FOR UPDATE

-- name: committed
-- The commit of the index that the rows of this transaction belong to.
-- $1 generation  $2 opstamp
UPDATE search.generation SET opstamp = $2 WHERE generation = $1

-- name: loosen
-- Removes documents, and returns the Binaries they referred to.
-- $1 sites  $2 types  $3 ids
WITH gone AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS g (site, type, id)),
     removed AS (DELETE FROM search.document AS d USING gone AS g WHERE d.site = g.site AND d.type = g.type AND d.id = g.id)
DELETE FROM search.link AS l USING gone AS g WHERE l.site = g.site AND l.type = g.type AND l.id = g.id
RETURNING l.site, l.binary_id

-- name: keep_documents
-- Stores documents that refer to Binaries; none of them is there.
-- $1 sites  $2 types  $3 ids  $4 patients  $5 persons  $6 contents
INSERT INTO search.document (site, type, id, patient, person, content)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[])

-- name: tie
-- Stores which documents refer to which Binaries.
-- $1 sites  $2 Binary ids  $3 types  $4 ids
INSERT INTO search.link (site, binary_id, type, id) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])

-- name: forget_binaries
-- Removes the text of Binaries.
-- $1 sites  $2 ids
DELETE FROM search.binary_text AS b USING unnest($1::text[], $2::text[]) AS g (site, id) WHERE b.site = g.site AND b.id = g.id

-- name: keep_binaries
-- Stores the text of Binaries.
-- $1 sites  $2 ids  $3 patients  $4 persons  $5 contents
INSERT INTO search.binary_text AS b (site, id, patient, person, content)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[])
ON CONFLICT (site, id) DO UPDATE SET patient = excluded.patient, person = excluded.person, content = excluded.content

-- name: referring
-- Documents that refer to one of some Binaries.
-- $1 sites  $2 Binary ids
SELECT site, type, id, patient, content FROM search.document AS d
WHERE EXISTS (SELECT FROM search.link AS l JOIN unnest($1::text[], $2::text[]) AS b (site, binary_id) USING (site, binary_id)
              WHERE l.site = d.site AND l.type = d.type AND l.id = d.id)

-- name: binaries
-- Those of some Binaries that are there, and whether a document refers to them.
-- $1 sites  $2 ids
SELECT b.site, b.id, b.content, EXISTS (SELECT FROM search.link AS l WHERE l.site = b.site AND l.binary_id = b.id) AS referred
FROM search.binary_text AS b JOIN unnest($1::text[], $2::text[]) AS u (site, id) USING (site, id)
