-- Research projects: their sealed feeds, and what the hub has to know in order to go on with them.
CREATE SCHEMA IF NOT EXISTS hub;

-- What may not change once a feed has begun: another master key or another range of shifts would break every link in it.
CREATE TABLE hub.project (
    last_seq bigint NOT NULL DEFAULT 0,
    published_seq bigint NOT NULL DEFAULT 0,
    shift_low integer NOT NULL,
    shift_high integer NOT NULL,
    project text COLLATE "C" PRIMARY KEY,
    key_check text NOT NULL
) WITH (fillfactor = 50);

-- What leaves: records that the recipient alone can open, under keyed hashes. No column tells whom or what a record is about.
CREATE TABLE hub.feed (
    seq bigint NOT NULL,
    "time" timestamptz NOT NULL DEFAULT now(),
    epoch integer NOT NULL,
    version integer NOT NULL,
    project text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (project, seq)
);
-- Ciphertext does not get smaller.
ALTER TABLE hub.feed ALTER COLUMN record SET STORAGE EXTERNAL;
CREATE INDEX feed_key ON hub.feed (project, key);

-- What the recipient was last told under each key, as a keyed digest.
CREATE TABLE hub.state (
    epoch integer NOT NULL,
    version integer NOT NULL,
    project text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    op text COLLATE "C" NOT NULL CHECK (op IN ('recorded', 'deleted', 'withdrawn')),
    digest text NOT NULL,
    PRIMARY KEY (project, key)
) WITH (fillfactor = 80);

-- Whose record a key is, apart from the feed: so that one person can be found, withdrawn or erased. Never exported.
CREATE TABLE hub.subject (
    person bigint NOT NULL,
    project text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    site text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    PRIMARY KEY (project, key)
) WITH (fillfactor = 80);
CREATE INDEX subject_patient ON hub.subject (site, patient);
CREATE INDEX subject_person ON hub.subject (person);
