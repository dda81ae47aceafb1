-- Which code system a supplement adds to, with or without its version.
ALTER TABLE terminology.definition ADD COLUMN supplements text COLLATE "C";
UPDATE terminology.definition SET supplements = convert_from(body, 'UTF8')::json->>'supplements'
WHERE position('"supplements"'::bytea IN body) > 0 AND convert_from(body, 'UTF8')::json->>'content' = 'supplement';
CREATE INDEX definition_supplements ON terminology.definition (supplements) WHERE supplements IS NOT NULL;
