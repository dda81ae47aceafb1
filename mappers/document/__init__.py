"""Reports as documents that a text index takes: pure functions from FHIR resources to text and a few fields."""
