"""Every official R4 file through XML and back, to the last digit and the last sign of its narrative."""

from __future__ import annotations

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.xml.reading import to_json
from ecluse.core.fhir.xml.writing import to_xml
from tests.official import COUNT, official_files
from tests.unit.core.fhir.xml.test_round_trip import lexemes

PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_json_to_xml_to_json_and_xml_to_json_to_xml_change_nothing(part: int) -> None:
    files = official_files()[part::PARTS]
    assert len(files) in (COUNT // PARTS, COUNT // PARTS + 1)
    differing = []
    for path in files:
        data = path.read_bytes()
        xml = to_xml(data)
        back = to_json(xml)
        if lexemes(back) != lexemes(data) or to_xml(back) != xml or json.decode(data) == {}:
            differing.append(path.name)
    assert differing == []
