-- name: live_generation
-- Which index the books of the live consumer describe.
SELECT generation FROM search.generation

-- name: own_generation
-- Which index the books of the copy describe.
SELECT generation FROM search_shadow.generation

-- name: exchange
-- The books of the live consumer describe the copy's index from now on.
UPDATE search.generation l SET generation = s.generation, opstamp = s.opstamp, epoch = s.epoch FROM search_shadow.generation s
