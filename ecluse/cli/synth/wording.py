"""The words of reports: what a layout may use, and the filled layout.

Enters: a record, an episode, the layouts of data/reports.yaml. Leaves: text in French whose facts are those of the
resources.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from ecluse.cli.synth import moments, treat
from ecluse.cli.synth.codes import Json, short
from ecluse.cli.synth.hospital import Doctor, unit_name
from ecluse.cli.synth.plan import Episode, Span
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import table

CHILD = 15
_environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 plain text; HTML is escaped later


@cache
def _template(text: str) -> Template:
    return _environment.from_string(text)


def fill(text: str, facts: Json) -> str:
    """The layout with its facts."""
    return re.sub(r"\n{3,}", "\n\n", _template(text).render(facts)).strip()


def layout(record: Record, kind: str) -> str:
    """One of the layouts of a kind of report."""
    return str(record.chance.pick(table("reports")[kind]["layouts"]))


def facts(record: Record, episode: Episode, span: Span, doctor: Doctor) -> Json:
    """All that a layout may say of a visit. span: the unit that writes, and until when"""
    person, visit, notes = record.person, episode.visit, episode.notes
    day = span.start.date()
    said: dict[str, Any] = {
        **about(record, day),
        "unit": unit_name(span.unit),
        "doctor": doctor.name,
        "start": moments.short(day),
        "start_long": moments.long(day),
        "end": moments.short(span.end.date()),
        "end_long": moments.long(span.end.date()),
        "nights": _nights((span.end.date() - day).days),
        "stay": notes.get("stay", ""),
        "number": episode.number,
        "died": episode.died,
        "diagnosis": short(span.plan.dp),
        "of_diagnosis": of(short(span.plan.dp)),
        "hypothesis": ", ".join(short(code) for code in visit.hypotheses),
        "family": record.family_history,
        "lifestyle": record.lifestyle,
        "allergies": ", ".join(record.allergies) or "aucune connue",
        "antecedents": _antecedents(record),
        "entry_treatment": treat.said(record.home),
        "exit_treatment": treat.said(visit.home),
        **{name: notes.get(name, "") for name in ("labs_first", "labs_last", "imaging", "cultures", "acts")},
        "vitals": notes.get("vitals", ""),
        "age": _age(person.age(day)),
    }
    return {**said, **_drawn(episode, said)}


def about(record: Record, day: Any) -> Json:
    """Who the report is about and where it is written."""
    person = record.person
    age = person.age(day)
    e = "e" if person.female else ""
    child = age < CHILD
    return {
        "hospital": record.hospital.name,
        "patient": "enfant" if child else f"patient{e}",
        "Patient": "Enfant" if child else f"Patient{e}",
        "il": "Elle" if person.female else "Il",
        "e": e,
        "age": _age(age),
        "person": {
            "civility": "l'enfant" if child else "Mme" if person.female else "M.",
            "full": f"{person.used.upper()} {person.given[0]}",
            "family": person.used.upper(),
            "given": person.given[0],
            "born": f"né{e}",
            "birth": moments.short(person.birth),
            "ipp": record.ipp,
            "e": e,
            "phone": person.mobile,
            "address": f"{person.street}, {person.home[2]} {person.home[0]}",
        },
    }


def _drawn(episode: Episode, said: Json) -> Json:
    texts = episode.visit.texts
    drawn = {
        name: fill(episode.wording(getattr(texts, name)), said)
        for name in ("motif", "histoire", "examen", "evolution", "conclusion", "suites", "destination")
    }
    if episode.died:
        for name in ("evolution", "conclusion"):
            drawn[name] = fill(episode.wording(table("reports")["death"][name]), said)
    return drawn


def of(name: str) -> str:
    """d'IDM antérieur, de pneumopathie."""
    return f"d'{name}" if name[0].lower() in "aeéèiouhœ" or name.startswith("EP") else f"de {name}"


def _antecedents(record: Record) -> str:
    known = list(dict.fromkeys(record.antecedents))
    return f"{', '.join(known)}." if known else "Pas d'ATCD médico-chirurgical notable."


def _age(years: int) -> str:
    return f"{years} ans" if years != 1 else "1 an"


def _nights(count: int) -> str:
    return f"{count} nuit{'s' if count > 1 else ''}" if count else "moins d'un jour"
