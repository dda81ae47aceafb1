-- Which Patient a merged one is now: what refers to the source belongs to the survivor. A merge that was undone stays, with
-- itself as survivor. Numbers tell consumers which of two came later; `told` is false until all that moved is on the bus.
CREATE SEQUENCE fhir.merge_number AS bigint;
CREATE TABLE fhir.merged (
    number bigint NOT NULL,
    merged_at timestamptz NOT NULL,
    source_version integer NOT NULL,
    target_version integer NOT NULL,
    site smallint NOT NULL,
    told boolean NOT NULL,
    source text COLLATE "C" NOT NULL,
    target text COLLATE "C",
    survivor text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, source)
);
CREATE INDEX merged_survivor ON fhir.merged (site, survivor);
CREATE INDEX merged_untold ON fhir.merged (site) WHERE NOT told;
-- Why an event is sent again: merged, unmerged.
ALTER TABLE bus.outbox ADD COLUMN reason text COLLATE "C";
