"""People that no one ever was: name, birth, address, telephone, INS.

Enters: a stream of chance, age and sex. Leaves: a `Person`, and its Patient resource at one hospital. An INS here is
of the test or demo system only, and its birthplace has a commune code (990 to 999) that INSEE gives to no commune of
metropolitan France: the number has the shape and the key of a NIR and can be nobody's.
Spec: https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from ecluse.cli.synth import moments
from ecluse.cli.synth.chance import Chance
from ecluse.cli.synth.codes import FR_CORE, FR_TYPE, Json, coding, concept, hl7, identifier, profile
from ecluse.cli.synth.story import table

INS = {"INS-NIR-TEST": "urn:oid:1.2.250.1.213.1.4.10", "INS-NIR-DEMO": "urn:oid:1.2.250.1.213.1.4.11"}
COMMUNES = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
DEMO_SHARE, UNQUALIFIED_SHARE = 0.15, 0.1


@dataclass(slots=True)
class Person:
    """birthplace, home: rows of places.yaml; ins: (type, number), or ("", "") when the identity is not qualified."""

    female: bool
    family: str
    used: str
    given: list[str]
    birth: date
    birthplace: list[str]
    street: str
    home: list[str]
    phone: str
    mobile: str
    ins: tuple[str, str]
    contact: tuple[str, str, str]
    death: str = ""

    def age(self, day: date) -> int:
        """Full years at a day."""
        return moments.years(self.birth, day)

    @property
    def email(self) -> str:
        """An address of a domain that is kept for examples (RFC 2606)."""
        return f"patient.{self.mobile.replace(' ', '')[2:]}@example.org"


def person(chance: Chance, female: bool, age: int, day: date) -> Person:
    """Someone of that sex and age at a day."""
    birth = day - timedelta(days=int(age * 365.25) + chance.integer(1, 364))
    names, places = table("names"), table("places")
    family = chance.pick(names["family"])
    married = female and age > 30 and chance.happens(0.45)
    birthplace, home = chance.pick(places["communes"]), chance.pick(places["communes"])
    street = f"{chance.integer(1, 148)} {chance.pick(places['street_kinds'])} {chance.pick(places['street_names'])}"
    relation = ("mère" if chance.happens(0.6) else "père") if age < 18 else chance.pick(("conjoint", "enfant", "ami"))
    return Person(
        female=female,
        family=family,
        used=chance.pick(names["family"]) if married else family,
        given=_given(chance, female, birth.year),
        birth=birth,
        birthplace=birthplace,
        street=street,
        home=home,
        phone=_phone(chance, home[3]),
        mobile=_phone(chance, "mobile"),
        ins=_ins(chance, female, birth, birthplace[1]),
        contact=(chance.pick(names["family"]), _phone(chance, "mobile"), relation),
    )


def _given(chance: Chance, female: bool, year: int) -> list[str]:
    by_year = table("names")["female" if female else "male"]
    names = by_year[max(first for first in by_year if first <= max(year, min(by_year)))]
    first = chance.pick(names)
    return [first, *(name for name in (chance.pick(names), chance.pick(names)) if name != first)][:3]


def _phone(chance: Chance, zone: int | str) -> str:
    digits = chance.digits(4)
    return f"{table('places')['phones'][zone]} {digits[:2]} {digits[2:]}"


def _ins(chance: Chance, female: bool, birth: date, commune: str) -> tuple[str, str]:
    if chance.happens(UNQUALIFIED_SHARE):
        return "", ""
    kind = "INS-NIR-DEMO" if chance.happens(DEMO_SHARE) else "INS-NIR-TEST"
    number = f"{2 if female else 1}{birth:%y%m}{commune[:2]}99{chance.digits(1)}{chance.integer(1, 999):03d}"
    return kind, f"{number}{97 - int(number) % 97:02d}"


def patient(person: Person, ipp: Json, manager: Json, doctor: str) -> Json:
    """The Patient resource of a person at one hospital.

    ipp: Identifier; manager: Reference; doctor: name of the general practitioner"""
    kind, number = person.ins
    ins = [identifier(INS[kind], number, "official", concept(coding(FR_TYPE, kind)))] if kind else []
    official: Json = {"use": "official", "family": person.family, "given": person.given}
    used = [{"use": "usual", "family": person.used, "given": person.given[:1]}] if person.used != person.family else []
    return {
        "resourceType": "Patient",
        "meta": profile("fr-core-patient"),
        "extension": _extensions(person, "VALI" if kind else "PROV"),
        "identifier": [*ins, ipp],
        "active": True,
        "name": [official, *used],
        "telecom": [
            {"system": "phone", "value": person.phone, "use": "home"},
            {"system": "phone", "value": person.mobile, "use": "mobile"},
            {"system": "email", "value": person.email},
        ],
        "gender": "female" if person.female else "male",
        "birthDate": person.birth.isoformat(),
        **({"deceasedDateTime": person.death} if person.death else {}),
        "address": [_address(person)],
        "contact": [_contact(person)],
        "generalPractitioner": [{"display": doctor}],
        "managingOrganization": manager,
    }


def _extensions(person: Person, status: str) -> list[Json]:
    reliability = coding(FR_CORE + "CodeSystem/fr-core-cs-v2-0445", status)
    commune = {"url": FR_CORE + "StructureDefinition/fr-core-address-insee-code"}
    place = {
        "extension": [{**commune, "valueCoding": coding(COMMUNES, person.birthplace[1])}],
        "city": person.birthplace[0],
        "country": "FR",
    }
    return [
        {
            "url": FR_CORE + "StructureDefinition/fr-core-identity-reliability",
            "extension": [{"url": "identityStatus", "valueCoding": reliability}],
        },
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": place},
    ]


def _address(person: Person) -> Json:
    city, _, postal_code, _ = person.home
    return {
        "use": "home",
        "line": [person.street],
        "city": city,
        "postalCode": postal_code,
        "country": "FR",
        "text": f"{person.street}, {postal_code} {city}",
    }


def _contact(person: Person) -> Json:
    family, phone, relation = person.contact
    return {
        "relationship": [{**hl7("v2-0131", "C", "Emergency Contact"), "text": relation}],
        "name": {"family": family, "text": f"{family} ({relation})"},
        "telecom": [{"system": "phone", "value": phone, "use": "mobile"}],
    }
