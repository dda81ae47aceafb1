-- A reader that can begin anew from the store is left behind when the outbox is over its budget, and told so.
ALTER TABLE bus.cursor ADD COLUMN renewable boolean NOT NULL DEFAULT false;
ALTER TABLE bus.cursor ADD COLUMN lost boolean NOT NULL DEFAULT false;
