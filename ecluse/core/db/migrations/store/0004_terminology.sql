-- What code systems, value sets and concept maps say: R4's own, loaded ones, and those that are stored as resources.
CREATE SCHEMA IF NOT EXISTS terminology;

-- One CodeSystem, ValueSet or ConceptMap; a code system's body is without its concepts. Site 0: for all sites. What is
-- stored as a resource is kept here as of the version named; the resource is the truth.
CREATE TABLE terminology.definition (
    pk integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_version integer,
    resource_pk bigint,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    concepts integer NOT NULL DEFAULT 0,
    site smallint NOT NULL,
    type smallint NOT NULL,
    url text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    value_set text COLLATE "C",
    source text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX definition_url ON terminology.definition (type, url, site);
CREATE INDEX definition_value_set ON terminology.definition (value_set) WHERE value_set IS NOT NULL;
CREATE UNIQUE INDEX definition_resource ON terminology.definition (resource_pk) WHERE resource_pk IS NOT NULL;

-- One concept. Positions count a system's concepts down its hierarchy; `under` has the positions of all that the concept
-- subsumes, itself included: one interval in a tree. Words are folded.
CREATE TABLE terminology.concept (
    system integer NOT NULL,
    position integer NOT NULL,
    inactive boolean NOT NULL,
    abstract boolean NOT NULL,
    code text COLLATE "C" NOT NULL,
    display text,
    definition text,
    parents integer[] NOT NULL,
    under int4multirange NOT NULL,
    designation jsonb,
    property jsonb,
    words tsvector NOT NULL,
    PRIMARY KEY (system, position)
);
CREATE UNIQUE INDEX concept_code ON terminology.concept (system, lower(code), code);
CREATE INDEX concept_words ON terminology.concept USING gin (words);
CREATE INDEX concept_property ON terminology.concept USING gin (property jsonb_path_ops);

-- Counts the loads; which edition of R4's own definitions is in.
CREATE TABLE terminology.state (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL DEFAULT 0,
    edition integer NOT NULL DEFAULT 0
);
INSERT INTO terminology.state DEFAULT VALUES;
