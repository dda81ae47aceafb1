-- Identities: persons behind patients, and what was decided for them.
CREATE SCHEMA IF NOT EXISTS identity;

CREATE SEQUENCE identity.person_number AS bigint;

-- Which person a patient of a site is. One to one until matching exists; what ended stays, with its end.
CREATE TABLE identity.person_patient (
    person bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    until timestamptz,
    site text COLLATE "C" NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    reason text NOT NULL
);
CREATE UNIQUE INDEX person_patient_current ON identity.person_patient (site, patient_id) WHERE until IS NULL;
CREATE INDEX person_patient_person ON identity.person_patient (person);

-- What the gate answers for a person; NULL stands for any. Without a row everything is delivered.
CREATE TABLE identity.decision (
    person bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    until timestamptz,
    site text COLLATE "C",
    consumer text COLLATE "C",
    purpose text COLLATE "C",
    decision text COLLATE "C" NOT NULL CHECK (decision IN ('deliver', 'withhold', 'withdraw')),
    reason text NOT NULL
);
CREATE INDEX decision_current ON identity.decision (person) WHERE until IS NULL;

-- Raised by whoever changes who is who, so that no process keeps an older answer in memory.
CREATE TABLE identity.generation (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL
);
INSERT INTO identity.generation (generation) VALUES (1);
