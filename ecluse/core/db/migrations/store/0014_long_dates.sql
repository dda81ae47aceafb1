-- Intervals longer than a week, by their end. Whatever ends after an instant and is shorter begins at most a week before it,
-- so that a search for what is or was after an instant needs not read all that began before.
CREATE INDEX date_long ON fhir.date (site, path, high, low, pk)
    WHERE CASE WHEN isfinite(low) AND isfinite(high) THEN high - low > make_interval(days => 7) ELSE true END;
