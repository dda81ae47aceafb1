"""The references of a resource: finds them, and rewrites what a transaction gives new addresses to.

Enters: an accepted resource in memory. Leaves: the objects that hold a reference, or the same resource with its links
replaced. Where links may stand is compiled once for each type, from the definitions; no other text is looked at.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from functools import partial
from threading import Lock
from typing import Any, Final, NamedTuple

from ecluse.core.fhir.definitions.structures import members, structures

_Node = dict[str, Any]
"""Names that lead to links: the node of an object, or one of the marks below. Names that lead to none are left out."""

_LINK: Final = 1
"""The text of a reference."""
_NARRATIVE: Final = 2
_RESOURCE: Final = 3
_LINK_TEXT: Final = 4
"""A text that is a link as a whole: uri, url, oid, uuid."""

UUID: Final = "urn:uuid:"
_LINK_TYPES = {"uri", "url", "oid", "uuid"}
_HTML_LINK = re.compile(r"""(<(?:a|img)\b[^<>]*?\b(?:href|src)\s*=\s*)(?:"([^"<]*)"|'([^'<]*)')""")


class _Trees(NamedTuple):
    """The nodes of all types that were seen. marks: what is looked for; extensions: whether to look into them"""

    marks: frozenset[int]
    extensions: bool
    nodes: dict[str, _Node]


_REWRITING = _Trees(frozenset({_LINK, _LINK_TEXT, _NARRATIVE}), True, {})
_FINDING = _Trees(frozenset({_LINK}), True, {})
_BARE = _Trees(frozenset({_LINK}), False, {})
_making = Lock()
"""Nodes are made by one thread at a time and shown to others when they are whole."""


def rewrite(resource_type: str, resource: dict[str, Any], mapping: Mapping[str, str]) -> None:
    """Replaces, in place, each link that mapping names.

    mapping: from the address a bundle uses, "urn:uuid:…" or "http://…/Patient/1", to the new one, "Patient/2"
    Looks at references, elements of type uri, url, oid and uuid, and <a href> and <img src> of narratives; never at
    other text. A #fragment stays; the version of a reference stays when the resource keeps its type and id.
    Spec: http://hl7.org/fhir/R4/http.html#trules"""
    _rewrite(_node(resource_type, _REWRITING), resource, mapping)


def rewrite_references(references: Iterable[dict[str, Any]], mapping: Mapping[str, str]) -> int:
    """As `rewrite`, for these Reference objects. Returns: how many of them named a UUID"""
    count = 0
    for reference in references:
        link = reference["reference"]
        count += link.startswith(UUID)
        if (new := replaced(link, mapping)) is not None:
            reference["reference"] = new
    return count


def literal_references(
    resource_type: str, resource: dict[str, Any], *, extensions: bool = True
) -> list[dict[str, Any]]:
    """The Reference objects of a resource that have a `reference`, in their order; those of contained resources too.

    extensions: False when it surely holds none
    Spec: http://hl7.org/fhir/R4/references.html#literal"""
    found: list[dict[str, Any]] = []
    trees = _FINDING if extensions else _BARE
    _find(_node(resource_type, trees), resource, found, trees)
    return found


def is_conditional(reference: Mapping[str, Any]) -> bool:
    """Whether a Reference object that has a `reference` names a search: "Practitioner?identifier=system|value".

    Spec: http://hl7.org/fhir/R4/http.html#trules"""
    return "?" in reference["reference"] and not reference["reference"].startswith(("http:", "https:", "urn:", "#"))


def may_hold_extensions(text: bytes) -> bool:
    """Whether the name of an extension stands in JSON, or may stand there in escapes."""
    return b'xtension"' in text or (b"\\" in text and b"\\u" in text)


def replaced(link: str, mapping: Mapping[str, str]) -> str | None:
    """The new text of a link, None when mapping does not name it."""
    if (whole := mapping.get(link)) is not None:
        return whole
    if "#" in link:
        base, _, fragment = link.partition("#")
        new = mapping.get(base)
        return None if new is None else f"{new}#{fragment}"
    if "/_history/" in link:
        base, _, version = link.partition("/_history/")
        new = mapping.get(base)
        return new if new is None or not f"/{base}".endswith(f"/{new}") else f"{new}/_history/{version}"
    return None


def _rewrite(node: _Node, value: dict[str, Any], mapping: Mapping[str, str]) -> None:
    for name, member in value.items():
        child = node.get(name)
        if child is None:
            continue
        if type(child) is dict:
            for one in member if type(member) is list else (member,):
                if one is not None:
                    _rewrite(child, one, mapping)
        elif child == _LINK or child == _LINK_TEXT:
            if type(member) is str:
                new = replaced(member, mapping)
                if new is not None:
                    value[name] = new
            else:
                value[name] = [one and (replaced(one, mapping) or one) for one in member]
        elif child == _NARRATIVE:
            value[name] = _in_narrative(member, mapping)
        else:
            for one in member if type(member) is list else (member,):
                _rewrite(_node(one["resourceType"], _REWRITING), one, mapping)


def _find(node: _Node, value: dict[str, Any], found: list[dict[str, Any]], trees: _Trees) -> None:
    for name, member in value.items():
        child = node.get(name)
        if child is None:
            continue
        if type(child) is dict:
            for one in member if type(member) is list else (member,):
                if one is not None:
                    _find(child, one, found, trees)
        elif child == _LINK:
            found.append(value)
        else:
            for one in member if type(member) is list else (member,):
                _find(_node(one["resourceType"], trees), one, found, trees)


def _node(type_name: str, trees: _Trees) -> _Node:
    """The node of a type, made at first use."""
    node = trees.nodes.get(type_name)
    if node is None:
        with _making:
            made = dict(trees.nodes)
            node = _made(type_name, made, trees)
            trees.nodes.update(_pruned(made))
    return node


def _made(type_name: str, made: dict[str, _Node], trees: _Trees) -> _Node:
    """The node of a type, and in `made` those it leads to."""
    if type_name in made:
        return made[type_name]
    node = made[type_name] = {}
    for name, (element, kind) in members(type_name).items():
        if kind == "Extension" and not trees.extensions:
            continue
        if kind not in structures().primitives:
            node[name] = _RESOURCE if kind == "Resource" else _made(kind, made, trees)
            continue
        if (mark := _mark(type_name, name, kind)) in trees.marks:
            node[name] = mark
        if not element.attribute and trees.extensions:
            node["_" + name] = _made("Element", made, trees)
    return node


def _pruned(made: dict[str, _Node]) -> dict[str, _Node]:
    """The same nodes, without the names that lead nowhere."""
    while barren := [(node, name) for node in made.values() for name, child in node.items() if child == {}]:
        for node, name in barren:
            del node[name]
    return made


def _mark(type_name: str, name: str, kind: str) -> int | None:
    if type_name == "Reference" and name == "reference":
        return _LINK
    return _NARRATIVE if kind == "xhtml" else _LINK_TEXT if kind in _LINK_TYPES else None


def _in_narrative(div: str, mapping: Mapping[str, str]) -> str:
    return _HTML_LINK.sub(partial(_html_link, mapping), div) if "href" in div or "src" in div else div


def _html_link(mapping: Mapping[str, str], found: re.Match[str]) -> str:
    double, single = found[2], found[3]
    new = replaced(html.unescape(double if double is not None else single), mapping)
    if new is None:
        return found[0]
    mark = '"' if double is not None else "'"
    return f"{found[1]}{mark}{html.escape(new)}{mark}"
