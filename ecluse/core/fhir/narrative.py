"""The narrative of a resource: which XHTML FHIR allows.

Enters: the text of a `div`. Leaves: "" or what is wrong with it.
Spec: http://hl7.org/fhir/R4/narrative.html#xhtml
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Any, Final

from lxml import etree

XHTML: Final = "{http://www.w3.org/1999/xhtml}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_ELEMENTS = frozenset(
    """
a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup dd del dfn dir div dl dt em
font h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q s samp small span strike strong sub sup table tbody td tfoot
th thead tr tt u ul var
""".split()
)
_ATTRIBUTES = frozenset(
    """
abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite
class color colspan compact coords datetime dir frame headers height href hreflang hspace id lang longdesc name nowrap
rel rev rowspan rules scope shape size span src start style summary tabindex title type usemap valign value vspace width
""".split()
)
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]*;)")


@lru_cache(maxsize=256)
def problem(div: str) -> str:
    """What is wrong with a narrative, "" when nothing is."""
    try:
        tree = etree.fromstring(_ENTITY.sub(_character, div), _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        return f"The narrative is not well-formed XHTML: {error}."
    if tree.tag != f"{XHTML}div":
        return f'The narrative is one <div xmlns="{XHTML[1:-1]}">: write its root so, with this namespace.'
    for element in tree.iter():
        if found := _wrong(element):
            return found
    return ""


def is_empty(div: str) -> bool:
    """Whether a narrative shows neither text nor image; False when it cannot be read."""
    try:
        tree = etree.fromstring(_ENTITY.sub(_character, div), _parser())
    except (etree.XMLSyntaxError, ValueError):
        return False
    return not "".join(tree.itertext()).strip() and tree.find(f".//{XHTML}img") is None


def _wrong(element: Any) -> str:
    tag = element.tag if isinstance(element.tag, str) else "?"
    name = tag.removeprefix(XHTML)
    if name not in _ELEMENTS or name == tag:
        return f"The narrative must not hold <{name}>: use the basic formatting elements of XHTML."
    for attribute in element.attrib:
        if attribute.removeprefix(_XML) not in _ATTRIBUTES and attribute != f"{_XML}space":
            return f"The narrative must not hold the attribute {attribute} of <{name}>: leave it out."
    return ""


def _character(found: re.Match[str]) -> str:
    """The character that a named entity of HTML stands for; XML itself knows five of them only."""
    return html.unescape(found[0])


def _parser() -> etree.XMLParser:
    """No entities of its own, no network, no comments; a parser is made for each use since it keeps state."""
    return etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, load_dtd=False)
