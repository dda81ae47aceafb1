"""Headers of any kind name a format, or none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.http import formats
from fhir_server.http.formats import JSON_TYPES, XML_TYPES

WEIGHT = st.integers(0, 10).map(lambda tenths: tenths / 10)


@given(st.text(), st.text())
def test_no_header_and_no_query_is_too_odd(accept: str, asked: str) -> None:
    formats.wanted({"accept": accept}, asked)
    formats.wanted({"accept": accept}, f"_format={asked}&_pretty={asked}")


@given(st.sampled_from(sorted(JSON_TYPES)), WEIGHT, st.sampled_from(sorted(XML_TYPES)), WEIGHT, st.booleans())
def test_the_heavier_format_wins(json: str, json_weight: float, xml: str, xml_weight: float, xml_first: bool) -> None:
    offers = [f"{json};q={json_weight}", f"{xml} ; q={xml_weight}"]
    found = formats.wanted({"accept": ", ".join(reversed(offers) if xml_first else offers)}, "")
    assert found.served == (json_weight + xml_weight > 0)
    if found.served:
        assert found.xml == (xml_weight > json_weight or (xml_weight == json_weight and xml_first))
