"""The narrative's <div>: text in JSON, elements in XML, and the same signs in both.

Enters: the text of a div. Leaves: text that may stand inside XML. A div that is XHTML passes as it is; one that only a
browser would read is written as a browser reads it, since XML that holds anything else could not be parsed at all.
Spec: http://hl7.org/fhir/R4/narrative.html, http://hl7.org/fhir/R4/json.html#xhtml
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from lxml import etree, html

XHTML = "http://www.w3.org/1999/xhtml"
_OPEN = f'<div xmlns="{XHTML}"'
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def in_xml(div: str) -> str:
    """The text of this div inside an XML document."""
    div = div.strip()
    if is_xhtml(div):
        return div
    declared = _OPEN + div[4:]
    return declared if is_xhtml(declared) else _repaired(div)


def is_xhtml(text: str) -> bool:
    """Whether this is one well-formed <div> that declares its own namespaces."""
    names: list[str] = []
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = lambda name, _: names.append(name)
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(text.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return False
    return names[0] == f"{XHTML} div" and text.startswith("<div")


def declared(text: str, namespaces: Mapping[str, str]) -> str:
    """A div cut out of a document, made to stand alone: its names are those of XHTML without a prefix.

    text: of the element; namespaces: what the document around it declares, by prefix, "" for the default one
    """
    around = "".join(f" xmlns{prefix and ':'}{prefix}={quoteattr(uri)}" for prefix, uri in namespaces.items())
    return _Copy().of(f"<around{around}>{text}</around>")


class _Copy:
    """What stands inside the outermost element, written anew without prefixes."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.open: list[tuple[str, str]] = []
        self.starting = False

    def of(self, text: str) -> str:
        parser = expat.ParserCreate("utf-8", " ")
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler = lambda data: self.put(escape(data))
        parser.CommentHandler = lambda data: self.put(f"<!--{data}-->")
        parser.Parse(text.encode(), True)
        return "".join(self.parts)

    def put(self, text: str) -> None:
        self.parts.append(f">{text}" if self.starting else text)
        self.starting = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if self.open:
            new = f" xmlns={quoteattr(namespace)}" if namespace != self.open[-1][0] or not self.open[1:] else ""
            said = "".join(f" {key.rpartition(' ')[2]}={quoteattr(value)}" for key, value in attributes.items())
            self.put(f"<{local}{new}{said}")
            self.starting = True
        self.open.append((namespace, local))

    def end(self, _: str) -> None:
        _, local = self.open.pop()
        if self.open:
            self.parts.append("/>" if self.starting else f"</{local}>")
            self.starting = False


def _repaired(div: str) -> str:
    """What a browser makes of it; its words alone when even that is no XML."""
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    whole = html.document_fromstring(_UNWRITABLE.sub("\ufffd", div).encode(), parser=parser).find(".//div")
    if whole is None:
        return f"{_OPEN}/>"
    for element in whole.iter(etree.Element):
        element.tag = "span" if ":" in element.tag else element.tag  # <o:p> of a word processor
        for name in [name for name in element.attrib if ":" in name or name == "xmlns"]:
            del element.attrib[name]
    text = _OPEN + str(etree.tostring(whole, encoding="unicode", with_tail=False))[4:]
    return text if is_xhtml(text) else f"{_OPEN}>{escape(''.join(whole.itertext()))}</div>"


def _refuse(*_: object) -> None:
    raise expat.ExpatError("a document type")
