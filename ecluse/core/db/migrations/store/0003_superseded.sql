-- When each version that is no longer current was made and replaced; with fhir.resource the history of a type. A create
-- writes nothing here.
CREATE TABLE fhir.superseded (
    pk bigint NOT NULL,
    updated timestamptz NOT NULL,
    until timestamptz NOT NULL,
    version integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    PRIMARY KEY (site, type, updated, pk)
);
INSERT INTO fhir.superseded (pk, updated, until, version, site, type)
SELECT v.pk, v.updated, n.updated, v.version, v.site, v.type
FROM fhir.version v
JOIN fhir.version n ON n.pk = v.pk AND n.version = v.version + 1;
