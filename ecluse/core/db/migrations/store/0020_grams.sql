-- The three letters side by side in a text, after the number of its site and path: what `:contains` looks for. Letters
-- of one path are apart from those of others, since an index of arrays has no other columns.
CREATE FUNCTION fhir.grams(site smallint, path smallint, folded text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
DECLARE
    found text[] := '{}';
    place text := site || '/' || path || '/';
BEGIN
    FOR letter IN 1 .. length(folded) - 2 LOOP
        found := found || (place || substr(folded, letter, 3));
    END LOOP;
    RETURN found;
END $$;

-- Rows of `:text` have no exact text. What is written waits in a list that each such search reads, and so must stay
-- short.
CREATE INDEX string_grams ON fhir.string USING gin ((fhir.grams(site, path, folded) COLLATE "C"))
    WITH (gin_pending_list_limit = 1024) WHERE length(exact) > 0;
