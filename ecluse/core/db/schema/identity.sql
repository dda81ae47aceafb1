-- The identity area as it stands: the sum of migrations/identity, held equal by a test.
CREATE SCHEMA IF NOT EXISTS identity;

CREATE SEQUENCE identity.person_number AS bigint;

-- Which person a patient of a site is. One to one but for merges; what ended stays, with its end. survivor: who a merged
-- patient is now; merge: the number of the merge that said so, of which an older one changes nothing.
CREATE TABLE identity.person_patient (
    person bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    until timestamptz,
    site text COLLATE "C" NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    survivor text COLLATE "C",
    merge bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX person_patient_current ON identity.person_patient (site, patient_id) WHERE until IS NULL;
CREATE INDEX person_patient_person ON identity.person_patient (person);
CREATE INDEX person_patient_of ON identity.person_patient (site, patient_id);

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
