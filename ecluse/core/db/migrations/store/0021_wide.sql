-- Ranges that end beyond a number may begin anywhere before it; these have to be looked for by their end.
CREATE INDEX quantity_wide ON fhir.quantity (site, path, high, low, pk) WHERE high <> low;
CREATE INDEX quantity_canonical_wide ON fhir.quantity (site, path, unit, canonical_high, canonical_low, pk)
    WHERE canonical_high <> canonical_low AND unit <> 0;
