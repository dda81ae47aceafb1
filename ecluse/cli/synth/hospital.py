"""Hospitals that do not exist: legal entity, site, units, doctors, and how a patient's resources refer to them.

Enters: the name of a site and its place in the list. Leaves: two transaction bundles, loaded before the patients, and
conditional references. Nothing here hangs on the seed, so that patients of several seeds are treated at the same
hospital. FINESS numbers start with 99, which is no département; RPPS numbers start with 99, which ANS does not issue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ecluse.cli.synth.chance import Chance
from ecluse.cli.synth.codes import (
    FINESS,
    FR_ORGANIZATION,
    FR_TYPE,
    RPPS,
    Json,
    coding,
    concept,
    hl7,
    identifier,
    luhn,
    profile,
)
from ecluse.cli.synth.story import table

PROFESSIONS = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
PHYSICIAN = coding(PROFESSIONS, "10", "Médecin")


@dataclass(frozen=True, slots=True)
class Doctor:
    """rpps: 11 digits, of no one."""

    rpps: str
    family: str
    given: str
    female: bool
    unit: str

    @property
    def name(self) -> str:
        """As reports sign."""
        return f"Dr {self.given} {self.family.upper()}"

    @property
    def reference(self) -> Json:
        """A conditional reference by RPPS number."""
        return {"reference": f"Practitioner?identifier={RPPS}|{self.rpps}", "display": self.name}


@dataclass(frozen=True, slots=True)
class Hospital:
    """slug: the site's name; legal, place: FINESS of the legal and of the geographic entity; doctors: by unit."""

    slug: str
    name: str
    commune: list[str]
    legal: str
    place: str
    doctors: dict[str, list[Doctor]] = field(default_factory=dict)

    def system(self, kind: str) -> str:
        """The identifier system of the hospital for a kind of number: ipp, sejour, mouvement."""
        return f"https://{self.slug}.hopital.example/ns/{kind}"

    @property
    def reference(self) -> Json:
        """The hospital itself, by FINESS."""
        return {"reference": f"Organization?identifier={FINESS}|{self.place}", "display": self.name}

    def unit(self, unit: str) -> Json:
        """A unit as Organization, by its UF code."""
        code, name, *_ = table("hospital")["units"][unit]
        return {"reference": f"Organization?identifier={self.system('uf')}|{code}", "display": name}

    def ward(self, unit: str) -> Json:
        """A unit as Location."""
        code, name, *_ = table("hospital")["units"][unit]
        return {"reference": f"Location?identifier={self.system('lieu')}|{code}", "display": name}


def unit_name(unit: str) -> str:
    """What reports call a unit."""
    return str(table("hospital")["units"][unit][1])


def hospital(slug: str, index: int) -> Hospital:
    """The hospital of a site; index: its place among the sites of this run."""
    chance = Chance("hospital", slug)
    rows = table("hospital")
    row = rows["hospitals"][index % len(rows["hospitals"])]
    commune = next(each for each in table("places")["communes"] if each[0] == row["commune"])
    number = chance.digits(5)
    return Hospital(
        slug, row["name"], commune, luhn(f"99{number}0"), luhn(f"99{number}1"), _doctors(chance, rows["units"])
    )


def _doctors(chance: Chance, units: dict[str, list[str]]) -> dict[str, list[Doctor]]:
    names, prefix, number = table("names"), chance.digits(5), 0
    made: dict[str, list[Doctor]] = {}
    for unit in units:
        for _ in range(table("hospital")["doctors_per_unit"]):
            number += 1
            female = chance.happens(0.5)
            given = chance.pick(names["female" if female else "male"][chance.pick((1958, 1975, 1990))])
            rpps = luhn(f"99{prefix}{number:03d}")
            made.setdefault(unit, []).append(Doctor(rpps, chance.pick(names["family"]), given, female, unit))
    return made


def organizations(place: Hospital) -> Json:
    """The transaction bundle of legal entity, site, insurer, units and wards."""
    return _bundle(place, _organizations(place))


def practitioners(place: Hospital) -> Json:
    """The transaction bundle of doctors and their roles; it refers to the organizations, which are loaded before."""
    return _bundle(place, _practitioners(place))


def _bundle(place: Hospital, resources: Iterator[Json]) -> Json:
    """Each resource is created unless one with its first identifier exists."""
    ids = Chance("hospital bundle", place.slug)
    entries = []
    for resource in resources:
        first = resource["identifier"][0]
        request = {
            "method": "POST",
            "url": resource["resourceType"],
            "ifNoneExist": f"identifier={first['system']}|{first['value']}",
        }
        full_url = f"urn:uuid:{resource.pop('uuid', None) or ids.new_uuid()}"
        entries.append({"fullUrl": full_url, "resource": resource, "request": request})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _organizations(place: Hospital) -> Iterator[Json]:
    ids = Chance("hospital ids", place.slug)
    legal, site = str(ids.new_uuid()), str(ids.new_uuid())
    yield _organization(legal, place.name, _finess("FINEJ", place.legal), "LEGAL-ENTITY", "Entité légale")
    city, _, postal_code, zone = place.commune
    address = {"use": "work", "line": ["1 place de l'Écluse"], "city": city, "postalCode": postal_code, "country": "FR"}
    phone = {"system": "phone", "value": f"{table('places')['phones'][zone]} 00 00", "use": "work"}
    site_type = ("GEOGRAPHICAL-ENTITY", "Entité géographique")
    made = _organization(site, place.name, _finess("FINEG", place.place), *site_type, part_of=legal)
    yield {**made, "telecom": [phone], "address": [address]}
    insurer = table("hospital")["insurer"]
    yield {
        "uuid": str(ids.new_uuid()),
        "resourceType": "Organization",
        "identifier": [_finess("FINEJ", insurer["finess"])],
        "active": True,
        "type": [hl7("organization-type", "ins", "Insurance Company")],
        "name": insurer["name"],
    }
    for code, name, _, bed in table("hospital")["units"].values():
        unit = str(ids.new_uuid())
        number = identifier(place.system("uf"), code, "official", concept(coding(FR_TYPE, "INTRN")))
        yield _organization(unit, name, number, "UF", "Unité fonctionnelle", part_of=site)
        yield _location(place, code, name, unit, bed)


def _finess(kind: str, value: str) -> Json:
    return identifier(FINESS, value, "official", concept(coding(FR_TYPE, kind)))


def _organization(uuid: str, name: str, number: Json, code: str, kind: str, part_of: str = "") -> Json:
    return {
        "uuid": uuid,
        "resourceType": "Organization",
        "meta": profile("fr-core-organization"),
        "identifier": [number],
        "active": True,
        "type": [concept(coding(FR_ORGANIZATION, code, kind))],
        "name": name,
        **({"partOf": {"reference": f"urn:uuid:{part_of}"}} if part_of else {}),
    }


def _location(place: Hospital, code: str, name: str, unit: str, bed: bool) -> Json:
    return {
        "resourceType": "Location",
        "meta": profile("fr-core-location"),
        "identifier": [identifier(place.system("lieu"), code)],
        "status": "active",
        "name": name,
        "mode": "instance",
        "physicalType": hl7("location-physical-type", "wa" if bed else "area", "Ward" if bed else "Area"),
        "managingOrganization": {"reference": f"urn:uuid:{unit}"},
    }


def _practitioners(place: Hospital) -> Iterator[Json]:
    ids = Chance("doctor ids", place.slug)
    for unit, doctors in place.doctors.items():
        specialty = table("hospital")["units"][unit][2]
        for doctor in doctors:
            uuid = str(ids.new_uuid())
            yield {
                "uuid": uuid,
                "resourceType": "Practitioner",
                "meta": profile("fr-core-practitioner"),
                "identifier": [identifier(RPPS, doctor.rpps, "official", concept(coding(FR_TYPE, "RPPS")))],
                "active": True,
                "name": [{"family": doctor.family, "given": [doctor.given], "prefix": ["DR"]}],
                "gender": "female" if doctor.female else "male",
                "qualification": [{"code": {"coding": [PHYSICIAN], "text": specialty}}],
            }
            yield {
                "resourceType": "PractitionerRole",
                "meta": profile("fr-core-practitioner-role"),
                "identifier": [identifier(place.system("activite"), f"{doctor.rpps}-{unit}")],
                "active": True,
                "practitioner": {"reference": f"urn:uuid:{uuid}"},
                "organization": place.unit(unit),
                "specialty": [{"text": specialty}],
            }
