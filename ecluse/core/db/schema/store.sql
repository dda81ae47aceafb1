-- The store area as it stands: the sum of migrations/store, held equal by a test.
CREATE SCHEMA IF NOT EXISTS fhir;

-- One identity domain: one authority that gives out patient numbers.
CREATE TABLE fhir.site (
    site smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    title text NOT NULL DEFAULT '',
    finess text NOT NULL DEFAULT '',
    time_zone text NOT NULL DEFAULT 'Europe/Paris',
    identifier_systems jsonb NOT NULL DEFAULT '[]'
);
INSERT INTO fhir.site (name, title) VALUES ('default', 'Default site');

-- Keys are taken in blocks, so that a process asks once for many.
CREATE SEQUENCE fhir.key_block AS bigint;

-- One request that wanted to write, and what became of it, without content. Its context is stored once and pointed to by
-- each version it made; a row to which none points says `nothing` and is removed in time.
CREATE TABLE fhir.write (
    write_id bigint PRIMARY KEY,
    received_at timestamptz NOT NULL,
    entries integer NOT NULL,
    site smallint,
    lane smallint NOT NULL,
    sender text NOT NULL,
    request_id text NOT NULL,
    source_format text NOT NULL,
    traceparent text NOT NULL,
    method text NOT NULL DEFAULT '',
    target text NOT NULL DEFAULT '',
    status smallint NOT NULL DEFAULT 200,
    bytes integer NOT NULL DEFAULT 0,
    took_ms integer NOT NULL DEFAULT 0,
    created integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    deleted integer NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    part integer,
    nothing boolean NOT NULL DEFAULT false,
    reason text NOT NULL DEFAULT '',
    issues jsonb
);
CREATE INDEX write_received ON fhir.write USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX write_nothing ON fhir.write (received_at) WHERE nothing;

-- One resource, without content. It survives erasure, so that version numbers never restart.
CREATE TABLE fhir.resource (
    pk bigint NOT NULL,
    updated timestamptz NOT NULL,
    version integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    deleted boolean NOT NULL,
    id text COLLATE "C" NOT NULL,
    patient text COLLATE "C",
    PRIMARY KEY (site, type, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX resource_pk ON fhir.resource (site, type, pk);
CREATE INDEX resource_updated ON fhir.resource (site, type, updated, pk);
-- Whose a resource was that is deleted: it has no search rows, and its history is still the patient's.
CREATE INDEX resource_deleted_patient ON fhir.resource (site, patient) WHERE deleted AND patient IS NOT NULL;

-- Every version as it is served, id and meta in it; a delete has no body. Bodies up to 8 kB stay in the row, uncompressed.
CREATE TABLE fhir.version (
    pk bigint NOT NULL,
    write_id bigint NOT NULL,
    updated timestamptz NOT NULL,
    version integer NOT NULL,
    entry integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    op smallint NOT NULL,
    patient text COLLATE "C",
    body bytea,
    PRIMARY KEY (pk, version)
) WITH (toast_tuple_target = 8160);

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

-- Which Patient a merged one is now: what refers to the source belongs to the survivor. A merge that was undone stays, with
-- itself as survivor. Numbers tell consumers which of two came later; `told` is false until all that moved is on the bus.
CREATE SEQUENCE fhir.merge_number AS bigint;
CREATE TABLE fhir.merged (
    number bigint NOT NULL,
    merged_at timestamptz NOT NULL,
    source_version integer NOT NULL,
    target_version integer NOT NULL,
    site smallint NOT NULL,
    told boolean NOT NULL,
    source text COLLATE "C" NOT NULL,
    target text COLLATE "C",
    survivor text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, source)
);
CREATE INDEX merged_survivor ON fhir.merged (site, survivor);
CREATE INDEX merged_untold ON fhir.merged (site) WHERE NOT told;

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

-- What searches read. A row is keyed by the element path it was taken from; parameters that share a path share rows.
-- The resource key ends each index on values, so that a walk through equal values comes in the order of the resources; an
-- index on the key alone serves probes for one resource. item: which of the repeated elements that a composite parameter
-- reads the row was taken from, from 1; 0 elsewhere; below 0 of some identifiers.
CREATE TABLE fhir.token (
    pk bigint NOT NULL,
    system bigint NOT NULL,
    site smallint NOT NULL,
    path smallint NOT NULL,
    code text COLLATE "C" NOT NULL,
    item smallint NOT NULL DEFAULT 0
);
CREATE INDEX token_code ON fhir.token (site, path, code, pk, system);
CREATE INDEX token_pk ON fhir.token (pk);

CREATE TABLE fhir.reference (
    pk bigint NOT NULL,
    site smallint NOT NULL,
    path smallint NOT NULL,
    target_type smallint NOT NULL,
    target_id text COLLATE "C" NOT NULL,
    item smallint NOT NULL DEFAULT 0
);
CREATE INDEX reference_target ON fhir.reference (site, path, target_id, target_type, pk);
CREATE INDEX reference_pk ON fhir.reference (pk);

CREATE TABLE fhir.string (
    pk bigint NOT NULL,
    site smallint NOT NULL,
    path smallint NOT NULL,
    folded text COLLATE "C" NOT NULL,
    exact text COLLATE "C" NOT NULL
);
CREATE INDEX string_folded ON fhir.string (site, path, folded, pk);
CREATE INDEX string_pk ON fhir.string (pk);

-- The three letters side by side in a text, after the number of its site and path: what `:contains` looks for. Letters
-- of one path are apart from those of others, since an index of arrays has no other columns.
CREATE FUNCTION fhir.grams(site smallint, path smallint, folded text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
DECLARE
    found text[] := '{}';
    place text := site || '/' || path || '/';
BEGIN
    FOR letter IN 1 .. length(folded) - 2 LOOP
        found := found || (place || substr(folded, letter, 3));
    END LOOP;
    RETURN found;
END $$;

-- Rows of `:text` have no exact text. What is written waits in a list that each such search reads, and so must stay
-- short.
CREATE INDEX string_grams ON fhir.string USING gin ((fhir.grams(site, path, folded) COLLATE "C"))
    WITH (gin_pending_list_limit = 1024) WHERE length(exact) > 0;

CREATE TABLE fhir.date (
    pk bigint NOT NULL,
    low timestamptz NOT NULL,
    high timestamptz NOT NULL,
    site smallint NOT NULL,
    path smallint NOT NULL,
    item smallint NOT NULL DEFAULT 0
);
CREATE INDEX date_low ON fhir.date (site, path, low, high, pk);
CREATE INDEX date_pk ON fhir.date (pk);
-- Short intervals that end after an instant begin not long before it; these have to be looked for by their end.
CREATE INDEX date_long ON fhir.date (site, path, high, low, pk)
    WHERE CASE WHEN isfinite(low) AND isfinite(high) THEN high - low > make_interval(days => 7) ELSE true END;

-- Numbers, quantities and ranges. unit: what the canonical bounds are in, 0 for none; code and text: the unit as it was
-- written, by its key.
CREATE TABLE fhir.quantity (
    pk bigint NOT NULL,
    unit bigint NOT NULL,
    code bigint NOT NULL,
    text bigint NOT NULL,
    site smallint NOT NULL,
    path smallint NOT NULL,
    item smallint NOT NULL DEFAULT 0,
    low numeric NOT NULL,
    high numeric NOT NULL,
    canonical_low numeric NOT NULL,
    canonical_high numeric NOT NULL
);
CREATE INDEX quantity_low ON fhir.quantity (site, path, low, high, pk);
CREATE INDEX quantity_canonical ON fhir.quantity (site, path, unit, canonical_low, canonical_high, pk) WHERE unit <> 0;
CREATE INDEX quantity_pk ON fhir.quantity (pk);
-- Ranges that end beyond a number may begin anywhere before it; these have to be looked for by their end.
CREATE INDEX quantity_wide ON fhir.quantity (site, path, high, low, pk) WHERE high <> low;
CREATE INDEX quantity_canonical_wide ON fhir.quantity (site, path, unit, canonical_high, canonical_low, pk)
    WHERE canonical_high <> canonical_low AND unit <> 0;

-- Which releases' rows stand: a server whose own generation is higher compares all rows with the bodies once.
CREATE TABLE fhir.search_rows (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation integer NOT NULL DEFAULT 0
);
INSERT INTO fhir.search_rows DEFAULT VALUES;

-- Search parameters made at run time: one that a site stores as a SearchParameter (resource_pk), or that an installed
-- package defines (source; site 0: all sites). state: requested, backfilling, verifying, active, failed, removing.
-- readings: for each resource type the numbers of the paths that are read. dirty: index rows of its own paths may exist
-- although nobody keeps them; they are removed in the background.
CREATE TABLE fhir.parameter (
    pk integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_pk bigint,
    asked_at timestamptz NOT NULL,
    place_pk bigint NOT NULL DEFAULT -1,
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    site smallint NOT NULL,
    place_site smallint NOT NULL DEFAULT 0,
    place_type smallint NOT NULL DEFAULT 0,
    is_unique boolean NOT NULL,
    dirty boolean NOT NULL DEFAULT false,
    state text COLLATE "C" NOT NULL,
    reason text NOT NULL DEFAULT '',
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    url text COLLATE "C" NOT NULL,
    readings jsonb NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX parameter_resource ON fhir.parameter (resource_pk) WHERE resource_pk IS NOT NULL;

-- One path of such a parameter; its number is free again when its index rows are gone. evaluated: any FHIRPath, else a
-- list of steps.
CREATE TABLE fhir.parameter_path (
    parameter integer NOT NULL,
    number smallint PRIMARY KEY,
    type smallint NOT NULL,
    evaluated boolean NOT NULL,
    text text NOT NULL
);

-- Counts the changes of the above. A transaction that has read the number holds a lock on this table until it ends: who
-- builds a parameter waits for those that may have read the number before.
CREATE TABLE fhir.parameter_state (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO fhir.parameter_state DEFAULT VALUES;

-- Who has a value of a parameter that was declared unique: one resource of a type in a site.
CREATE TABLE fhir.claim (
    pk bigint NOT NULL,
    system bigint NOT NULL,
    parameter integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    code text COLLATE "C" NOT NULL,
    PRIMARY KEY (parameter, site, type, code, system)
);
CREATE INDEX claim_pk ON fhir.claim (pk);

-- First answers to requests that carried an Idempotency-Key, written in the write's own transaction.
CREATE TABLE fhir.answered (
    site smallint NOT NULL,
    sender text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body_hash bytea NOT NULL,
    answered_at timestamptz NOT NULL,
    answer bytea,
    PRIMARY KEY (site, sender, key)
);
CREATE INDEX answered_at ON fhir.answered (answered_at);

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

-- The bus, outbox side: what was written and still has to travel.
CREATE SCHEMA IF NOT EXISTS bus;

-- One order of all events. Cache 1: a number is drawn when its row is inserted, never earlier.
CREATE SEQUENCE bus.outbox_seq AS bigint CACHE 1;

-- One event, as a pointer to its version; written by the statement that writes the version, dropped by the partition.
-- reason: why it is sent again (merged, unmerged), NULL for a first sending.
CREATE TABLE bus.outbox (
    seq bigint NOT NULL DEFAULT nextval('bus.outbox_seq'),
    pk bigint NOT NULL,
    version integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    op smallint NOT NULL,
    lane smallint NOT NULL,
    patient text COLLATE "C",
    reason text COLLATE "C",
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

-- How far each reader of the outbox is, by lane; nothing above the lowest is dropped. renewable: it can begin anew from
-- the store; lost: it was left behind, since the outbox was over its budget.
CREATE TABLE bus.cursor (
    name text COLLATE "C" NOT NULL,
    lane smallint NOT NULL,
    seq bigint NOT NULL,
    reported timestamptz NOT NULL DEFAULT now(),
    renewable boolean NOT NULL DEFAULT false,
    lost boolean NOT NULL DEFAULT false,
    PRIMARY KEY (name, lane)
) WITH (fillfactor = 50);

-- Which relay may advance its cursor; a generation that has passed may not. Epoch: the one in which the topics were last put
-- right; a restore leaves them ahead of the store.
CREATE TABLE bus.relay_lease (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL,
    until timestamptz NOT NULL,
    epoch integer NOT NULL DEFAULT 1
) WITH (fillfactor = 50);

-- The topics made so far. The number of partitions stays: a record's partition is a hash modulo this number.
CREATE TABLE bus.topic (
    topic text COLLATE "C" PRIMARY KEY,
    partitions integer NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);

-- What code systems, value sets and concept maps say: R4's own, loaded ones, and those that are stored as resources.
CREATE SCHEMA IF NOT EXISTS terminology;

-- One CodeSystem, ValueSet or ConceptMap; a code system's body is without its concepts. Site 0: for all sites. What is
-- stored as a resource is kept here as of the version named; the resource is the truth.
CREATE TABLE terminology.definition (
    pk integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_version integer,
    resource_pk bigint,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    concepts integer NOT NULL DEFAULT 0,
    site smallint NOT NULL,
    type smallint NOT NULL,
    url text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    value_set text COLLATE "C",
    source text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    body bytea NOT NULL,
    supplements text COLLATE "C"
);
CREATE INDEX definition_url ON terminology.definition (type, url, site);
CREATE INDEX definition_supplements ON terminology.definition (supplements) WHERE supplements IS NOT NULL;
CREATE INDEX definition_value_set ON terminology.definition (value_set) WHERE value_set IS NOT NULL;
CREATE UNIQUE INDEX definition_resource ON terminology.definition (resource_pk) WHERE resource_pk IS NOT NULL;

-- One concept. Positions count a system's concepts down its hierarchy; `under` has the positions of all that the concept
-- subsumes, itself included: one interval in a tree. Words are folded.
CREATE TABLE terminology.concept (
    system integer NOT NULL,
    position integer NOT NULL,
    inactive boolean NOT NULL,
    abstract boolean NOT NULL,
    code text COLLATE "C" NOT NULL,
    display text,
    definition text,
    parents integer[] NOT NULL,
    under int4multirange NOT NULL,
    designation jsonb,
    property jsonb,
    words tsvector NOT NULL,
    PRIMARY KEY (system, position)
);
CREATE UNIQUE INDEX concept_code ON terminology.concept (system, lower(code), code);
CREATE INDEX concept_words ON terminology.concept USING gin (words);
CREATE INDEX concept_property ON terminology.concept USING gin (property jsonb_path_ops);

-- Counts the loads; which edition of R4's own definitions is in.
CREATE TABLE terminology.state (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL DEFAULT 0,
    edition integer NOT NULL DEFAULT 0
);
INSERT INTO terminology.state DEFAULT VALUES;
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

-- One Subscription that is not off. `condition`: its criteria as data; `headers`: what the app wants to be sent, secrets
-- among it, which stand nowhere else; `last` and `delivered`: numbers of notifications; `due_at`: when to try next.
-- `channel`: how the app is told; `topic`: '' for criteria; then `type` is 0 and `condition` has a filter for each type that
-- has one. `content`: what of a resource is sent; `most`: events in one notification; `shaken`: whether the app has answered
-- since it last subscribed; `told_at`: when it last heard something.
CREATE TABLE fhir.subscription (
    pk bigint PRIMARY KEY,
    since timestamptz NOT NULL,
    ends_at timestamptz,
    due_at timestamptz NOT NULL,
    last bigint NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    site smallint NOT NULL,
    type smallint NOT NULL,
    id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'requested',
    endpoint text COLLATE "C" NOT NULL,
    payload text COLLATE "C" NOT NULL,
    headers jsonb NOT NULL,
    condition jsonb NOT NULL,
    error text NOT NULL DEFAULT '',
    channel text COLLATE "C" NOT NULL DEFAULT 'rest-hook',
    topic text COLLATE "C" NOT NULL DEFAULT '',
    content text COLLATE "C" NOT NULL DEFAULT '',
    heartbeat_s integer NOT NULL DEFAULT 0,
    timeout_s integer NOT NULL DEFAULT 20,
    most integer NOT NULL DEFAULT 1,
    shaken boolean NOT NULL DEFAULT false,
    told_at timestamptz NOT NULL DEFAULT now(),
    undecided bigint NOT NULL DEFAULT 0,
    undecided_why text NOT NULL DEFAULT ''
);
CREATE INDEX subscription_type ON fhir.subscription (type, site);

-- One notification, kept for a while when it is delivered, as a pointer: the content is read from the store when it is sent, so
-- erasing it there is enough. Erased, it keeps its number and says nothing.
CREATE TABLE fhir.notification (
    subscription bigint NOT NULL,
    number bigint NOT NULL,
    made_at timestamptz NOT NULL,
    version integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    id text COLLATE "C" NOT NULL,
    beside jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (subscription, number)
);
CREATE INDEX notification_resource ON fhir.notification (site, type, id);

-- One topic that can be subscribed to. site: 0 for all; pk: of the Basic that it was read from, null when an operator
-- loaded it; definition: its triggers and the parameters that it can be filtered by, as data.
CREATE TABLE fhir.topic (
    pk bigint UNIQUE,
    site smallint NOT NULL,
    url text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    title text NOT NULL,
    definition jsonb NOT NULL,
    PRIMARY KEY (site, url)
);

-- A token with which a websocket is bound to Subscriptions, for a short time. token: its SHA-256; subscriptions: their keys
CREATE TABLE fhir.binding (
    token bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    subscriptions bigint[] NOT NULL
);
