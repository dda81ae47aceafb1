"""PMSI: the RSS of a stay or session, made of one to four RUM.

Enters: an episode with what its units coded and did. Leaves: a Claim, after the French EDS guide's EDSClaimRSS: one
item a RUM, which says its unit, dates, diagnoses (DP, DR, DAS by `diagnosisSequence`) and acts (`procedureSequence`).
docs/synth.md describes it.
Spec: https://interop.esante.gouv.fr/ig/fhir/eds/StructureDefinition/EDSClaimRSS · http://hl7.org/fhir/R4/claim.html
"""

from __future__ import annotations

from ecluse.cli.synth import moments
from ecluse.cli.synth.act import Done
from ecluse.cli.synth.codes import EDS, HL7, Json, ccam, cim10, coding, concept, hl7
from ecluse.cli.synth.plan import Episode
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.visit import USES, Coded

HOME, DEATH = "8", "9"
"""Modes of entry and exit: home, death."""


def rss(
    record: Record,
    episode: Episode,
    encounters: dict[str, Json],
    coded: dict[int, list[Coded]],
    done: dict[int, list[Done]],
) -> None:
    """Writes the RSS of the episode."""
    diagnoses: list[Json] = []
    procedures: list[Json] = []
    items = []
    for index, span in enumerate(episode.spans):
        item = {
            "sequence": index + 1,
            "productOrService": concept(coding(EDS + "FrClaimSupInfoCategoryPMSIMCO", "RUM"), text="RUM"),
            "servicedPeriod": {"start": moments.date_time(span.start), "end": moments.date_time(span.end)},
            "locationReference": record.hospital.ward(span.unit),
            "encounter": [encounters[f"unit{index}"]],
            "diagnosisSequence": _diagnoses(diagnoses, coded[index]),
        }
        acts = _procedures(procedures, done.get(index, []))
        items.append({**item, **({"procedureSequence": acts} if acts else {})})
    record.add(_claim(record, episode, diagnoses, procedures, items))


def _diagnoses(all_of_them: list[Json], coded: list[Coded]) -> list[int]:
    """The sequence numbers of a RUM's diagnoses, DP first."""
    for each in coded:
        all_of_them.append(
            {
                "sequence": len(all_of_them) + 1,
                "diagnosisCodeableConcept": cim10(each.code),
                "type": [concept(coding(EDS + "PMSIMCODiagType", each.use, USES[each.use]))],
            }
        )
    return list(range(len(all_of_them) - len(coded) + 1, len(all_of_them) + 1))


def _procedures(all_of_them: list[Json], done: list[Done]) -> list[int]:
    for act in done:
        all_of_them.append(
            {
                "sequence": len(all_of_them) + 1,
                "date": moments.date_time(act.moment),
                "procedureCodeableConcept": ccam(act.code),
            }
        )
    return list(range(len(all_of_them) - len(done) + 1, len(all_of_them) + 1))


def _claim(record: Record, episode: Episode, diagnoses: list[Json], procedures: list[Json], items: list[Json]) -> Json:
    kind = [coding(HL7 + "claim-type", "institutional"), coding(EDS + "FrClaimType", "PMSIMCO", "PMSI - MCO")]
    return {
        "resourceType": "Claim",
        "identifier": [record.named("rss", episode.notes["stay"])],
        "status": "active",
        "type": {"coding": kind},
        "use": "claim",
        "patient": record.subject,
        "billablePeriod": {"start": moments.date_time(episode.spans[0].start), "end": moments.date_time(episode.end)},
        "created": moments.date_time(episode.end),
        "provider": record.hospital.reference,
        "priority": hl7("processpriority", "normal"),
        "supportingInfo": _modes(episode),
        "diagnosis": diagnoses,
        **({"procedure": procedures} if procedures else {}),
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": record.coverage}}],
        "item": items,
    }


def _modes(episode: Episode) -> list[Json]:
    """Mode of entry and mode of exit."""
    modes = (("0", "Mode d'entrée", HOME), ("1", "Mode de sortie", DEATH if episode.died else HOME))
    return [
        {
            "sequence": sequence,
            "category": concept(coding(EDS + "FrClaimSupInfoCategoryPMSIMCO", "RUM")),
            "code": concept(coding(EDS + "FrClaimMode", code, name)),
            "valueString": value,
        }
        for sequence, (code, name, value) in enumerate(modes, 1)
    ]
