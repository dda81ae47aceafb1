-- Search parameters made at run time: one that a site stores as a SearchParameter (resource_pk), or that an installed
-- package defines (source; site 0: all sites). state: requested, backfilling, verifying, active, failed, removing.
-- readings: for each resource type the numbers of the paths that are read. dirty: index rows of its own paths may exist
-- although nobody keeps them; they are removed in the background.
CREATE TABLE fhir.parameter (
    pk integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_pk bigint,
    asked_at timestamptz NOT NULL,
    place_pk bigint NOT NULL DEFAULT -1,
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    site smallint NOT NULL,
    place_site smallint NOT NULL DEFAULT 0,
    place_type smallint NOT NULL DEFAULT 0,
    is_unique boolean NOT NULL,
    dirty boolean NOT NULL DEFAULT false,
    state text COLLATE "C" NOT NULL,
    reason text NOT NULL DEFAULT '',
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    url text COLLATE "C" NOT NULL,
    readings jsonb NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX parameter_resource ON fhir.parameter (resource_pk) WHERE resource_pk IS NOT NULL;

-- One path of such a parameter; its number is free again when its index rows are gone. evaluated: any FHIRPath, else a
-- list of steps.
CREATE TABLE fhir.parameter_path (
    parameter integer NOT NULL,
    number smallint PRIMARY KEY,
    type smallint NOT NULL,
    evaluated boolean NOT NULL,
    text text NOT NULL
);

-- Counts the changes of the above. A transaction that has read the number holds a lock on this table until it ends: who
-- builds a parameter waits for those that may have read the number before.
CREATE TABLE fhir.parameter_state (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO fhir.parameter_state DEFAULT VALUES;

-- Who has a value of a parameter that was declared unique: one resource of a type in a site.
CREATE TABLE fhir.claim (
    pk bigint NOT NULL,
    system bigint NOT NULL,
    parameter integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    code text COLLATE "C" NOT NULL,
    PRIMARY KEY (parameter, site, type, code, system)
);
CREATE INDEX claim_pk ON fhir.claim (pk);
