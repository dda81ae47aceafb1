"""Acts, devices, imaging.

Enters: an episode. Leaves: Procedure (CCAM), Device and DeviceUseStatement, ImagingStudy, and the facts that reports
tell.
Spec: http://hl7.org/fhir/R4/procedure.html · http://hl7.org/fhir/R4/imagingstudy.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecluse.cli.synth import moments
from ecluse.cli.synth.codes import SNOMED, Json, act_label, ccam, coding, concept
from ecluse.cli.synth.hospital import Doctor
from ecluse.cli.synth.plan import Episode, Span
from ecluse.cli.synth.record import Record
from ecluse.cli.synth.story import Image, table

DICOM = "http://dicom.nema.org/resources/ontology/DCM"


@dataclass(slots=True)
class Seen:
    """An examination that was made: what its report says, and its study."""

    image: Image
    moment: datetime
    technique: str
    result: str
    conclusion: str
    study: Json
    encounter: Json
    doctor: Doctor


@dataclass(frozen=True, slots=True)
class Done:
    """An act of a RUM: code, when."""

    code: str
    moment: datetime


def acts(record: Record, episode: Episode, encounters: dict[str, Json]) -> dict[int, list[Done]]:
    """The acts of each unit stay; the operation is written with its performer and its device."""
    done: dict[int, list[Done]] = {}
    operation = episode.visit.operation
    for index, span in enumerate(episode.spans):
        for number, (code, day) in enumerate(span.plan.acts.items()):
            moment = _inside(span, day, 9 + number * 0.75)
            if operation and operation.act == code:
                moment = episode.at(operation.day, 11)
            done.setdefault(index, []).append(Done(code, moment))
            _procedure(record, code, moment, encounters[f"unit{index}"], record.doctor(span.unit))
    names = [act_label(act.code) for each in done.values() for act in each]
    if names:
        episode.notes["acts"] = ", ".join(dict.fromkeys(names))
    return done


def _inside(span: Span, day: int, hour: float) -> datetime:
    wanted = moments.at(span.start.date() + timedelta(days=day), hour)
    return min(max(wanted, span.start + timedelta(minutes=30)), span.end - timedelta(minutes=10))


def _procedure(record: Record, code: str, moment: datetime, encounter: Json, doctor: Doctor) -> Json:
    return record.add(
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": ccam(code),
            "subject": record.subject,
            "encounter": encounter,
            "performedDateTime": moments.date_time(moment),
            "performer": [{"actor": doctor.reference}],
        }
    )


def device(record: Record, name: str, moment: datetime) -> str:
    """What reports call the implant that is now in use."""
    code, label = table("codes")["devices"][name]
    kind = concept(coding(SNOMED, code, label if code else ""), text=label)
    lot = record.chance.digits(8)
    made = record.add(
        {
            "resourceType": "Device",
            "status": "active",
            "manufacturer": "Fabricant fictif SA",
            "lotNumber": lot,
            "serialNumber": f"FICTIF-{record.chance.digits(6)}",
            "deviceName": [{"name": label, "type": "user-friendly-name"}],
            "type": kind,
            "patient": record.subject,
        }
    )
    record.add(
        {
            "resourceType": "DeviceUseStatement",
            "status": "active",
            "subject": record.subject,
            "timingPeriod": {"start": moments.date_time(moment)},
            "recordedOn": moments.date_time(moment),
            "device": made,
        }
    )
    return f"{label} (lot {lot})"


def imaging(record: Record, episode: Episode, encounters: dict[str, Json]) -> list[Seen]:
    """The studies of the visit with their acts; conclusions are noted for the reports."""
    seen = []
    for number, image in enumerate(episode.visit.images):
        if record.chance.happens(image.chance):
            seen.append(_study(record, episode, encounters, image, number))
    episode.notes["imaging"] = " ".join(map(_said, seen))
    episode.notes["imaging_emergency"] = " ".join(_said(each) for each in seen if each.image.day == 0)
    return seen


def _said(seen: Seen) -> str:
    title = table("images")[seen.image.image]["title"]
    return f"{title} du {moments.short(seen.moment.date())} : {seen.conclusion}"


def _study(record: Record, episode: Episode, encounters: dict[str, Json], image: Image, number: int) -> Seen:
    row = table("images")[image.image]
    emergency = image.day == 0 and episode.emergency is not None
    moment = episode.at(image.day, 10.5 + number)
    if emergency:
        moment = episode.start + timedelta(minutes=75 + 30 * number)
    encounter = encounters["emergency" if emergency else "visit"]
    doctor, texts = record.doctor("imagerie"), row["findings"][image.finding]
    _procedure(record, row["ccam"], moment, encounter, doctor)
    study = record.add(_imaging_study(record, row, moment, encounter))
    technique, result, conclusion = map(episode.wording, (row["technique"], texts["result"], texts["conclusion"]))
    return Seen(image, moment, technique, result, conclusion, study, encounter, doctor)


def _imaging_study(record: Record, row: Json, moment: datetime, encounter: Json) -> Json:
    uid = f"2.25.{record.chance.new_uuid().int}"
    modality = coding(DICOM, row["modality"])
    images = record.chance.integer(1, 3) if row["modality"] in ("DX", "MG") else record.chance.integer(20, 220)
    series = {
        "uid": f"2.25.{record.chance.new_uuid().int}",
        "number": 1,
        "modality": modality,
        "description": row["title"],
        "numberOfInstances": images,
        "started": moments.date_time(moment),
    }
    return {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "status": "available",
        "modality": [modality],
        "subject": record.subject,
        "encounter": encounter,
        "started": moments.date_time(moment),
        "numberOfSeries": 1,
        "numberOfInstances": images,
        "procedureCode": [ccam(row["ccam"])],
        "description": row["title"],
        "series": [series],
    }
