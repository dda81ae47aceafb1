"""XML Patch: the resource as XML, patched, and read again.

Enters: a <diff> of operations add, replace and remove. Leaves: a change. The resource keeps what XML and JSON both can
say, which is all of it but the order of its members.
Spec: https://www.rfc-editor.org/rfc/rfc5261, http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from lxml import etree

from ecluse.core.errors import BadRequest, Issue, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.patch.selector import FHIR, Unreadable, selector
from ecluse.core.fhir.xml.reading import to_json
from ecluse.core.fhir.xml.writing import to_xml

MOST_OPERATIONS = 1000
_ATTRIBUTE = re.compile(r"@[A-Za-z_][\w.-]*")
_POSITIONS = ("", "before", "after", "prepend")


class _Refused(Exception):
    """Why an operation cannot be done."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. content: the element that holds what is added; kind: `type` of add, "@active"; position: of add"""

    index: int
    op: str
    sel: str
    select: Callable[[Any], list[Any]]
    content: Any
    kind: str
    position: str


def read(data: bytes) -> Callable[[dict[str, Any]], Any]:
    """The change that an XML Patch describes.

    Raises: BadRequest (400) with an issue for each operation that cannot be read"""
    operations = operations_of(data)
    return lambda resource: apply(operations, resource)


def operations_of(data: bytes) -> list[Operation]:
    """The operations of a <diff>.

    Raises: BadRequest (400) with an issue for each that cannot be read"""
    diff = _parsed(data)
    elements = [element for element in diff if isinstance(element.tag, str)]
    if etree.QName(diff).localname != "diff" or len(elements) > MOST_OPERATIONS:
        raise BadRequest(f"An XML Patch is a <diff> with at most {MOST_OPERATIONS} operations.", expression="diff")
    operations: list[Operation] = []
    issues: list[Issue] = []
    for index, element in enumerate(elements):
        try:
            operations.append(_operation(element, index))
        except Unreadable as error:
            found = f"found {etree.QName(element).localname} {element.get('sel', '')[:80]}"
            issues.append(Issue(str(error), f"diff.operation[{index}]", found, "value"))
    if issues:
        raise BadRequest(issues=issues)
    return operations


def apply(operations: Sequence[Operation], resource: dict[str, Any]) -> Any:
    """The resource after all operations.

    Raises: Unprocessable (422) with the index of the operation that cannot be done, or what is wrong with the result"""
    root = _parsed(to_xml(json.encode(resource)), trusted=True)
    change(operations, root)
    try:
        return json.decode_exactly(to_json(etree.tostring(root, encoding="utf-8")))
    except BadRequest as error:
        raise Unprocessable(issues=error.issues) from None


def change(operations: Sequence[Operation], root: Any) -> None:
    """Does all operations on a document. root: its element, such as <Patient>

    Raises: Unprocessable (422) with the index of the operation that cannot be done"""
    for one in operations:
        try:
            _DO[one.op](one, _single(one, root))
        except _Refused as refused:
            text = f"Operation {one.index} of the patch ({one.op}): {refused}"
            told = f"operation[{one.index}] {one.op} {one.sel[:200]}"
            issue = Issue(text, etree.QName(root).localname, told, "processing")
            raise Unprocessable(issues=[issue]) from None


def _single(one: Operation, root: Any) -> Any:
    """The one thing that a path selects.

    Spec: https://www.rfc-editor.org/rfc/rfc5261#section-4.1"""
    found = one.select(root)
    if len(found) != 1:
        raise _Refused(f"the path selects {len(found)} nodes; it has to select one.")
    return found[0]


def _add(one: Operation, node: Any) -> None:
    if not etree.iselement(node):
        raise _Refused("the path selects an attribute or text; add to an element.")
    if one.kind:
        name = one.kind.removeprefix("@")
        if name in node.attrib:
            raise _Refused(f"{one.kind} stands there already: use replace.")
        node.set(name, one.content.text or "")
        return
    if one.position not in ("before", "after"):
        _put(node, 0 if one.position == "prepend" else len(node), one)
        return
    parent = node.getparent()
    if parent is None:
        raise _Refused("nothing stands beside the resource itself.")
    _put(parent, parent.index(node) + (one.position == "after"), one)


def _replace(one: Operation, node: Any) -> None:
    if not etree.iselement(node):
        _write(node, one.content.text or "")
        return
    new = [element for element in one.content if isinstance(element.tag, str)]
    parent = node.getparent()
    if len(new) != 1 or parent is None:
        raise _Refused("replace an element by one element; the resource itself stays.")
    made = deepcopy(new[0])
    made.tail = node.tail
    parent.replace(node, made)


def _remove(one: Operation, node: Any) -> None:
    if not etree.iselement(node):
        _write(node, None)
        return
    parent = node.getparent()
    if parent is None:
        raise _Refused("the resource itself cannot be removed: DELETE it.")
    before = node.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (node.tail or "")
    else:
        parent.text = (parent.text or "") + (node.tail or "")
    node.tail = None
    parent.remove(node)


_DO: dict[str, Callable[[Operation, Any], None]] = {"add": _add, "replace": _replace, "remove": _remove}


def _put(parent: Any, at: int, one: Operation) -> None:
    """Puts copies of the elements of an operation into an element, with the text around them. The text that stood at
    this place comes before what is put last or before something, and after what is put first or after something."""
    holder, name = (parent[at - 1], "tail") if at else (parent, "text")
    stood, text = getattr(holder, name) or "", one.content.text or ""
    shifted = one.position in ("after", "prepend")
    setattr(holder, name, text if shifted else stood + text)
    for offset, element in enumerate(one.content):
        parent.insert(at + offset, deepcopy(element))
    if shifted and stood:
        holder, name = (parent[at + len(one.content) - 1], "tail") if at + len(one.content) else (parent, "text")
        setattr(holder, name, (getattr(holder, name) or "") + stood)


def _write(text: Any, value: str | None) -> None:
    """Writes an attribute or a text, or takes it away."""
    holder = text.getparent()
    if text.is_attribute:
        holder.attrib.pop(text.attrname)
        if value is not None:
            holder.set(text.attrname, value)
    elif text.is_tail:
        holder.tail = value
    else:
        holder.text = value


def _operation(element: Any, index: int) -> Operation:
    op, kind, position = etree.QName(element).localname, element.get("type", ""), element.get("pos", "")
    if op not in _DO:
        raise Unreadable(f"An operation is one of {', '.join(_DO)}.")
    if kind and not _ATTRIBUTE.fullmatch(kind):
        raise Unreadable("type names an attribute, as in type='@value'; namespaces cannot be added.")
    if position not in _POSITIONS:
        raise Unreadable("pos is before, after or prepend, or left out to append.")
    select = selector(element.get("sel", ""), element.nsmap)
    for inside in element.iterdescendants():
        if isinstance(inside.tag, str) and not inside.tag.startswith("{"):
            inside.tag = f"{{{FHIR}}}{inside.tag}"
    return Operation(index, op, element.get("sel", ""), select, element, kind, position)


def _parsed(data: bytes, *, trusted: bool = False) -> Any:
    """The root of a document without a document type: nothing is expanded, nothing is fetched. trusted: it is our own,
    so its texts may be long"""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, huge_tree=trusted
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadRequest("The patch is not XML.", expression="diff", diagnostics=str(error)[:200]) from None
    if root.getroottree().docinfo.doctype:
        raise BadRequest("Leave out the document type.", expression="diff")
    return root
