-- The sink area as it stands: the sum of migrations/sink, held equal by a test.
CREATE SCHEMA IF NOT EXISTS bus;

-- Where a consumer goes on, stored by the transaction that stores its rows. Whoever takes a partition over raises the generation;
-- a writer of an older generation finds no row to update and gives up.
CREATE TABLE bus.consumer_offset (
    next_offset bigint NOT NULL,
    generation bigint NOT NULL,
    epoch integer NOT NULL,
    partition integer NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    updated timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

-- The epoch a consumer has reached, and how far it has walked through the store when it had to start from a snapshot.
CREATE TABLE bus.consumer (
    consumer text COLLATE "C" PRIMARY KEY,
    epoch integer NOT NULL,
    walking boolean NOT NULL DEFAULT false,
    walk_site smallint NOT NULL DEFAULT 0,
    walk_type smallint NOT NULL DEFAULT 0,
    walk_pk bigint NOT NULL DEFAULT 0,
    updated timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- What became of each resource in each consumer: version guard, tombstone and books. Rows of deleted resources stay.
CREATE TABLE bus.ledger (
    person bigint,
    epoch integer NOT NULL,
    version integer NOT NULL,
    deleted boolean NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    site text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('mapped', 'excluded', 'withheld', 'waiting', 'removed', 'dead')),
    reason text NOT NULL,
    patient text COLLATE "C",
    PRIMARY KEY (consumer, site, type, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- Records that a consumer could not take, as pointers: the content is read again from the store, so erasing it there is enough.
CREATE TABLE bus.dead_letter (
    position bigint NOT NULL,
    person bigint,
    epoch integer NOT NULL,
    version integer NOT NULL,
    partition integer NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    replay boolean NOT NULL DEFAULT false,
    consumer text COLLATE "C" NOT NULL,
    site text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    patient text COLLATE "C",
    op text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    event_time timestamptz NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, site, type, id)
);
CREATE INDEX dead_letter_replay ON bus.dead_letter (consumer) WHERE replay;

-- How long requests and the stages of events took, in buckets that every process of an installation adds to.
CREATE TABLE bus.duration (
    upper_s double precision NOT NULL,
    total_s double precision NOT NULL,
    found bigint NOT NULL,
    measure text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    detail text COLLATE "C" NOT NULL,
    PRIMARY KEY (measure, subject, detail, upper_s)
) WITH (fillfactor = 50);
