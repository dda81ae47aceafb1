-- name: lacking
-- How many events up to a number a reader of the outbox has not read.
-- $1 type numbers  $2 next live number  $3 next bulk number  $4 up to this number
SELECT count(*) FROM bus.outbox
WHERE seq >= least($2::bigint, $3::bigint) AND seq <= $4 AND type = ANY ($1::smallint[])
  AND seq >= CASE WHEN lane = 0 THEN $2 ELSE $3 END

-- name: walking
-- Whether the consumer still walks through a snapshot.
-- $1 consumer
SELECT coalesce(bool_or(walking), false) FROM bus.consumer WHERE consumer = $1
