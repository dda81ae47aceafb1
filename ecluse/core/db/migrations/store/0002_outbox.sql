-- The outbox side of the bus: events, epochs, cursors, topics.
CREATE SCHEMA IF NOT EXISTS bus;

-- One order of all events. Cache 1: a number is drawn when its row is inserted, never earlier.
CREATE SEQUENCE bus.outbox_seq AS bigint CACHE 1;

-- One event, as a pointer to its version; written by the statement that writes the version, dropped by the partition.
CREATE TABLE bus.outbox (
    seq bigint NOT NULL DEFAULT nextval('bus.outbox_seq'),
    pk bigint NOT NULL,
    version integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    op smallint NOT NULL,
    lane smallint NOT NULL,
    patient text COLLATE "C",
    PRIMARY KEY (seq)
) PARTITION BY RANGE (seq);
CREATE TABLE bus.outbox_0 PARTITION OF bus.outbox FOR VALUES FROM (0) TO (1048576);
CREATE TABLE bus.outbox_1 PARTITION OF bus.outbox FOR VALUES FROM (1048576) TO (2097152);
CREATE TABLE bus.outbox_2 PARTITION OF bus.outbox FOR VALUES FROM (2097152) TO (3145728);

-- The lives of this database: a restore begins a new one, in which version numbers may be given again.
CREATE TABLE bus.epoch (
    epoch integer PRIMARY KEY,
    first_seq bigint NOT NULL,
    timeline integer NOT NULL,
    system_identifier text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);

-- How far each reader of the outbox is, by lane; nothing above the lowest is dropped.
CREATE TABLE bus.cursor (
    name text COLLATE "C" NOT NULL,
    lane smallint NOT NULL,
    seq bigint NOT NULL,
    reported timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, lane)
) WITH (fillfactor = 50);

-- Which relay may advance its cursor; a generation that has passed may not.
CREATE TABLE bus.relay_lease (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The topics made so far. The number of partitions stays: a record's partition is a hash modulo this number.
CREATE TABLE bus.topic (
    topic text COLLATE "C" PRIMARY KEY,
    partitions integer NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);
