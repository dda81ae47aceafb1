"""The spellings of the code systems."""

from __future__ import annotations

import json
from importlib import resources

from ecluse.core.fhir.code_systems import canonical

TABLE = json.loads((resources.files("ecluse.core.fhir.definitions") / "code_system_alias.json").read_text("utf-8"))


def test_every_spelling_leads_to_its_system_and_has_a_source() -> None:
    spellings = [
        (spelling, address, source) for address, row in TABLE.items() for spelling, source in row["spellings"].items()
    ]
    assert len(spellings) > 15
    for spelling, address, source in spellings:
        assert canonical(spelling) == address
        assert len(source) > 10


def test_no_spelling_stands_under_two_systems_or_is_itself_an_address() -> None:
    spellings = [spelling for row in TABLE.values() for spelling in row["spellings"]]
    assert len(spellings) == len(set(spellings))
    assert not set(spellings) & TABLE.keys()


def test_an_address_and_an_unknown_system_stay_themselves() -> None:
    assert canonical("https://smt.esante.gouv.fr/terminologie-ccam") == "https://smt.esante.gouv.fr/terminologie-ccam"
    assert canonical("http://hospital.example/codes") == "http://hospital.example/codes"
