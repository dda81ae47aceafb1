"""Laboratory series.

Enters: an episode whose story says how values run. Leaves: Observations and a DiagnosticReport for each draw, and the
same values as reports write them.
Spec: http://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from ecluse.cli.synth import moments
from ecluse.cli.synth.codes import LOINC, SNOMED, Json, coding, concept, decimal, french, hl7, quantity
from ecluse.cli.synth.plan import Episode, value_at
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import Course, table

ADULT = 18
MOST_DRAWS = 4
"""About as many of a visit: in longer stays blood is drawn less often."""
USUAL_NOISE = 0.03
FOLLOWS = {"ht": ("hb", 3.0), "pnn": ("leuco", 0.64), "uree": ("creat", 0.074)}
"""What runs with another test unless the story says otherwise, and by which factor."""
NOISE = {"ph": 0.001, "na": 0.006, "cl": 0.006, "ca": 0.01, "k": 0.02}
"""Relative deviations of what is measured from where the story says the value is."""
SAID_BESIDES = ("hb", "leuco", "plaq", "na", "k", "creat", "dfg", "uree")


def laboratory(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """Draws of the visit, after the first one only what is followed; first and last are noted for the reports."""
    visit = episode.visit
    if not visit.panels and not visit.course:
        return
    draws = list(_draws(episode)) if visit.course else list(_draws(episode))[:1]
    panels = _panels(visit.panels, visit.course)
    for index, (moment, where) in enumerate(draws):
        texts = _draw(record, episode, encounters[where], moment, panels)
        if index == 0:
            panels = {name: tests for name, tests in panels.items() if visit.course.keys() & set(tests)}
            episode.notes["labs_first"] = texts
        elif index == len(draws) - 1:
            episode.notes["labs_last"] = texts


def _draws(episode: Episode) -> Iterator[tuple[datetime, str]]:
    """(moment, which encounter): on arrival, then in the morning of every nth day."""
    if episode.emergency:
        yield episode.start + timedelta(minutes=40), "emergency"
    else:
        yield min(episode.start + timedelta(minutes=15), episode.end - timedelta(minutes=5)), "visit"
    step = timedelta(days=max(episode.visit.every, round(episode.days / MOST_DRAWS)))
    day = episode.spans[0].start.date() + step
    while moments.at(day, 6.5) < episode.end - timedelta(hours=2):
        yield moments.at(day, 6.5), "visit"
        day += step


def _panels(names: Sequence[str], course: Course) -> dict[str, list[str]]:
    panels = {name: list(table("labs")["panels"][name]) for name in names}
    known = {test for tests in panels.values() for test in tests}
    rest = [test for test in course if test not in known]
    return {**panels, **({"autres": rest} if rest else {})}


def _draw(record: Record, episode: Episode, encounter: Json, moment: datetime, panels: dict[str, list[str]]) -> str:
    """The values worth saying: those that the story speaks of, then a few others."""
    said: dict[str, str] = {}
    for panel, tests in panels.items():
        values = _values(record, episode, moment, tests)
        results = [_result(record, encounter, moment, test, value) for test, value in values.items()]
        _report(record, encounter, moment, panel, results)
        said |= {test: said_value(test, value) for test, value in values.items()}
    wanted = [*episode.visit.course, *(test for test in SAID_BESIDES if test not in episode.visit.course)]
    return ", ".join(said[test] for test in wanted if test in said)


def said_value(test: str, value: Decimal) -> str:
    """créatinine 118 µmol/L."""
    _, name, _, unit, *_ = table("labs")["tests"][test]
    return f"{name} {french(value)}{'' if unit == '1' else ' ' + unit}"


def _values(record: Record, episode: Episode, moment: datetime, tests: Sequence[str]) -> dict[str, Decimal]:
    progress, person = episode.progress(moment), record.person
    age = person.age(moment.date())
    values: dict[str, Decimal] = {}
    for test in tests:
        row = table("labs")["tests"][test]
        if test == "dfg" and age < ADULT:
            continue
        course = episode.visit.course.get(test) or [row[8][0 if person.female else 1]]
        follows, factor = FOLLOWS.get(test, ("", 0.0))
        if follows in values and test not in episode.visit.course:
            course = [float(values[follows]) * factor]
        value = value_at(course, progress) * record.chance.normal(1, NOISE.get(test, USUAL_NOISE))
        if test == "dfg" and "creat" in values:
            value = filtration(float(values["creat"]), age, person.female)
        values[test] = decimal(max(value, 0.0), row[5])
    return values


def filtration(creatinine: float, age: int, female: bool) -> float:
    """Glomerular filtration in mL/min/1.73 m² by the CKD-EPI formula of 2009. creatinine: µmol/L."""
    ratio = creatinine / 88.4 / (0.7 if female else 0.9)
    low: float = min(ratio, 1.0) ** (-0.329 if female else -0.411)
    high: float = max(ratio, 1.0) ** -1.209
    return float(min(141 * low * high * 0.993**age * (1.018 if female else 1), 140))


def _result(record: Record, encounter: Json, moment: datetime, test: str, value: Decimal) -> Json:
    code, _, name, unit, ucum, _, women, men, _ = table("labs")["tests"][test]
    low, high = women if record.person.female else men
    usual = [quantity(Decimal(str(bound)), unit, ucum) for bound in (low, high)]
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [hl7("observation-category", "laboratory")],
        "code": concept(coding(LOINC, code, name), text=name),
        "subject": record.subject,
        "encounter": encounter,
        "effectiveDateTime": moments.date_time(moment),
        "issued": moments.date_time(moment),
        "performer": [record.hospital.unit("laboratoire")],
        "valueQuantity": quantity(value, unit, ucum),
        "interpretation": [hl7("v3-ObservationInterpretation", _interpretation(float(value), low, high))],
        "referenceRange": [{**({"low": usual[0]} if low else {}), "high": usual[1]}],
    }
    return record.add(resource)


def _interpretation(value: float, low: float, high: float) -> str:
    if value > high:
        return "HH" if value > 2 * high else "H"
    if value < low:
        return "LL" if value < 0.7 * low else "L"
    return "N"


def _report(record: Record, encounter: Json, moment: datetime, panel: str, results: list[Json]) -> None:
    code, name = table("labs")["panel_codes"][panel]
    record.add(
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "category": [hl7("v2-0074", "LAB")],
            "code": concept(coding(LOINC, code, name), text=name),
            "subject": record.subject,
            "encounter": encounter,
            "effectiveDateTime": moments.date_time(moment),
            "issued": moments.date_time(moment),
            "performer": [record.hospital.unit("laboratoire")],
            "result": results,
        }
    )


def cultures(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """Blood and urine cultures, as coded organisms."""
    said = []
    for kind, organism in episode.visit.cultures.items():
        code, name, short = table("labs")["cultures"][kind]
        snomed, label = table("labs")["organisms"][organism]
        where = "emergency" if episode.emergency else "visit"
        taken = episode.start + timedelta(minutes=50)
        record.add(
            {
                "resourceType": "Observation",
                "status": "final",
                "category": [hl7("observation-category", "laboratory")],
                "code": concept(coding(LOINC, code, name), text=name),
                "subject": record.subject,
                "encounter": encounters[where],
                "effectiveDateTime": moments.date_time(taken),
                "performer": [record.hospital.unit("laboratoire")],
                "valueCodeableConcept": concept(coding(SNOMED, snomed, label if snomed else ""), text=label),
            }
        )
        said.append(f"{short} : {'stériles' if organism == 'sterile' else label}")
    if said:
        episode.notes["cultures"] = " ; ".join(said)
