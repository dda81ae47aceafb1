"""The paths of XML Patch: a part of XPath that selects by name, place and value.

Enters: a path and the prefixes that its document declares. Leaves: a function from an element to what the path selects.
Nothing but this part reaches XPath, so no path can compute, or search the whole document again and again. A name
without a prefix is in the document's default namespace, which is FHIR's unless it says otherwise.
Spec: https://www.rfc-editor.org/rfc/rfc5261#section-4.1
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

FHIR = "http://hl7.org/fhir"
LONGEST = 2000

_NAME = r"(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*"
_TEXT = r"""(?:'[^']*'|"[^"]*")"""
_OPERAND = rf"(?:@{_NAME}|\.|(?:{_NAME}/)*(?:{_NAME}|@{_NAME}))"
_PREDICATE = rf"\[\s*(?:[0-9]{{1,9}}|{_OPERAND}\s*=\s*{_TEXT})\s*\]"
_STEP = rf"(?:{_NAME}|\*)(?:{_PREDICATE})*"
_PATH = re.compile(rf"/?{_STEP}(?:/{_STEP})*(?:/(?:@{_NAME}|text\(\)(?:\[[0-9]{{1,9}}\])?))?")
_TOKEN = re.compile(rf"{_TEXT}|text\(\)|(@?)({_NAME})")


class Unreadable(Exception):
    """A path outside the part that is read, or with a prefix that nobody declared."""


def selector(path: str, prefixes: Mapping[str | None, str]) -> Callable[[Any], list[Any]]:
    """What selects elements, attributes and texts.

    Raises: Unreadable"""
    path = path.strip()
    if len(path) > LONGEST or not _PATH.fullmatch(path):
        raise Unreadable("Select by names, indexes and values, as in fhir:Patient/fhir:name[1]/fhir:family/@value.")
    known = {prefix: space for prefix, space in prefixes.items() if prefix}
    known["_"] = prefixes.get(None, FHIR)

    def qualified(found: re.Match[str]) -> str:
        at, name = found[1], found[2]
        if not name or at or ":" in name:
            return found[0]
        return f"_:{name}"

    text = _TOKEN.sub(qualified, path)
    try:
        compiled = etree.XPath(text if text.startswith("/") else f"/{text}", namespaces=known)
        compiled(etree.Element("x"))  # tells unknown prefixes now
    except etree.XPathError as error:
        raise Unreadable(f"This path cannot be read: {error}.") from None
    return lambda root: list(compiled(root))
