"""One patient's file at one hospital while it is being written.

Enters: resources as plain dicts. Leaves: a transaction bundle with `urn:uuid:` addresses that come from the seed.
Spec: http://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from ecluse.cli.synth import moments
from ecluse.cli.synth.chance import Chance
from ecluse.cli.synth.codes import HL7, Json, cim10, coding, concept, hl7, identifier
from ecluse.cli.synth.hospital import Doctor, Hospital
from ecluse.cli.synth.person import Person


@dataclass(slots=True)
class Record:
    """ipp: number at this hospital; problems: code → reference of its Condition; home: drugs taken at home."""

    person: Person
    hospital: Hospital
    chance: Chance
    ipp: str
    entries: list[Json] = field(default_factory=list)
    patient: str = ""
    coverage: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    antecedents: list[str] = field(default_factory=list)
    home: list[str] = field(default_factory=list)
    allergies: list[str] = field(default_factory=list)
    lifestyle: str = ""
    family_history: str = ""

    def __post_init__(self) -> None:
        self.patient = f"urn:uuid:{self.chance.new_uuid()}"

    def add(self, resource: Json, full_url: str = "") -> Json:
        """A reference to the resource, which is now part of the bundle."""
        full_url = full_url or f"urn:uuid:{self.chance.new_uuid()}"
        request = {"method": "POST", "url": resource["resourceType"]}
        self.entries.append({"fullUrl": full_url, "resource": resource, "request": request})
        return {"reference": full_url}

    @property
    def subject(self) -> Json:
        """A reference to the patient."""
        return {"reference": self.patient}

    def bundle(self, patient: Json) -> Json:
        """The transaction; the patient, created unless the IPP is known, comes first."""
        system = self.hospital.system("ipp")
        request = {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={system}|{self.ipp}"}
        first = {"fullUrl": self.patient, "resource": patient, "request": request}
        return {"resourceType": "Bundle", "type": "transaction", "entry": [first, *self.entries]}

    def number(self, kind: str, moment: datetime) -> str:
        """The next number of a stay or movement: year, month, then digits."""
        return f"{moment:%y%m}{self.chance.digits(6)}" if kind == "sejour" else self.chance.digits(9)

    def doctor(self, unit: str) -> Doctor:
        """One of the unit's doctors."""
        return self.chance.pick(self.hospital.doctors[unit])

    def named(self, kind: str, value: str, code: Json | None = None) -> Json:
        """An identifier in one of the hospital's systems."""
        return identifier(self.hospital.system(kind), value, kind=code)

    def problem(self, code: str, since: str, recorded: date) -> str:
        """The reference of a lasting condition, written once."""
        if code not in self.problems:
            condition = _condition(self, code, "problem-list-item", "active", "confirmed")
            condition |= {"onsetDateTime": since, "recordedDate": recorded.isoformat()}
            self.problems[code] = self.add(condition)["reference"]
        return self.problems[code]

    def diagnosis(self, code: str, moment: datetime, encounter: Json, status: str = "confirmed", end: str = "") -> Json:
        """A reference to a diagnosis of an encounter. status: of its verification; end: when it was over."""
        clinical = "" if status == "refuted" else "resolved" if end else "active"
        condition = _condition(self, code, "encounter-diagnosis", clinical, status)
        condition |= {"encounter": encounter, "onsetDateTime": moments.date_time(moment)}
        condition |= {"abatementDateTime": end} if end else {}
        condition |= {"recordedDate": moments.date_time(moment)}
        return self.add(condition)


def _condition(record: Record, code: str, category: str, clinical: str, verified: str) -> Json:
    status = {"clinicalStatus": hl7("condition-clinical", clinical)} if clinical else {}
    return {
        "resourceType": "Condition",
        **status,
        "verificationStatus": concept(coding(HL7 + "condition-ver-status", verified)),
        "category": [hl7("condition-category", category)],
        "code": cim10(code),
        "subject": record.subject,
    }
