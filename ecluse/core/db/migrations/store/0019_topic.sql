-- Topics that can be subscribed to, and what a Subscription to one asks for beyond one with criteria of its own.

-- One topic. site: 0 for all; pk: of the Basic that it was read from, null when an operator loaded it; definition: its
-- triggers and the parameters that it can be filtered by, as data.
CREATE TABLE fhir.topic (
    pk bigint UNIQUE,
    site smallint NOT NULL,
    url text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    title text NOT NULL,
    definition jsonb NOT NULL,
    PRIMARY KEY (site, url)
);

-- channel: how the app is told; topic: '' for criteria; then `type` is 0 and `condition` has a filter for each type that has one. content: what of a
-- resource is sent; most: events in one notification; shaken: whether the app has answered since it last subscribed;
-- told_at: when it last heard something.
ALTER TABLE fhir.subscription
    ADD channel text COLLATE "C" NOT NULL DEFAULT 'rest-hook',
    ADD topic text COLLATE "C" NOT NULL DEFAULT '',
    ADD content text COLLATE "C" NOT NULL DEFAULT '',
    ADD heartbeat_s integer NOT NULL DEFAULT 0,
    ADD timeout_s integer NOT NULL DEFAULT 20,
    ADD most integer NOT NULL DEFAULT 1,
    ADD shaken boolean NOT NULL DEFAULT false,
    ADD told_at timestamptz NOT NULL DEFAULT now();

-- A token with which a websocket is bound to Subscriptions, for a short time. token: its SHA-256; subscriptions: their keys
CREATE TABLE fhir.binding (
    token bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    subscriptions bigint[] NOT NULL
);
