-- Search rows of all of R4's parameters. What stands is filled by a comparison with the bodies, which a server begins by itself.
DROP INDEX IF EXISTS fhir.token_pk, fhir.reference_pk, fhir.string_pk;
ALTER TABLE fhir.token ADD COLUMN item smallint NOT NULL DEFAULT 0;
ALTER TABLE fhir.reference ADD COLUMN item smallint NOT NULL DEFAULT 0;
ALTER TABLE fhir.date ADD COLUMN item smallint NOT NULL DEFAULT 0;
CREATE INDEX token_pk ON fhir.token (pk);
CREATE INDEX reference_pk ON fhir.reference (pk);
CREATE INDEX string_pk ON fhir.string (pk);

-- Numbers, quantities and ranges. unit: what the canonical bounds are in, 0 for none; code and text: the unit as it was
-- written, by its key.
CREATE TABLE fhir.quantity (
    pk bigint NOT NULL,
    unit bigint NOT NULL,
    code bigint NOT NULL,
    text bigint NOT NULL,
    site smallint NOT NULL,
    path smallint NOT NULL,
    item smallint NOT NULL DEFAULT 0,
    low numeric NOT NULL,
    high numeric NOT NULL,
    canonical_low numeric NOT NULL,
    canonical_high numeric NOT NULL
);
CREATE INDEX quantity_low ON fhir.quantity (site, path, low, high, pk);
CREATE INDEX quantity_canonical ON fhir.quantity (site, path, unit, canonical_low, canonical_high, pk) WHERE unit <> 0;
CREATE INDEX quantity_pk ON fhir.quantity (pk);

-- Which releases' rows stand: a server whose own generation is higher compares all rows with the bodies once.
CREATE TABLE fhir.search_rows (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation integer NOT NULL DEFAULT 0
);
INSERT INTO fhir.search_rows DEFAULT VALUES;
