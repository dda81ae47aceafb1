"""Laboratory series and vital signs.

Enters: an episode whose story says how values run. Leaves: Observations and a DiagnosticReport for each draw, and the
same values as reports write them.
Spec: http://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from ecluse.cli.synth import moments
from ecluse.cli.synth.codes import LOINC, SNOMED, Json, coding, concept, decimal, french, hl7, profile, quantity
from ecluse.cli.synth.plan import Episode
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import Course, table

ADULT, SMALL_UNTIL = 18, 14
MOST_DRAWS, MOST_ROUNDS = 4, 7
"""About as many of a visit: longer stays are measured less often."""
USUAL_NOISE = 0.03
FOLLOWS = {"ht": ("hb", 3.0), "pnn": ("leuco", 0.64), "uree": ("creat", 0.074)}
"""What runs with another test unless the story says otherwise, and by which factor."""
NOISE = {"ph": 0.001, "na": 0.006, "cl": 0.006, "ca": 0.01, "k": 0.02}
"""Relative deviations of what is measured from where the story says the value is."""
SAID_BESIDES = ("hb", "leuco", "plaq", "na", "k", "creat", "dfg", "uree")
USUAL_VITALS = {"sbp": 128.0, "hr": 76.0, "temp": 36.8, "spo2": 97.0}


def value_at(course: Sequence[float], progress: float) -> float:
    """The value on the way through the course's points, straight from one to the next. progress: 0 to 1."""
    if len(course) == 1:
        return course[0]
    place = progress * (len(course) - 1)
    index = min(int(place), len(course) - 2)
    return course[index] + (course[index + 1] - course[index]) * (place - index)


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
    step = timedelta(days=max(episode.visit.every, round(_days(episode) / MOST_DRAWS)))
    day = episode.spans[0].start.date() + step
    while moments.at(day, 6.5) < episode.end - timedelta(hours=2):
        yield moments.at(day, 6.5), "visit"
        day += step


def _days(episode: Episode) -> int:
    return (episode.end.date() - episode.spans[0].start.date()).days


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


def vitals(record: Record, episode: Episode, encounters: dict[str, Json]) -> None:
    """Vital signs on arrival and each morning of the visit; the first ones are noted for the reports."""
    for index, (moment, where) in enumerate(_rounds(episode)):
        values = _vital_values(record, episode, moment)
        _write_vitals(record, encounters[where], moment, values)
        if index == 0:
            episode.notes["vitals"] = _said_vitals(values)


def _rounds(episode: Episode) -> Iterator[tuple[datetime, str]]:
    if episode.emergency:
        yield episode.start + timedelta(minutes=10), "emergency"
    else:
        yield episode.start + timedelta(minutes=5), "visit"
    if episode.visit.kind == "stay":
        step = timedelta(days=max(episode.visit.vital_every, round(_days(episode) / MOST_ROUNDS)))
        day = episode.spans[0].start.date() + step
        while moments.at(day, 8) < episode.end:
            yield moments.at(day, 8), "visit"
            day += step


def _vital_values(record: Record, episode: Episode, moment: datetime) -> dict[str, Decimal]:
    course, progress = episode.visit.vitals, episode.progress(moment)
    stay = episode.visit.kind != "consultation" or "spo2" in course
    small = 26 if record.person.age(moment.date()) < SMALL_UNTIL else 0
    keys = dict.fromkeys([*("sbp", "hr"), *(("temp", "spo2") if stay else ()), *course])
    values: dict[str, Decimal] = {}
    for key in keys:
        if key == "weight":
            continue
        mean = value_at(course.get(key) or [USUAL_VITALS[key] - (small if key == "sbp" else 0)], progress)
        spread = 0.15 if key == "temp" else 0.6 if key == "spo2" else mean * 0.03
        limit = 100 if key == "spo2" else 400
        digits = table("labs")["vitals"][key][4]
        values[key] = decimal(min(record.chance.normal(mean, spread), limit), digits)
    values["dbp"] = decimal(float(values["sbp"]) * record.chance.uniform(0.54, 0.62), 0)
    return values


def _write_vitals(record: Record, encounter: Json, moment: datetime, values: dict[str, Decimal]) -> None:
    parts = [(key, values[key]) for key in ("sbp", "dbp")]
    components = [{"code": _vital_code(key), "valueQuantity": _vital_quantity(key, value)} for key, value in parts]
    pressure = concept(coding(LOINC, "85354-9", "Pression artérielle"), text="Pression artérielle")
    record.add(vital(record, encounter, moment, "bp", {"code": pressure, "component": components}))
    for key, value in values.items():
        if key not in ("sbp", "dbp"):
            measured = {"code": _vital_code(key), "valueQuantity": _vital_quantity(key, value)}
            record.add(vital(record, encounter, moment, key, measured))


def vital(record: Record, encounter: Json, moment: datetime, key: str, measured: Json) -> Json:
    """The Observation of a vital sign, with its profile of FR Core where there is one."""
    name = table("labs")["vital_profiles"].get(key)
    return {
        "resourceType": "Observation",
        **({"meta": profile(name)} if name else {}),
        "status": "final",
        "category": [hl7("observation-category", "vital-signs")],
        "code": measured["code"],
        "subject": record.subject,
        "encounter": encounter,
        "effectiveDateTime": moments.date_time(moment),
        **{name: value for name, value in measured.items() if name != "code"},
    }


def _vital_code(key: str) -> Json:
    code, name, *_ = table("labs")["vitals"][key]
    return concept(coding(LOINC, code, name), text=name)


def _vital_quantity(key: str, value: Decimal) -> Json:
    _, _, unit, ucum, _ = table("labs")["vitals"][key]
    return quantity(value, unit, ucum)


def body(record: Record, encounter: Json, episode: Episode) -> None:
    """Height, weight and body mass index, once a file."""
    moment = episode.at(0, 0)
    age = record.person.age(moment.date())
    tall = record.chance.normal(164 if record.person.female else 176, 6)
    height = tall if age >= 16 else 78 + 6.2 * age
    index = record.chance.uniform(20, 31) if age >= 16 else 15.5 + age * 0.2
    weight = index * (height / 100) ** 2
    for key, value in (("height", height), ("weight", weight), ("bmi", index)):
        measured = _vital_quantity(key, decimal(value, table("labs")["vitals"][key][4]))
        record.add(vital(record, encounter, moment, key, {"code": _vital_code(key), "valueQuantity": measured}))


def _said_vitals(values: dict[str, Decimal]) -> str:
    """TA 176/98 mmHg, FC 114/min, apyrétique (36,8 °C), SpO2 86 % en air ambiant."""
    said = [f"TA {values['sbp']}/{values['dbp']} mmHg", f"FC {values['hr']}/min"]
    if "temp" in values:
        temperature = f"{french(values['temp'])} °C"
        said.append(f"fébrile à {temperature}" if values["temp"] >= 38 else f"apyrétique ({temperature})")
    if "spo2" in values:
        said.append(f"SpO2 {values['spo2']} % en air ambiant")
    if "rr" in values:
        said.append(f"FR {values['rr']}/min")
    return ", ".join(said) + "."
