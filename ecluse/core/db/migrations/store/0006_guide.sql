-- Implementation guides: what profiles, value sets and code systems the installed packages define.
CREATE SCHEMA IF NOT EXISTS guide;

-- One installed FHIR package.
CREATE TABLE guide.package (
    pk integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    installed_at timestamptz NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    title text NOT NULL,
    canonical text COLLATE "C" NOT NULL,
    dependencies jsonb NOT NULL,
    UNIQUE (name, version)
);

-- One definition of a package, as it stands there. `describes`: the type that a StructureDefinition is for.
CREATE TABLE guide.definition (
    pk integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package integer NOT NULL,
    type smallint NOT NULL,
    url text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    describes text COLLATE "C" NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX definition_url ON guide.definition (url, version);
CREATE INDEX definition_package ON guide.definition (package, type);

-- Counts installations and removals: a server process that knows another number reads the index anew. Its row is the
-- lock of whoever installs.
CREATE TABLE guide.state (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL DEFAULT 0
);
INSERT INTO guide.state DEFAULT VALUES;
