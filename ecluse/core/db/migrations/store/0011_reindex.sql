-- One request to compare the search rows of all resources of some types with what their bodies say, and how far it is.
CREATE TABLE fhir.reindex (
    requested_at timestamptz NOT NULL,
    finished_at timestamptz,
    place_pk bigint NOT NULL DEFAULT -1,
    total bigint NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    site smallint NOT NULL,
    place_type smallint NOT NULL DEFAULT 0,
    cancelled boolean NOT NULL DEFAULT false,
    id text COLLATE "C" PRIMARY KEY,
    types smallint[] NOT NULL
);
