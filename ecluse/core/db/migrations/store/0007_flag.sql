-- What was stored although it did not pass: one issue of the current version of a resource. `path` is the expression
-- without indexes, by which issues are counted.
CREATE TABLE fhir.flag (
    pk bigint NOT NULL,
    flagged_at timestamptz NOT NULL,
    version integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    position smallint NOT NULL,
    severity text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    profile text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    expression text COLLATE "C" NOT NULL,
    text text NOT NULL,
    diagnostics text NOT NULL,
    sender text COLLATE "C" NOT NULL,
    PRIMARY KEY (pk, position)
);
CREATE INDEX flag_profile ON fhir.flag (site, profile, type);
