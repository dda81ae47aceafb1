-- Whose a resource was that is deleted: it has no search rows, and its history is still the patient's.
CREATE INDEX resource_deleted_patient ON fhir.resource (site, patient) WHERE deleted AND patient IS NOT NULL;
