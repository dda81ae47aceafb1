"""What the quick way finds sound breaks no rule; and it finds most of what is sound."""

from __future__ import annotations

import random
from typing import Any

from ecluse.core.errors import BadRequest
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.validation.base import problems
from ecluse.core.fhir.validation.sound import is_sound
from tests.official import official, official_files

MOST_BYTES = 20_000
ADDRESSES = {"urn:uuid:1": "Organization", "urn:uuid:2": "Patient"}
TEXTS = ("x", "2020", "#x", "Patient/1", "Organization/1", "urn:uuid:1", "urn:uuid:2", "entered-in-error", "completed")


def changed(value: Any, chance: random.Random) -> None:
    """Takes something away somewhere below, puts something else there, or says it of another member."""
    while True:
        inside = [one for one in _members(value) if isinstance(value[one], dict | list) and value[one]]
        if not inside or chance.random() < 0.25:
            break
        value = value[chance.choice(inside)]
    member = chance.choice(_members(value))
    match chance.randrange(4):
        case 0 if len(value) > 1:
            del value[member]
        case 1 if isinstance(value, dict):
            value["extension"] = [{"url": "http://a", **({"valueCode": "x"} if chance.random() < 0.5 else {})}]
        case 2 if isinstance(value[member], list) and value[member]:
            value[member].append(chance.choice(value[member]))
        case _:
            value[member] = chance.choice(TEXTS)


def _members(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value)))


def test_what_is_found_sound_breaks_no_rule() -> None:
    chance = random.Random(4)
    broken = sound = mild = 0
    for path in official_files():
        if path.stat().st_size > MOST_BYTES:
            continue
        for _ in range(3):
            value = json.decode(path.read_bytes())
            changed(value, chance)
            try:
                resource = accept(None, json.encode(value))
            except BadRequest:
                continue
            told = [one.text for one in problems(resource, warnings=False, addresses=ADDRESSES)]
            extensions = b"xtension" in json.encode(resource)
            if is_sound(resource, ADDRESSES, extensions=extensions):
                assert told == [], (path.name, told)
                assert not problems(resource, warnings=False, addresses=ADDRESSES, extensions=extensions)
                warned = problems(resource, addresses=ADDRESSES)
                assert problems(resource, addresses=ADDRESSES, sound=True, extensions=extensions) == warned
                mild += len({one.text for one in warned})
                sound += 1
            broken += bool(told)
    assert broken > 200
    assert sound > 2000
    assert mild > 150


def test_most_of_what_breaks_no_rule_is_found_sound() -> None:
    counted = found = 0
    for path in official_files():
        resource = json.decode(path.read_bytes())
        if resource["resourceType"] not in ("Bundle", "Parameters") and path.stat().st_size < MOST_BYTES:
            counted += 1
            found += is_sound(resource, {}, extensions=b"xtension" in path.read_bytes())
    assert found > 0.6 * counted


def test_a_contained_resource_that_nobody_refers_to_is_not_sound() -> None:
    report = json.decode(official("DiagnosticReport-ultrasound"))
    assert is_sound(report, {}, extensions=False)
    report["contained"] = [{"resourceType": "Practitioner", "id": "a"}]
    assert not is_sound(report, {}, extensions=False)
    report["performer"] = [{"reference": "#a"}]
    assert is_sound(report, {}, extensions=False)
    report["performer"] = [{"reference": "#b"}]
    assert not is_sound(report, {}, extensions=False)
