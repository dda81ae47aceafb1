-- Who a merged patient is now, and the number of the merge that said so; an older number changes nothing.
ALTER TABLE identity.person_patient ADD COLUMN survivor text COLLATE "C";
ALTER TABLE identity.person_patient ADD COLUMN merge bigint NOT NULL DEFAULT 0;
CREATE INDEX person_patient_of ON identity.person_patient (site, patient_id);
