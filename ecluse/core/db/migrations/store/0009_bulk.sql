-- Bulk exports and imports: jobs that any server process can take up, and answer for.

-- One job. attempt: how often it was taken up; whoever holds another number may no longer write about it.
CREATE TABLE fhir.job (
    job text COLLATE "C" PRIMARY KEY,
    site smallint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'waiting',
    request bytea NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    attempt integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    progress text NOT NULL DEFAULT '',
    expires timestamptz,
    result bytea
) WITH (fillfactor = 50);
CREATE INDEX job_open ON fhir.job (created) WHERE state IN ('waiting', 'running');

-- One file of an import, and how far it is read; moved on by the transaction that writes what was read.
CREATE TABLE fhir.job_input (
    job text COLLATE "C" NOT NULL REFERENCES fhir.job ON DELETE CASCADE,
    position integer NOT NULL,
    type text NOT NULL,
    url text NOT NULL,
    read_bytes bigint NOT NULL DEFAULT 0,
    lines bigint NOT NULL DEFAULT 0,
    written bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    ended boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job, position)
) WITH (fillfactor = 50);

-- A line that was not taken, and why: an OperationOutcome.
CREATE TABLE fhir.job_refusal (
    job text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    line bigint NOT NULL,
    outcome bytea NOT NULL,
    PRIMARY KEY (job, position, line),
    FOREIGN KEY (job, position) REFERENCES fhir.job_input ON DELETE CASCADE
);
