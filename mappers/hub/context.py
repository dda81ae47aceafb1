"""What pseudonymising one resource needs to know besides the resource.

Enters: keys that the caller derived for one project, and whom the resource is about. Leaves: pseudonyms, the days by
which a person's dates move, and the digests under which a feed files its records. Two projects have different keys, so
they share no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

PSEUDONYM_BYTES = 20
"""160 bits: no two of them meet, and no list of ids can be run through without the key."""

# Base 32 of RFC 4648 in small letters, ten bits at a time.
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_SHIFTS = range(8 * PSEUDONYM_BYTES - 10, -1, -10)


@dataclass(frozen=True, slots=True)
class Keys:
    """One project's keys, 32 bytes each, one a purpose. They do not show themselves."""

    person: bytes = field(repr=False)
    resource: bytes = field(repr=False)
    shift: bytes = field(repr=False)
    record: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def of_person(self, person: int) -> str:
        """The pseudonym of a person: the id of the Patient, and what every reference to it names."""
        return _pseudonym(self.person, str(person))

    def of_resource(self, site: str, resource_type: str, resource_id: str) -> str:
        """The pseudonym of any other resource."""
        return _pseudonym(self.resource, f"{site}/{resource_type}/{resource_id}")

    def of_record(self, site: str, resource_type: str, resource_id: str) -> str:
        """The key under which a resource stands in the feed; it tells nothing, not even to the recipient."""
        return _pseudonym(self.record, f"{site}/{resource_type}/{resource_id}")

    def of_content(self, content: bytes) -> str:
        """A digest that tells whether two records say the same, and nothing to who has not the key."""
        return _mac(self.digest, content).hex()

    def shift_days(self, person: int, low: int, high: int) -> int:
        """By how many days a person's dates move: one of low to high, never 0, always the same."""
        number = int.from_bytes(_mac(self.shift, str(person).encode()), "big")
        spans_zero = low <= 0 <= high
        day = low + number % (high - low + 1 - spans_zero)
        return day + 1 if spans_zero and day >= 0 else day


@lru_cache(maxsize=8192)
def _pseudonym(key: bytes, text: str) -> str:
    number = int.from_bytes(_mac(key, text.encode())[:PSEUDONYM_BYTES], "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def _mac(key: bytes, text: bytes) -> bytes:
    mac = _prepared(key).copy()
    mac.update(text)
    return mac.finalize()


@lru_cache(maxsize=64)
def _prepared(key: bytes) -> HMAC:
    return HMAC(key, SHA256())


@dataclass(frozen=True)
class Context:
    """Whom resources are about, in one project.

    patient: id of the Patient in whose compartment they are; person: whom that is
    shift: (low, high) days; at: day of these versions, on which ages are counted
    birth_date: what of it leaves, "year" or "month"; systems: code systems the project adds, with the form of their
    codes; bases: addresses of this site's FHIR base, with a final slash, that references may begin with
    """

    keys: Keys
    site: str
    patient: str
    person: int
    at: date
    shift: tuple[int, int] = (-364, 364)
    birth_date: str = "year"
    systems: Mapping[str, str] = field(default_factory=dict)
    bases: tuple[str, ...] = ()

    @cached_property
    def days(self) -> int:
        """By how many days the dates of this person move."""
        return self.keys.shift_days(self.person, *self.shift)

    def pseudonym(self, resource_type: str, resource_id: str) -> str | None:
        """The id that stands for a resource of this site; None for another patient, whose person is not known here."""
        if resource_type != "Patient":
            return self.keys.of_resource(self.site, resource_type, resource_id)
        return self.keys.of_person(self.person) if resource_id == self.patient else None
