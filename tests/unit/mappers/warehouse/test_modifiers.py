"""A modifier that nobody knows excludes, however deep it is and however its name is written."""

from __future__ import annotations

import pytest

from ecluse.core.fhir.json import decode
from mappers.warehouse import mapping
from mappers.warehouse.record import Context, Excluded

DEEP = b'{"resourceType": "Medication", "ingredient": [{"strength": {"numerator": {%s: [{"url": "urn:x"}]}}}]}'
NAMES = [b'"modifierExtension"', b'"modifier\\u0045xtension"', b'"\\u006dodifierExtension"']


@pytest.mark.parametrize("name", NAMES)
def test_a_modifier_is_found_with_the_text_as_without_it(name: bytes) -> None:
    body = DEEP % name
    excluded = Excluded("unknown modifierExtension")
    assert mapping.rows(decode(body), Context(), body) == mapping.rows(decode(body), Context()) == excluded


def test_another_extension_excludes_nothing() -> None:
    body = DEEP % b'"extension"'
    assert not isinstance(mapping.rows(decode(body), Context(), body), Excluded)
