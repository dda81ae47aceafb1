-- name: state
-- Which epoch a consumer has reached and where its walk is.
-- $1 consumer
SELECT epoch, walking, walk_site, walk_type, walk_pk FROM bus.consumer WHERE consumer = $1

-- name: begin
-- A consumer that is to walk, or need not.
-- $1 consumer  $2 epoch  $3 walking
INSERT INTO bus.consumer (consumer, epoch, walking) VALUES ($1, $2, $3)
ON CONFLICT (consumer) DO UPDATE SET epoch = excluded.epoch, walking = excluded.walking,
    walk_site = 0, walk_type = 0, walk_pk = 0, updated = now()

-- name: request
-- A walk from the beginning, beside what is live; nothing where one is under way.
-- $1 consumer
UPDATE bus.consumer SET walking = true, walk_site = 0, walk_type = 0, walk_pk = 0, updated = now()
WHERE consumer = $1 AND NOT walking

-- name: walked
-- The place up to which the store was walked.
-- $1 consumer  $2 site  $3 type  $4 pk
UPDATE bus.consumer SET walk_site = $2, walk_type = $3, walk_pk = $4, updated = now() WHERE consumer = $1

-- name: finished
-- The walk is over.
-- $1 consumer
UPDATE bus.consumer SET walking = false, updated = now() WHERE consumer = $1
