"""Vital signs.

Enters: an episode whose story says how they run. Leaves: Observations, and the first ones as reports write them.
Spec: http://hl7.org/fhir/R4/observation-vitalsigns.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from ecluse.cli.synth import moments
from ecluse.cli.synth.codes import LOINC, Json, coding, concept, decimal, french, hl7, profile, quantity
from ecluse.cli.synth.plan import Episode, value_at
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import table

SMALL_UNTIL = 14
MOST_ROUNDS = 7
"""About as many of a visit: in longer stays they are measured less often."""
USUAL = {"sbp": 128.0, "hr": 76.0, "temp": 36.8, "spo2": 97.0}


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
        step = timedelta(days=max(episode.visit.vital_every, round(episode.days / MOST_ROUNDS)))
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
        mean = value_at(course.get(key) or [USUAL[key] - (small if key == "sbp" else 0)], progress)
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
