"""Patients one by one: who they are, what befalls them, and the bundle of each hospital that knows them.

Enters: seed, number of the patient, hospitals, last day. Leaves: (site, bundle) pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from ecluse.cli.synth import act, claim, measure, moments, report, treat, visit, vitals
from ecluse.cli.synth.chance import Chance
from ecluse.cli.synth.codes import FINESS, LOINC, SNOMED, Json, coding, concept, hl7, identifier, short
from ecluse.cli.synth.hospital import Hospital
from ecluse.cli.synth.person import Person, patient, person
from ecluse.cli.synth.plan import Episode, episodes, first_day
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import Story, stories, table

COMORBID_SHARE = 0.4
BOTH_SITES_EVERY = 8
"""Every eighth patient is known at two hospitals, when there are two: another IPP, the same person."""
TOBACCO = "F17.2"


def bundles(seed: int, number: int, hospitals: Sequence[Hospital], until: date) -> Iterator[tuple[Hospital, Json]]:
    """The bundle of a patient for each hospital that knows them. number: from 1"""
    chance = Chance(seed, "patient", number)
    chosen = _stories(seed, number, chance)
    main = chosen[0]
    starts = [first_day(story, chance, until) for story in chosen]
    someone = person(chance, chance.happens(main.female), chance.integer(*main.age), starts[0])
    lived = _until_death(episodes(list(zip(chosen, starts, strict=True)), chance, until), someone)
    home = (number - 1) % len(hospitals)
    for offset, part in enumerate(_shared(lived, number, len(hospitals))):
        place = hospitals[(home + offset) % len(hospitals)]
        if part:
            yield place, _bundle(Chance(seed, "record", number, place.slug), place, someone, chosen, part, until)


def _stories(seed: int, number: int, chance: Chance) -> list[Story]:
    """The main story, dealt so that all are told before one comes back, and sometimes a lasting illness besides."""
    every = list(stories().values())
    main = Chance(seed, "deal", (number - 1) // len(every)).shuffled(every)[(number - 1) % len(every)]
    others = [
        story
        for story in every
        if story.chronic and story is not main and story.age[0] <= main.age[0] and main.age[1] <= story.age[1] + 15
    ]
    if others and not main.chronic and chance.happens(COMORBID_SHARE):
        return [main, chance.pick(others)]
    return [main]


def _until_death(lived: list[Episode], someone: Person) -> list[Episode]:
    for index, episode in enumerate(lived):
        if episode.died:
            someone.death = moments.date_time(episode.end)
            return lived[: index + 1]
    return lived


def _shared(lived: list[Episode], number: int, sites: int) -> Iterator[list[Episode]]:
    """The episodes of each hospital: all at one, or every second visit at another."""
    if sites == 1 or number % BOTH_SITES_EVERY:
        yield lived
    else:
        yield lived[::2]
        yield lived[1::2]


def _bundle(
    chance: Chance, place: Hospital, someone: Person, chosen: list[Story], lived: list[Episode], until: date
) -> Json:
    record = Record(someone, place, chance, ipp=chance.digits(10))
    first = lived[0].start.date()
    last = lived[-1].end.date() if someone.death else until
    _start(record, chosen, first)
    record.coverage = record.add(_coverage(record, first))["reference"]
    treat.allergies(record, first)
    treat.vaccines(record, first, last - timedelta(days=1))
    for number, episode in enumerate(lived):
        _play(record, episode, first_one=number == 0)
    kind = concept(coding("http://terminology.hl7.org/CodeSystem/v2-0203", "PI"))
    ipp = identifier(place.system("ipp"), record.ipp, "usual", kind)
    doctor = f"Dr {chance.pick(table('names')['family'])}, médecin traitant"
    return record.bundle(patient(someone, ipp, place.reference, doctor))


def _start(record: Record, chosen: list[Story], first: date) -> None:
    """What the file holds before the first visit: lasting conditions, treatment, family, way of life."""
    smoker = False
    for story in chosen:
        for code, years in story.history.items():
            since = first - timedelta(days=int(years * 365.25 * record.chance.uniform(0.6, 1.2)))
            smoker = smoker or code == TOBACCO
            record.problem(code, f"{max(since, record.person.birth):%Y-%m}", first)
            record.antecedents.append(f"{short(code)} ({max(since, record.person.birth).year})")
        record.home = list(dict.fromkeys([*record.home, *story.home]))
    record.family_history = record.chance.pick(chosen[0].family)
    record.lifestyle = _lifestyle(record, smoker, record.person.age(first) < measure.ADULT)


def _lifestyle(record: Record, smoker: bool, child: bool) -> str:
    kind = "child" if child else "smoker" if smoker else "other"
    text = record.chance.pick(table("reports")["lifestyle"][kind])
    return str(text).format(packs=record.chance.integer(15, 50), e="e" if record.person.female else "")


def _coverage(record: Record, first: date) -> Json:
    insurer = table("hospital")["insurer"]
    payor = {"reference": f"Organization?identifier={FINESS}|{insurer['finess']}", "display": insurer["name"]}
    return {
        "resourceType": "Coverage",
        "status": "active",
        "type": {"text": "Assurance maladie obligatoire"},
        "beneficiary": record.subject,
        "period": {"start": f"{first.year}-01-01"},
        "payor": [payor],
    }


def _play(record: Record, episode: Episode, first_one: bool) -> None:
    """Writes all that a visit leaves behind, reports last since they tell the rest."""
    encounters, coded = visit.encounters(record, episode)
    if first_one:
        _smoking(record, encounters["visit"], episode)
        vitals.body(record, encounters["visit"], episode)
    vitals.vitals(record, episode, encounters)
    measure.laboratory(record, episode, encounters)
    measure.cultures(record, episode, encounters)
    done = act.acts(record, episode, encounters)
    seen = act.imaging(record, episode, encounters)
    implant = _implant(record, episode)
    treat.prescriptions(record, episode, encounters)
    if not episode.died:
        treat.at_home(record, episode, encounters)
    if episode.visit.kind in visit.BILLED:
        claim.rss(record, episode, encounters, coded, done)
    report.imaging(record, episode, seen)
    report.operation(record, episode, encounters, implant)
    report.pathology(record, episode, encounters)
    report.reports(record, episode, encounters)
    record.home = episode.visit.home or record.home
    if episode.visit.kind == "stay":
        record.antecedents.append(f"{short(episode.spans[0].plan.dp)} ({episode.end.year})")


def _implant(record: Record, episode: Episode) -> str:
    operation = episode.visit.operation
    if operation and operation.device:
        return act.device(record, operation.device, episode.at(operation.day, 11))
    if episode.visit.device:
        return act.device(record, episode.visit.device, episode.at(0, 11))
    return ""


def _smoking(record: Record, encounter: Json, episode: Episode) -> None:
    if record.person.age(episode.start.date()) < measure.ADULT:
        return
    smoker = TOBACCO in record.problems
    status = ("77176002", "Fumeur") if smoker else ("266919005", "N'a jamais fumé")
    name = "Statut tabagique"
    moment = episode.at(0, 0)
    record.add(
        {
            "resourceType": "Observation",
            "status": "final",
            "category": [hl7("observation-category", "social-history")],
            "code": concept(coding(LOINC, "72166-2", name), text=name),
            "subject": record.subject,
            "encounter": encounter,
            "effectiveDateTime": moments.date_time(moment),
            "valueCodeableConcept": concept(coding(SNOMED, *status), text=status[1]),
        }
    )
