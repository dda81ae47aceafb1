"""The shapes of search, and the texts of each: as clients write them, with values that the store has.

Enters: a `Sample`. Leaves: scenarios. `sampled` values are those of any resource, `frequent` ones the most frequent of
all; `none` finds nothing; `worst` are the dearest that a client may ask.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from bench.search.sample import Code, Sample

Kind = Literal["sampled", "frequent", "none", "worst"]
LIMITS_MS: dict[Kind, int] = {"sampled": 50, "frequent": 300}
"""p99 of the shapes that have a limit."""
MOST = 200
LISTED = 10
PAGE = "&_count=20"
NOWHERE = "http://example.org/none|none"
SHARES = [share / 10 for share in range(1, 10)]


@dataclass(frozen=True, slots=True)
class Scenario:
    """name: of the shape; limited: whether its p99 has a limit; queries: `Type?…`"""

    name: str
    kind: Kind
    limited: bool
    queries: list[str]

    @property
    def limit_ms(self) -> int | None:
        """The p99 that it must stay below."""
        return LIMITS_MS.get(self.kind) if self.limited else None


def scenarios(sample: Sample) -> list[Scenario]:
    """All of them, each with at most so many texts."""
    chance = random.Random(7)
    found = [
        *_patients(sample),
        *_of_patients(sample),
        *_quantities(sample),
        *_linked(sample),
        *_lists_and_dates(sample),
        *_results(sample),
        *_modified(sample),
        *_nothing(sample),
        *_worst(sample),
    ]
    return [_drawn(each, chance) for each in found]


def _drawn(scenario: Scenario, chance: random.Random) -> Scenario:
    queries = list(dict.fromkeys(scenario.queries))
    chance.shuffle(queries)
    return Scenario(scenario.name, scenario.kind, scenario.limited, queries[:MOST])


def _patients(sample: Sample) -> Iterable[Scenario]:
    name = "patient by name prefix"
    yield Scenario(name, "sampled", True, [f"Patient?name={_text(n[:4])}{PAGE}" for n in sample.families])
    yield Scenario(name, "frequent", True, [f"Patient?name={n[:1]}{PAGE}" for n in sample.given if n.isascii()])


def _of_patients(sample: Sample) -> Iterable[Scenario]:
    name, rest = "patient and code, by -date", f"&_sort=-date{PAGE}"
    found = [f"Observation?patient={p}&code={_text(c)}{rest}" for p, c in sample.pairs]
    yield Scenario(name, "sampled", True, found)
    frequent = _text(sample.codes[0])
    found = [f"Observation?patient={p}&code={frequent}{rest}" for p in sample.patients]
    yield Scenario(name, "frequent", True, found)


def _quantities(sample: Sample) -> Iterable[Scenario]:
    measured, parts = list(sample.quantities), list(sample.components)
    for kind, some in (("sampled", measured[1:]), ("frequent", measured[:1])):
        values = [(c, sample.quantities[c][int(len(sample.quantities[c]) * s)]) for c in some for s in SHARES]
        found = [f"Observation?code={_text(c)}&value-quantity=gt{v}{PAGE}" for c, v in values]
        yield Scenario("code and quantity", kind, True, found)  # type: ignore[arg-type]
        found = [f"Observation?code-value-quantity={_text(c)}$gt{v}{PAGE}" for c, v in values]
        yield Scenario("composite code-value", kind, True, found)  # type: ignore[arg-type]
    values = [(c, sample.components[c][int(len(sample.components[c]) * s)]) for c in parts for s in SHARES]
    found = [f"Observation?component-code-value-quantity={_text(c)}$gt{v}{PAGE}" for c, v in values]
    yield Scenario("composite of a component", "frequent", True, found)


def _linked(sample: Sample) -> Iterable[Scenario]:
    names = [_text(name) for name in sample.families]
    for kind, conditions, codes in (
        ("sampled", sample.conditions[1:], sample.codes[1:]),
        ("frequent", sample.conditions[:1], sample.codes[:1]),
    ):
        found = [f"Condition?code={_text(c)}&_include=Condition:subject{PAGE}" for c in conditions]
        yield Scenario("_include of the subject", kind, True, found)  # type: ignore[arg-type]
        found = [f"Observation?patient.name={n}&code={_text(c)}{PAGE}" for n in names for c in codes[:50]]
        yield Scenario("chain to the patient's name, code", kind, True, found)  # type: ignore[arg-type]
        found = [f"Patient?_has:Observation:patient:code={_text(c)}{PAGE}" for c in codes]
        yield Scenario("_has of a code", kind, True, found)  # type: ignore[arg-type]
    found = [f"Observation?subject:Patient.name={n}{PAGE}" for n in names]
    yield Scenario("chain to the patient's name", "sampled", True, found)
    beginnings = [_text(name[:3]) for name in sample.families]
    found = [f"Patient?name={n}&_revinclude=Condition:patient&_count=10" for n in beginnings]
    yield Scenario("_revinclude of conditions", "sampled", False, found)


def _lists_and_dates(sample: Sample) -> Iterable[Scenario]:
    windows = [(month, _following(month)) for month in sample.months]
    found = [f"Encounter?date=ge{low}-01&date=lt{high}-01{PAGE}" for low, high in windows]
    yield Scenario("encounters of a window", "sampled", True, found)
    years = sorted({month[:4] for month in sample.months})
    found = [f"Encounter?date=ge{year}-01-01&date=lt{int(year) + 10}-01-01{PAGE}" for year in years]
    yield Scenario("encounters of a window", "frequent", True, found)
    rare, frequent = sample.codes[1:], sample.codes[:1]
    lists = [rare[start :: len(rare) // LISTED][:LISTED] for start in range(len(rare) // LISTED)]
    for kind, more in (("sampled", []), ("frequent", frequent)):
        found = [f"Observation?code={','.join(map(_text, [*more, *listed]))}{PAGE}" for listed in lists]
        yield Scenario("list of codes", kind, True, found)  # type: ignore[arg-type]


def _results(sample: Sample) -> Iterable[Scenario]:
    for kind, codes in (("sampled", sample.codes[1:]), ("frequent", sample.codes[:1])):
        found = [f"Observation?code={_text(code)}&_summary=count" for code in codes]
        yield Scenario("_summary=count of a code", kind, False, found)  # type: ignore[arg-type]
    polled = [f"Observation?_lastUpdated=gt{_text(i)}&_sort=_lastUpdated{PAGE}" for i in sample.instants]
    yield Scenario("polling by _lastUpdated", "sampled", False, polled)
    found = [f"Patient?name={n[:2]}&_sort=family,given{PAGE}" for n in sample.families if n.isascii()]
    yield Scenario("patients by name", "sampled", False, found)
    yield Scenario(
        "all patients by name", "worst", False, [f"Patient?_sort=family{PAGE}", f"Patient?_sort=-family{PAGE}"]
    )


def _modified(sample: Sample) -> Iterable[Scenario]:
    found = [f"Patient?name:contains={_text(name[1:5])}{PAGE}" for name in sample.families]
    yield Scenario("patient by :contains", "sampled", False, found)
    found = [f"Observation?patient={p}&code:not={_text(c)}{PAGE}" for p, c in sample.pairs]
    yield Scenario("patient, code:not", "sampled", False, found)
    found = [f"Observation?patient={p}&value-quantity:missing=true{PAGE}" for p in sample.patients]
    yield Scenario("patient, quantity:missing", "sampled", False, found)


def _nothing(sample: Sample) -> Iterable[Scenario]:
    code, measured = _text(sample.codes[0]), _text(next(iter(sample.quantities)))
    for name, query in (
        ("patient by name prefix", "Patient?name=zzzzqx"),
        ("a code", f"Observation?code={_text(NOWHERE)}"),
        ("code and quantity", f"Observation?code={measured}&value-quantity=gt99999999"),
        ("composite code-value", f"Observation?code-value-quantity={measured}$gt99999999"),
        ("code and date, by -date", f"Observation?code={code}&date=ge2199&_sort=-date"),
        ("chain to the patient's name, code", f"Observation?patient.name=zzzzqx&code={code}"),
        ("chain to two names of one code", f"Observation?patient.name=zzzzqx,zzzzqy&code={code}&_sort=-date"),
        ("_has of a code", f"Patient?_has:Observation:patient:code={_text(NOWHERE)}"),
        (
            "_has of a code with a quantity",
            f"Patient?_has:Observation:patient:code-value-quantity={measured}$gt99999999",
        ),
        ("patient by :contains", "Patient?name:contains=zzzqx"),
    ):
        yield Scenario(name, "none", False, [f"{query}{PAGE}"])


def _worst(sample: Sample) -> Iterable[Scenario]:
    code, patient = _text(sample.codes[0]), sample.patients[0]
    for name, query in (
        ("the most frequent code, by -date", f"Observation?code={code}&_sort=-date"),
        ("all observations, by -date", "Observation?_sort=-date"),
        ("a status that most have", "Observation?status=final"),
        ("… by -date", "Observation?status=final&_sort=-date"),
        ("… and another patient's code", f"Observation?status=final&code={code}&patient={patient}"),
        ("code:not of the most frequent", f"Observation?code:not={code}"),
        ("quantity:missing of all", "Observation?value-quantity:missing=true"),
        ("quantity alone", "Observation?value-quantity=gt100"),
        ("chain to a gender, by -date", "Observation?patient.gender=female&_sort=-date"),
        ("chain to a gender, code", f"Observation?patient.gender=female&code={code}"),
        ("_has of the most frequent, count", f"Patient?_has:Observation:patient:code={code}&_summary=count"),
        ("status, count", "Observation?status=final&_summary=count"),
    ):
        yield Scenario(name, "worst", False, [f"{query}{PAGE}"])


def _text(value: Code | str) -> str:
    return quote(value, safe="")


def _following(month: str) -> str:
    year, number = int(month[:4]), int(month[5:7])
    return f"{year + number // 12}-{number % 12 + 1:02d}"
