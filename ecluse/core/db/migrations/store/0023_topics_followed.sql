-- Criteria of a topic in FHIRPath may fail on a resource. undecided: events of which could not be told whether the
-- Subscription is about them; undecided_why: the reason of the last.
ALTER TABLE fhir.subscription
    ADD undecided bigint NOT NULL DEFAULT 0,
    ADD undecided_why text NOT NULL DEFAULT '';

-- What a topic wants sent beside the resource that an event is about, as keys: [[type, key], ...]. The content is read from the
-- store when it is sent.
ALTER TABLE fhir.notification ADD beside jsonb NOT NULL DEFAULT '[]';
