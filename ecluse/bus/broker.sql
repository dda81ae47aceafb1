-- name: partitions
-- The number of partitions of the topics made so far; NULL before the first.
SELECT max(partitions) FROM bus.topic

-- name: record
-- Topics that stand in the broker.
-- $1 names  $2 partitions
INSERT INTO bus.topic (topic, partitions) SELECT name, $2 FROM unnest($1::text[]) AS u (name) ON CONFLICT DO NOTHING
