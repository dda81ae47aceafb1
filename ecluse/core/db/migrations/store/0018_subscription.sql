-- Subscriptions that notify, taken from the resources as they are written, and the notifications that wait.

-- One Subscription that is not off. `condition`: its criteria as data; `headers`: what the app wants to be sent, secrets
-- among it, which stand nowhere else; `last` and `delivered`: numbers of notifications; `due_at`: when to try next.
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
    error text NOT NULL DEFAULT ''
);
CREATE INDEX subscription_type ON fhir.subscription (type, site);

-- One notification that is not delivered yet, as a pointer: the content is read from the store when it is sent, so
-- erasing it there is enough. Erased, it keeps its number and says nothing.
CREATE TABLE fhir.notification (
    subscription bigint NOT NULL,
    number bigint NOT NULL,
    made_at timestamptz NOT NULL,
    version integer NOT NULL,
    site smallint NOT NULL,
    type smallint NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (subscription, number)
);
CREATE INDEX notification_resource ON fhir.notification (site, type, id);
