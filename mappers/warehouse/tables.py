"""The tables of OMOP CDM 5.4, declared as data: what a row may hold and how it hangs on others.

Enters: nothing. Leaves: `TABLES`, each table with its columns in order, and which of them are filled from references.
The declaration is derived from OMOP_CDMv5.4_Field_Level.csv of OHDSI/CommonDataModel (Apache-2.0); a test compares
them. Legend: `column:type`, i integer, d date, t datetime, f float, s text, s50 varchar(50); `!` is NOT NULL.
Spec: https://ohdsi.github.io/CommonDataModel/cdm54.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

_CDM_54 = """
person = person_id:i! gender_concept_id:i! year_of_birth:i! month_of_birth:i day_of_birth:i birth_datetime:t
    race_concept_id:i! ethnicity_concept_id:i! location_id:i provider_id:i care_site_id:i person_source_value:s50
    gender_source_value:s50 gender_source_concept_id:i race_source_value:s50 race_source_concept_id:i
    ethnicity_source_value:s50 ethnicity_source_concept_id:i
observation_period = observation_period_id:i! person_id:i! observation_period_start_date:d!
    observation_period_end_date:d! period_type_concept_id:i!
visit_occurrence = visit_occurrence_id:i! person_id:i! visit_concept_id:i! visit_start_date:d! visit_start_datetime:t
    visit_end_date:d! visit_end_datetime:t visit_type_concept_id:i! provider_id:i care_site_id:i
    visit_source_value:s50 visit_source_concept_id:i admitted_from_concept_id:i admitted_from_source_value:s50
    discharged_to_concept_id:i discharged_to_source_value:s50 preceding_visit_occurrence_id:i
visit_detail = visit_detail_id:i! person_id:i! visit_detail_concept_id:i! visit_detail_start_date:d!
    visit_detail_start_datetime:t visit_detail_end_date:d! visit_detail_end_datetime:t visit_detail_type_concept_id:i!
    provider_id:i care_site_id:i visit_detail_source_value:s50 visit_detail_source_concept_id:i
    admitted_from_concept_id:i admitted_from_source_value:s50 discharged_to_source_value:s50
    discharged_to_concept_id:i preceding_visit_detail_id:i parent_visit_detail_id:i visit_occurrence_id:i!
condition_occurrence = condition_occurrence_id:i! person_id:i! condition_concept_id:i! condition_start_date:d!
    condition_start_datetime:t condition_end_date:d condition_end_datetime:t condition_type_concept_id:i!
    condition_status_concept_id:i stop_reason:s20 provider_id:i visit_occurrence_id:i visit_detail_id:i
    condition_source_value:s50 condition_source_concept_id:i condition_status_source_value:s50
drug_exposure = drug_exposure_id:i! person_id:i! drug_concept_id:i! drug_exposure_start_date:d!
    drug_exposure_start_datetime:t drug_exposure_end_date:d! drug_exposure_end_datetime:t verbatim_end_date:d
    drug_type_concept_id:i! stop_reason:s20 refills:i quantity:f days_supply:i sig:s route_concept_id:i lot_number:s50
    provider_id:i visit_occurrence_id:i visit_detail_id:i drug_source_value:s50 drug_source_concept_id:i
    route_source_value:s50 dose_unit_source_value:s50
procedure_occurrence = procedure_occurrence_id:i! person_id:i! procedure_concept_id:i! procedure_date:d!
    procedure_datetime:t procedure_end_date:d procedure_end_datetime:t procedure_type_concept_id:i!
    modifier_concept_id:i quantity:i provider_id:i visit_occurrence_id:i visit_detail_id:i procedure_source_value:s50
    procedure_source_concept_id:i modifier_source_value:s50
device_exposure = device_exposure_id:i! person_id:i! device_concept_id:i! device_exposure_start_date:d!
    device_exposure_start_datetime:t device_exposure_end_date:d device_exposure_end_datetime:t
    device_type_concept_id:i! unique_device_id:s255 production_id:s255 quantity:i provider_id:i visit_occurrence_id:i
    visit_detail_id:i device_source_value:s50 device_source_concept_id:i unit_concept_id:i unit_source_value:s50
    unit_source_concept_id:i
measurement = measurement_id:i! person_id:i! measurement_concept_id:i! measurement_date:d! measurement_datetime:t
    measurement_time:s10 measurement_type_concept_id:i! operator_concept_id:i value_as_number:f value_as_concept_id:i
    unit_concept_id:i range_low:f range_high:f provider_id:i visit_occurrence_id:i visit_detail_id:i
    measurement_source_value:s50 measurement_source_concept_id:i unit_source_value:s50 unit_source_concept_id:i
    value_source_value:s50 measurement_event_id:i meas_event_field_concept_id:i
observation = observation_id:i! person_id:i! observation_concept_id:i! observation_date:d! observation_datetime:t
    observation_type_concept_id:i! value_as_number:f value_as_string:s60 value_as_concept_id:i qualifier_concept_id:i
    unit_concept_id:i provider_id:i visit_occurrence_id:i visit_detail_id:i observation_source_value:s50
    observation_source_concept_id:i unit_source_value:s50 qualifier_source_value:s50 value_source_value:s50
    observation_event_id:i obs_event_field_concept_id:i
death = person_id:i! death_date:d! death_datetime:t death_type_concept_id:i cause_concept_id:i cause_source_value:s50
    cause_source_concept_id:i
note = note_id:i! person_id:i! note_date:d! note_datetime:t note_type_concept_id:i! note_class_concept_id:i!
    note_title:s250 note_text:s! encoding_concept_id:i! language_concept_id:i! provider_id:i visit_occurrence_id:i
    visit_detail_id:i note_source_value:s50 note_event_id:i note_event_field_concept_id:i
note_nlp = note_nlp_id:i! note_id:i! section_concept_id:i snippet:s250 offset:s50 lexical_variant:s250!
    note_nlp_concept_id:i note_nlp_source_concept_id:i nlp_system:s250 nlp_date:d! nlp_datetime:t term_exists:s1
    term_temporal:s50 term_modifiers:s2000
specimen = specimen_id:i! person_id:i! specimen_concept_id:i! specimen_type_concept_id:i! specimen_date:d!
    specimen_datetime:t quantity:f unit_concept_id:i anatomic_site_concept_id:i disease_status_concept_id:i
    specimen_source_id:s50 specimen_source_value:s50 unit_source_value:s50 anatomic_site_source_value:s50
    disease_status_source_value:s50
fact_relationship = domain_concept_id_1:i! fact_id_1:i! domain_concept_id_2:i! fact_id_2:i! relationship_concept_id:i!
location = location_id:i! address_1:s50 address_2:s50 city:s50 state:s2 zip:s9 county:s20 location_source_value:s50
    country_concept_id:i country_source_value:s80 latitude:f longitude:f
care_site = care_site_id:i! care_site_name:s255 place_of_service_concept_id:i location_id:i care_site_source_value:s50
    place_of_service_source_value:s50
provider = provider_id:i! provider_name:s255 npi:s20 dea:s20 specialty_concept_id:i care_site_id:i year_of_birth:i
    gender_concept_id:i provider_source_value:s50 specialty_source_value:s50 specialty_source_concept_id:i
    gender_source_value:s50 gender_source_concept_id:i
payer_plan_period = payer_plan_period_id:i! person_id:i! payer_plan_period_start_date:d! payer_plan_period_end_date:d!
    payer_concept_id:i payer_source_value:s50 payer_source_concept_id:i plan_concept_id:i plan_source_value:s50
    plan_source_concept_id:i sponsor_concept_id:i sponsor_source_value:s50 sponsor_source_concept_id:i
    family_source_value:s50 stop_reason_concept_id:i stop_reason_source_value:s50 stop_reason_source_concept_id:i
cost = cost_id:i! cost_event_id:i! cost_domain_id:s20! cost_type_concept_id:i! currency_concept_id:i total_charge:f
    total_cost:f total_paid:f paid_by_payer:f paid_by_patient:f paid_patient_copay:f paid_patient_coinsurance:f
    paid_patient_deductible:f paid_by_primary:f paid_ingredient_cost:f paid_dispensing_fee:f payer_plan_period_id:i
    amount_allowed:f revenue_code_concept_id:i revenue_code_source_value:s50 drg_concept_id:i drg_source_value:s3
drug_era = drug_era_id:i! person_id:i! drug_concept_id:i! drug_era_start_date:d! drug_era_end_date:d!
    drug_exposure_count:i gap_days:i
dose_era = dose_era_id:i! person_id:i! drug_concept_id:i! unit_concept_id:i! dose_value:f! dose_era_start_date:d!
    dose_era_end_date:d!
condition_era = condition_era_id:i! person_id:i! condition_concept_id:i! condition_era_start_date:d!
    condition_era_end_date:d! condition_occurrence_count:i
episode = episode_id:i! person_id:i! episode_concept_id:i! episode_start_date:d! episode_start_datetime:t
    episode_end_date:d episode_end_datetime:t episode_parent_id:i episode_number:i episode_object_concept_id:i!
    episode_type_concept_id:i! episode_source_value:s50 episode_source_concept_id:i
episode_event = episode_id:i! event_id:i! episode_event_field_concept_id:i!
metadata = metadata_id:i! metadata_concept_id:i! metadata_type_concept_id:i! name:s250! value_as_string:s250
    value_as_concept_id:i value_as_number:f metadata_date:d metadata_datetime:t
cdm_source = cdm_source_name:s255! cdm_source_abbreviation:s25! cdm_holder:s255! source_description:s
    source_documentation_reference:s255 cdm_etl_reference:s255 source_release_date:d! cdm_release_date:d!
    cdm_version:s10 cdm_version_concept_id:i! vocabulary_version:s20!
concept = concept_id:i! concept_name:s255! domain_id:s20! vocabulary_id:s20! concept_class_id:s20! standard_concept:s1
    concept_code:s50! valid_start_date:d! valid_end_date:d! invalid_reason:s1
vocabulary = vocabulary_id:s20! vocabulary_name:s255! vocabulary_reference:s255 vocabulary_version:s255
    vocabulary_concept_id:i!
domain = domain_id:s20! domain_name:s255! domain_concept_id:i!
concept_class = concept_class_id:s20! concept_class_name:s255! concept_class_concept_id:i!
concept_relationship = concept_id_1:i! concept_id_2:i! relationship_id:s20! valid_start_date:d! valid_end_date:d!
    invalid_reason:s1
relationship = relationship_id:s20! relationship_name:s255! is_hierarchical:s1! defines_ancestry:s1!
    reverse_relationship_id:s20! relationship_concept_id:i!
concept_synonym = concept_id:i! concept_synonym_name:s1000! language_concept_id:i!
concept_ancestor = ancestor_concept_id:i! descendant_concept_id:i! min_levels_of_separation:i!
    max_levels_of_separation:i!
source_to_concept_map = source_code:s50! source_concept_id:i! source_vocabulary_id:s20! source_code_description:s255
    target_concept_id:i! target_vocabulary_id:s20! valid_start_date:d! valid_end_date:d! invalid_reason:s1
drug_strength = drug_concept_id:i! ingredient_concept_id:i! amount_value:f amount_unit_concept_id:i numerator_value:f
    numerator_unit_concept_id:i denominator_value:f denominator_unit_concept_id:i box_size:i valid_start_date:d!
    valid_end_date:d! invalid_reason:s1
cohort = cohort_definition_id:i! subject_id:i! cohort_start_date:d! cohort_end_date:d!
cohort_definition = cohort_definition_id:i! cohort_definition_name:s255! cohort_definition_description:s
    definition_type_concept_id:i! cohort_definition_syntax:s subject_concept_id:i! cohort_initiation_date:d
"""


@dataclass(frozen=True)
class Column:
    """One column: name, letter of the legend, longest text it takes (0: no limit), whether NULL is refused."""

    name: str
    kind: str
    limit: int
    required: bool


@dataclass(frozen=True)
class Table:
    """One table; `start` and `end` name the dates of the event that a row is, if it is one."""

    name: str
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The letter of each column."""
        return {column.name: column.kind for column in self.columns}

    @cached_property
    def limits(self) -> dict[str, int]:
        """The longest text of each column that has a limit."""
        return {column.name: column.limit for column in self.columns if column.limit}

    @property
    def key(self) -> str:
        """The column of the id, which comes first in every table that has one; a death is known by its person."""
        return self.columns[0].name

    @cached_property
    def of_person(self) -> bool:
        """Whether each row belongs to a person."""
        return "person_id" in self.names

    @cached_property
    def in_visit(self) -> bool:
        """Whether a row stands in a visit that another resource tells."""
        return "visit_detail_id" in self.names and self.name != "visit_detail"

    @property
    def start(self) -> str:
        """The date on which the event begins, empty when a row is no event."""
        return EVENTS.get(self.name, ("", ""))[0]

    @property
    def end(self) -> str:
        """The date on which the event ends, empty when it has none."""
        return EVENTS.get(self.name, ("", ""))[1]


def _column(text: str) -> Column:
    name, kind = text.rstrip("!").split(":")
    return Column(name, kind[0], int(kind[1:] or 0), text.endswith("!"))


def _tables() -> dict[str, Table]:
    declared = " ".join(_CDM_54.split("\n    ")).strip().splitlines()
    pairs = (line.split(" = ") for line in declared)
    return {name: Table(name, tuple(map(_column, columns.split()))) for name, columns in pairs}


EVENTS = {
    "visit_occurrence": ("visit_start_date", "visit_end_date"),
    "visit_detail": ("visit_detail_start_date", "visit_detail_end_date"),
    "condition_occurrence": ("condition_start_date", "condition_end_date"),
    "drug_exposure": ("drug_exposure_start_date", "drug_exposure_end_date"),
    "procedure_occurrence": ("procedure_date", "procedure_end_date"),
    "device_exposure": ("device_exposure_start_date", "device_exposure_end_date"),
    "measurement": ("measurement_date", ""),
    "observation": ("observation_date", ""),
    "note": ("note_date", ""),
    "specimen": ("specimen_date", ""),
    "death": ("death_date", ""),
}
"""The dates between which a person is under observation: table, first day, last day."""

TABLES = _tables()

MAPPED = (
    *(
        "location",
        "care_site",
        "provider",
        "person",
        "death",
        "visit_occurrence",
        "visit_detail",
        "condition_occurrence",
    ),
    *("drug_exposure", "procedure_occurrence", "device_exposure", "measurement", "observation", "note", "specimen"),
)
"""The tables that mappers fill, parents first."""

NUMBERED = (*(name for name in MAPPED if name != "death"), "observation_period")
"""The tables whose ids are drawn, each from the sequence `omop_map.<table>`; a death carries the id of its person."""

LINKS = {"provider_id": "provider", "care_site_id": "care_site"}
"""Columns that point to the row of another resource, and the table of that row."""

CODES = {"drug_exposure": "drug_source_value", "device_exposure": "device_source_value"}
"""Columns that hold the code of another resource: of the Medication or Device that the event refers to."""

OWN = {"location_id": "location", "measurement_event_id": "measurement", "observation_event_id": "observation"}
"""Columns that point to another row of the same resource, and the table of that row."""


def restored(kind: str, value: Any) -> Any:
    """The value of a column as it was before it was written as JSON."""
    if value is None or kind in "is":
        return value
    if kind == "f":
        return Decimal(str(value))
    return date.fromisoformat(value) if kind == "d" else datetime.fromisoformat(value)
