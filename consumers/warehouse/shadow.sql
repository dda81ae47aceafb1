-- name: period_ids
-- Gives the periods of the copy the ids of those that stand, as all other rows have theirs.
WITH known AS (
    SELECT s.observation_period_id AS drawn, l.observation_period_id AS standing
    FROM omop_shadow.observation_period s JOIN omop.observation_period l USING (person_id)
    WHERE s.observation_period_id <> l.observation_period_id
), mapped AS (
    UPDATE omop_map_shadow.id_map m SET omop_id = k.standing FROM known k
    WHERE m.omop_table = 'observation_period' AND m.omop_id = k.drawn
)
UPDATE omop_shadow.observation_period s SET observation_period_id = k.standing FROM known k
WHERE s.observation_period_id = k.drawn
