"""XML text as events: elements, and each narrative as the text it is.

Enters: the bytes of a document. Leaves: calls to whoever builds something of it. No tree is built, so that depth and
length cost nothing; a document type is refused, so that there is no entity to expand and nothing to fetch.
Spec: http://hl7.org/fhir/R4/xml.html, http://hl7.org/fhir/R4/security.html#injection
"""

from __future__ import annotations

from typing import Protocol
from xml.parsers import expat

from ecluse.core.fhir.xml.narrative import XHTML, declared, is_xhtml

MOST_NARRATIVE_DEPTH = 1000
"""Readers of XML have a limit of their own; that of libxml2 is 2,048."""

_DIV = f"{XHTML} div"
_ENCODINGS = {"utf-8", "utf8", "us-ascii"}
_FIXES = {
    expat.errors.XML_ERROR_UNDEFINED_ENTITY: "XML has no names like &nbsp; for characters: write the character itself.",
    expat.errors.XML_ERROR_UNBOUND_PREFIX: "A prefix stands here that no xmlns declares.",
    expat.errors.XML_ERROR_NO_ELEMENTS: "The body has no element, or ends too early: send a whole resource.",
}


class Malformed(Exception):
    """The text is not XML that FHIR takes; it says why and what to do."""


class Builder(Protocol):
    """What the events go to. A name is "namespace local", or "local" without a namespace."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self) -> None:
        """The innermost element ends."""

    def characters(self, text: str) -> None:
        """Text between elements."""

    def narrative(self, div: str) -> None:
        """A <div> of XHTML, whole."""


class Document:
    """A document while it is read."""

    def __init__(self, data: bytes, builder: Builder) -> None:
        self._data = data
        self._builder = builder
        self._namespaces: list[tuple[str, str]] = []
        self._depth = 0
        self._began = 0
        self._empty = False
        parser = self._parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.StartNamespaceDeclHandler = self._namespace
        parser.EndNamespaceDeclHandler = lambda _: self._namespaces.pop()
        parser.StartDoctypeDeclHandler = _document_type
        parser.XmlDeclHandler = _declaration

    def read(self) -> None:
        """Calls the builder for all of it.

        Raises: Malformed
        """
        if self._data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise Malformed("Send XML in UTF-8: this is UTF-16.")
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise Malformed(self._reason(error)) from error

    @property
    def line(self) -> int:
        """The line of the present event."""
        return self._parser.CurrentLineNumber

    @property
    def at(self) -> str:
        """Line and column of the present event, in words."""
        return f"line {self.line}, column {self._parser.CurrentColumnNumber + 1}"

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._empty = False
        if self._depth:
            self._depth += 1
            if self._depth > MOST_NARRATIVE_DEPTH:
                raise Malformed(
                    f"Elements of a narrative may stand inside each other {MOST_NARRATIVE_DEPTH} times at most."
                )
        elif name == _DIV:
            self._depth, self._began, self._empty = 1, self._parser.CurrentByteIndex, True
        else:
            self._builder.start(name, attributes)

    def _end(self, _: str) -> None:
        if self._depth == 0:
            self._builder.end()
            return
        self._depth -= 1
        if self._depth == 0:
            self._builder.narrative(self._cut())
        self._empty = False

    def _characters(self, text: str) -> None:
        self._empty = False
        if self._depth == 0:
            self._builder.characters(text)

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces.append((prefix or "", uri or ""))

    def _cut(self) -> str:
        """The text of the narrative that ends here, made to stand alone."""
        at = self._parser.CurrentByteIndex
        alone = self._empty and self._data[at - 2 : at] == b"/>"  # <div/> ends behind itself, </div> before itself
        text = self._data[self._began : at if alone else self._data.index(b">", at) + 1].decode()
        return text if is_xhtml(text) else declared(text, dict(self._namespaces))

    def _reason(self, error: expat.ExpatError) -> str:
        try:
            self._data.decode()
        except UnicodeDecodeError as invalid:
            return f"The body must be UTF-8: byte 0x{self._data[invalid.start]:02x} at byte {invalid.start} is not."
        message = expat.ErrorString(error.code)
        return _FIXES.get(message, f"The body is not well-formed XML: {message}.")


def _document_type(*_: object) -> None:
    raise Malformed("FHIR has no document type and no entities: leave out <!DOCTYPE>.")


def _declaration(_: str, encoding: str | None, __: int) -> None:
    if encoding and encoding.lower() not in _ENCODINGS:
        raise Malformed(f"Send XML in UTF-8, and say so in its first line: it says {encoding}.")
