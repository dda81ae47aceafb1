"""The few OMOP concept ids that are written here rather than looked up: no vocabulary is shipped.

Enters: nothing. Leaves: constants and small maps; what is in none of them is concept 0, its source code kept
(f2o-032, -033).
"""

from __future__ import annotations

NONE = 0

# https://github.com/OHDSI/Vocabulary-v5.0/wiki/Vocab.-TYPE_CONCEPT: the general one unless the resource says more.
EHR = 32817
EHR_ADMINISTRATION = 32818
EHR_DISPENSING = 32825
EHR_PRESCRIPTION = 32838
PATIENT_REPORTED = 32865

GENDER = {"male": 8507, "female": 8532}

# http://terminology.hl7.org/CodeSystem/v3-ActCode; ACUTE and NONAC are kinds of inpatient encounters there.
VISIT = {
    "IMP": 9201,
    "ACUTE": 9201,
    "NONAC": 9201,
    "AMB": 9202,
    "EMER": 9203,
    "OBSENC": 262,
    "VR": 722455,
    "HH": 581476,
}
INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})
STILL_PATIENT = 32220

# http://terminology.hl7.org/CodeSystem/admit-source
ADMITTED_FROM = {
    "hosp-trans": 38004515,
    "born": 38004515,
    "emd": 8870,
    "outp": 8756,
    "gp": 8940,
    "mp": 8940,
    "nursing": 8676,
    "psych": 8971,
    "rehab": 38004254,
}
# http://terminology.hl7.org/CodeSystem/discharge-disposition
DISCHARGED_TO = {
    "home": 8536,
    "alt-home": 8536,
    "other-hcf": 33007,
    "hosp": 8546,
    "long": 38004277,
    "aadvice": 32216,
    "exp": 32218,
    "psy": 8971,
    "rehab": 32266,
    "snf": 8863,
}

# Quantity.comparator
OPERATOR = {"<": 4171756, "<=": 4171754, ">=": 4171755, ">": 4172704}

# LOINC codes of the two components of a blood pressure.
MEASUREMENT = {("http://loinc.org", "8480-6"): 3004249, ("http://loinc.org", "8462-4"): 3012888}

# SNOMED CT 716186003, no known allergy.
ALLERGY = {("http://snomed.info/sct", "716186003"): 37396387}

# Which column an event id points to: measurement.measurement_id, observation.observation_id.
EVENT_FIELD = {"measurement": 1147138, "observation": 1147165}
