"""JSON to XML and back, and XML to JSON and back, are the same resource."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core.fhir import json
from ecluse.core.fhir.xml.reading import to_json
from ecluse.core.fhir.xml.writing import to_xml
from tests.official import official

XHTML = "http://www.w3.org/1999/xhtml"
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\ufffe", "\uffff"])
    | st.sampled_from("\t\n\r&<>\"' "),
    min_size=1,
)
DECIMAL = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
EXTENSION = st.fixed_dictionaries({"url": TEXT, "valueString": TEXT}) | st.fixed_dictionaries(
    {"url": TEXT, "valueDecimal": DECIMAL.map(lambda text: msgspec.Raw(text.encode()))}
)
SIBLING = st.fixed_dictionaries({"extension": st.lists(EXTENSION, min_size=1, max_size=2)}, optional={"id": TEXT})


@st.composite
def given_names(draw: st.DrawFn) -> dict[str, Any]:
    """A HumanName whose given names have values, extensions, or both, in any order."""
    pairs = draw(
        st.lists(st.tuples(TEXT, st.none()) | st.tuples(st.none(), SIBLING) | st.tuples(TEXT, SIBLING), min_size=1)
    )
    values, siblings = [value for value, _ in pairs], [sibling for _, sibling in pairs]
    name: dict[str, Any] = {"given": values} if any(value is not None for value in values) else {}
    return {**name, "_given": siblings} if any(siblings) else name


def lexemes(data: bytes) -> Any:
    """Decoded JSON with the text of each number, so that 1.00 and 1.0 differ."""

    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: exact(member) for name, member in value.items()}
        if isinstance(value, list):
            return [exact(item) for item in value]
        return bytes(value) if isinstance(value, msgspec.Raw) else value

    return exact(json.decode_exactly(data))


@given(st.lists(given_names(), min_size=1, max_size=3), TEXT, st.lists(EXTENSION, min_size=1, max_size=3))
def test_any_text_number_and_sibling_comes_back(
    names: list[dict[str, Any]], text: str, extensions: list[dict[str, Any]]
) -> None:
    div = f'<div xmlns="{XHTML}">{text.translate({38: "&amp;", 60: "&lt;", 62: "&gt;", 13: "&#13;"})}</div>'
    resource = {
        "resourceType": "Patient",
        "text": {"status": "generated", "div": div},
        "extension": extensions,
        "name": names,
        "_birthDate": {"extension": extensions},
        "multipleBirthInteger": 0,
        "contained": [{"resourceType": "Organization", "name": text}],
    }
    data = json.encode(resource)
    xml = to_xml(data)
    assert lexemes(to_json(xml)) == lexemes(data)
    assert to_xml(to_json(xml)) == xml
    assert lexemes(to_json(to_xml(data, pretty=True))) == lexemes(data)


@pytest.mark.parametrize(
    "name",
    [
        "Patient-example",
        "Observation-decimal",
        "Bundle-bundle-transaction",
        "ExampleScenario-example",
        "Questionnaire-qs1",
        "ValueSet-yesnodontknow",
    ],
)
def test_an_official_file_comes_back(name: str) -> None:
    data = official(name)
    assert lexemes(to_json(to_xml(data))) == lexemes(data)
