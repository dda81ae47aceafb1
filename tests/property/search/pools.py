"""Small pools of values, so that resources share them and queries hit.

Enters: a random number generator. Leaves: values of each data type, in all the shapes that a search has to read.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from tests.property.search.ranges import of_date
from tests.property.search.units import UCUM, UNITS

Make = Callable[[Random], Any]

BASE = "http://fhir.test/fhir"
TEXTS = (
    "Jean-Pierre", "Jean", "jean pierre", "O'Connor", "Oconnor", "Élodie", "elodie", "Strauß", "Strausse",
    "Cœur, Sacré", "Coeur", "ANNE", "Anne Marie", "d|e", "a,b$c", "back\\slash", "Łukasz", "Müller",
    "St. Mary's / North", "Mueller", "naïve", "42 rue de l'Église", "x", "Zoë Ångström", "東京", "tab\tand  spaces",
)  # fmt: skip
CODES = ("a", "A", "b", "c1", "c1.1", "c1.2", "c2", "x|y", "p,q", "d$e", "b\\s", "final", "true")
SYSTEMS = ("http://a.test/cs", "http://b.test/cs", "urn:oid:1.2.3", "http://a.test/cs|odd")
CASELESS = SYSTEMS[1]
"""Codes of this system are the same in either case."""
CONCEPTS = ("c1", "c1.1", "c1.1.1", "c1.2", "c2", "c3")
"""Codes of the tree that the stored code system has."""
TREE = "http://tree.test/cs"
URIS = (
    "http://acme.test/fhir", "http://acme.test/fhir/ValueSet/1", "http://acme.test/fhir/ValueSet/12",
    "http://acme.test/fhir/ValueSet/1/_history/5", "urn:oid:1.2.3.4", "urn:oid:1.2.3.4.5", "http://other.test/a,b",
)  # fmt: skip
CANONICALS = (
    "http://acme.test/q", "http://acme.test/q|1.0", "http://acme.test/q|2.0", "http://acme.test/q|2.0-Rc",
    "http://acme.test/r", "http://acme.test/r|1.0",
)  # fmt: skip
DEFINED = ("http://acme.test/q", "http://acme.test/q", "http://acme.test/r", "http://acme.test/q/1")
VERSIONS = ("1.0", "2.0", "2.0-Rc")
DATES = (
    "2019", "2020", "2021", "2020-02", "2020-03", "2020-12", "2020-02-29", "2020-03-01", "2020-03-10", "2020-12-31",
    "2021-01-01",
)  # fmt: skip
MOMENTS = (
    "2020-03-10T00:00:00Z", "2020-03-10T12:30:00Z", "2020-03-10T12:30:30Z", "2020-03-10T12:30:30.250Z",
    "2020-03-10T12:30:30.5Z", "2020-03-10T14:30:00+02:00", "2020-03-09T23:30:00-01:00", "2020-12-31T23:59:59.999Z",
    "2021-01-01T00:30:00+01:00", "2020-03-01T00:00:00+14:00",
)  # fmt: skip
NUMBERS = (
    "0",
    "1",
    "-1",
    "0.5",
    "0.50",
    "5.4",
    "5.40",
    "5.44",
    "5.45",
    "99.5",
    "100",
    "100.49",
    "100.5",
    "1000",
    "0.0054",
)
IDS = {
    "Patient": 12, "Practitioner": 5, "Organization": 6, "Location": 8, "Encounter": 10, "Condition": 8,
    "Observation": 26, "DiagnosticReport": 6, "MedicationRequest": 6, "ServiceRequest": 6, "RiskAssessment": 12,
    "MolecularSequence": 10, "ChargeItem": 10, "Group": 6, "List": 4, "DocumentReference": 8, "ValueSet": 8,
    "CodeSystem": 1, "AuditEvent": 5, "Medication": 0, "Questionnaire": 7, "QuestionnaireResponse": 10,
    "PlanDefinition": 4,
}  # fmt: skip
"""How many resources of each type a population has; some types are referred to and never there."""


def one(items: tuple[Any, ...]) -> Make:
    return lambda random: random.choice(items)


def identified(resource_type: str, number: int) -> str:
    """The id of a resource: some ids stand in several types."""
    return f"{number}" if number % 3 == 0 else f"{resource_type[:3].lower()}-{number}"


def coding(random: Random) -> dict[str, Any]:
    if random.random() < 0.25:
        found: dict[str, Any] = {"system": TREE, "code": random.choice(CONCEPTS)}
    else:
        found = {"system": random.choice(SYSTEMS), "code": random.choice(CODES)}
    for name, chance in (("system", 0.2), ("code", 0.06)):
        if random.random() < chance and len(found) > 1:
            del found[name]
    if random.random() < 0.4:
        found["display"] = random.choice(TEXTS)
    return found


def concept(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"coding": [coding(random) for _ in range(random.choice((1, 1, 1, 2)))]}
    if random.random() < 0.3:
        found["text"] = random.choice(TEXTS)
    if random.random() < 0.1:
        found = {"text": random.choice(TEXTS)}
    return found


def identifier(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"system": random.choice(SYSTEMS), "value": random.choice(CODES)}
    if random.random() < 0.2:
        del found["system"]
    if random.random() < 0.5:
        found["type"] = concept(random)
    return found


def contact_point(random: Random) -> dict[str, Any]:
    return {
        "system": random.choice(("phone", "email")),
        "value": random.choice(("+33 1 23", "a@b.test", "A@b.test", "5,5")),
        "use": random.choice(("home", "work")),
    }


def human_name(random: Random) -> dict[str, Any]:
    names = ("family", "text", "given", "prefix", "suffix")
    found: dict[str, Any] = {name: random.choice(TEXTS) for name in names if random.random() < 0.5}
    found |= {name: [random.choice(TEXTS)] for name in ("given", "prefix", "suffix") if name in found}
    return found or {"family": random.choice(TEXTS)}


def address(random: Random) -> dict[str, Any]:
    names = ("city", "district", "state", "postalCode", "country", "text")
    found: dict[str, Any] = {name: random.choice(TEXTS) for name in names if random.random() < 0.4}
    if random.random() < 0.4:
        found["line"] = [random.choice(TEXTS), random.choice(TEXTS)]
    return {"use": random.choice(("home", "work")), **found}


def date(random: Random) -> str:
    return random.choice(DATES)


def date_time(random: Random) -> str:
    return random.choice(random.choice((DATES, MOMENTS)))


def instant(random: Random) -> str:
    return random.choice(MOMENTS)


def period(random: Random) -> dict[str, str]:
    start, end = sorted((date_time(random), date_time(random)), key=of_date)
    return random.choice(({"start": start, "end": end}, {"start": start}, {"end": end}))


def timing(random: Random) -> dict[str, Any]:
    return random.choice(
        (
            {"event": [date_time(random) for _ in range(random.choice((1, 2, 3)))]},
            {"repeat": {"boundsPeriod": period(random), "frequency": 1, "period": 1, "periodUnit": "d"}},
            {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
        )
    )


def number(random: Random) -> Decimal:
    return Decimal(random.choice(NUMBERS))


def quantity(random: Random) -> dict[str, Any]:
    code = random.choice(tuple(UNITS))
    units: tuple[dict[str, Any], ...] = (
        {"unit": code, "system": UCUM, "code": code},
        {"unit": code, "system": UCUM, "code": code},
        {"unit": random.choice(("mg", "tablets"))},
        {"system": "http://a.test/units", "code": random.choice(("mg", "box"))},
        {},
    )
    found = {"value": number(random), **random.choice(units)}
    if random.random() < 0.15:
        found["comparator"] = random.choice(("<", "<=", ">", ">="))
    return found


def simple_quantity(random: Random) -> dict[str, Any]:
    return {name: value for name, value in quantity(random).items() if name != "comparator"}


def age(random: Random) -> dict[str, Any]:
    code = random.choice(("a", "mo", "d"))
    return {"value": random.choice((1, 2, 12, 24, 40)), "unit": code, "system": UCUM, "code": code}


def range_(random: Random) -> dict[str, Any]:
    code = random.choice(("a", "mo", "kg"))
    unit = {"unit": code, "system": UCUM, "code": code}
    low, high = sorted((number(random), number(random)))
    return random.choice(
        ({"low": {"value": low, **unit}, "high": {"value": high, **unit}}, {"low": {"value": low, **unit}})
    )


def sampled_data(random: Random) -> dict[str, Any]:
    return {
        "origin": {"value": Decimal(random.choice(("0", "2.5"))), "unit": "mg", "system": UCUM, "code": "mg"},
        "period": 10,
        "factor": Decimal(random.choice(("1", "0.5"))),
        "dimensions": 1,
        "data": random.choice(("1 2 3", "E 10 U -4", "100", "U L E")),
    }


def money(random: Random) -> dict[str, Any]:
    return {"value": number(random), "currency": random.choice(("EUR", "USD"))}


def reference(*types: str) -> Make:
    """References to these types: most of them relative, some in each of the other forms."""

    def make(random: Random) -> dict[str, Any]:
        kind = random.choice(types)
        found = f"{kind}/{identified(kind, random.randrange(max(IDS[kind], 2)))}"
        forms: tuple[dict[str, Any], ...] = (
            {"reference": f"{found}/_history/2"},
            {"reference": f"{BASE}/{found}"},
            {"reference": f"http://elsewhere.test/fhir/{found}"},
            {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
            {"identifier": {"system": random.choice(SYSTEMS), "value": random.choice(CODES)}},
            {"identifier": {"value": random.choice(CODES)}, "reference": found},
            {"identifier": {"value": random.choice(CODES)}, "type": kind},
            {"display": "nobody"},
        )
        return random.choice(forms) if random.random() < 0.25 else {"reference": found}

    return make
