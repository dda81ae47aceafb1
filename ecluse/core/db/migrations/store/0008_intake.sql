-- What became of each request that wanted to write, refused ones too. Counts: see fhir_server/store/intake.py.
ALTER TABLE fhir.write
    ADD COLUMN method text NOT NULL DEFAULT '',
    ADD COLUMN target text NOT NULL DEFAULT '',
    ADD COLUMN status smallint NOT NULL DEFAULT 200,
    ADD COLUMN bytes integer NOT NULL DEFAULT 0,
    ADD COLUMN took_ms integer NOT NULL DEFAULT 0,
    ADD COLUMN created integer NOT NULL DEFAULT 0,
    ADD COLUMN updated integer NOT NULL DEFAULT 0,
    ADD COLUMN deleted integer NOT NULL DEFAULT 0,
    ADD COLUMN refused integer NOT NULL DEFAULT 0,
    ADD COLUMN part integer,
    ADD COLUMN nothing boolean NOT NULL DEFAULT false,
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN issues jsonb,
    ALTER COLUMN site DROP NOT NULL;
CREATE INDEX write_received ON fhir.write USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX write_nothing ON fhir.write (received_at) WHERE nothing;

-- Keys whose time is over are found by it.
CREATE INDEX answered_at ON fhir.answered (answered_at);
