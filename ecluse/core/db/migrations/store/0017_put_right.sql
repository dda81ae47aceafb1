-- The epoch in which the topics were last put right by a relay; a restore leaves them ahead of the store.
ALTER TABLE bus.relay_lease ADD COLUMN epoch integer NOT NULL DEFAULT 1;
