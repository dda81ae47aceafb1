"""The references of a resource: finds them, and rewrites what a transaction gives new addresses to.

Enters: an accepted resource in memory. Leaves: the objects that hold a reference, or the same resource with its links
replaced. Where links may stand is compiled once for each type, from the definitions; no other text is looked at.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import partial
from threading import Lock
from typing import Any, Final

from ecluse.core.fhir.definitions.structures import members, structures

_Node = dict[str, Any]
"""Names that lead to links: the node of an object, or one of the marks below."""

_LINK: Final = 1
"""A text that is a link as a whole: reference, uri, url, oid, uuid."""
_NARRATIVE: Final = 2
_RESOURCE: Final = 3

_LINK_TYPES = {"uri", "url", "oid", "uuid"}
_HTML_LINK = re.compile(r"""(<(?:a|img)\b[^<>]*?\b(?:href|src)\s*=\s*)(?:"([^"<]*)"|'([^'<]*)')""")

_rewriting: dict[str, _Node] = {}
_finding: dict[str, _Node] = {}
_making = Lock()
"""Nodes are made by one thread at a time and shown to others when they are whole."""


def rewrite(resource_type: str, resource: dict[str, Any], mapping: Mapping[str, str]) -> None:
    """Replaces, in place, each link that mapping names.

    mapping: from the address a bundle uses, "urn:uuid:…" or "http://…/Patient/1", to the new one, "Patient/2"
    Looks at references, elements of type uri, url, oid and uuid, and <a href> and <img src> of narratives; never at
    other text. A #fragment stays; the version of a reference stays when the resource keeps its type and id.
    Spec: http://hl7.org/fhir/R4/http.html#trules"""
    _rewrite(_node(resource_type, _rewriting), resource, mapping)


def literal_references(resource_type: str, resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The Reference objects of a resource that have a `reference`, in their order; those of contained resources too.

    Spec: http://hl7.org/fhir/R4/references.html#literal"""
    found: list[dict[str, Any]] = []
    _find(_node(resource_type, _finding), resource, found)
    return iter(found)


def conditional_references(resource_type: str, resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The Reference objects that name a search, each with it: "Practitioner?identifier=system|value".

    Spec: http://hl7.org/fhir/R4/http.html#trules"""
    for reference in literal_references(resource_type, resource):
        if "?" in reference["reference"] and not reference["reference"].startswith(("http:", "https:", "urn:", "#")):
            yield reference, reference["reference"]


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
        elif child == _LINK:
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
                _rewrite(_node(one["resourceType"], _rewriting), one, mapping)


def _find(node: _Node, value: dict[str, Any], found: list[dict[str, Any]]) -> None:
    for name, member in value.items():
        child = node.get(name)
        if child is None:
            continue
        if type(child) is dict:
            for one in member if type(member) is list else (member,):
                if one is not None:
                    _find(child, one, found)
        elif child == _LINK:
            found.append(value)
        else:
            for one in member if type(member) is list else (member,):
                _find(_node(one["resourceType"], _finding), one, found)


def _node(type_name: str, nodes: dict[str, _Node]) -> _Node:
    """The node of a type, made at first use."""
    node = nodes.get(type_name)
    if node is None:
        with _making:
            made = dict(nodes)
            node = _made(type_name, made, rewriting=nodes is _rewriting)
            nodes.update(made)
    return node


def _made(type_name: str, made: dict[str, _Node], *, rewriting: bool) -> _Node:
    """The node of a type, and in `made` those it leads to."""
    if type_name in made:
        return made[type_name]
    node = made[type_name] = {}
    for name, (element, kind) in members(type_name).items():
        if kind not in structures().primitives:
            node[name] = _RESOURCE if kind == "Resource" else _made(kind, made, rewriting=rewriting)
            continue
        if mark := _mark(type_name, name, kind, rewriting=rewriting):
            node[name] = mark
        if not element.attribute:
            node["_" + name] = _made("Element", made, rewriting=rewriting)
    return node


def _mark(type_name: str, name: str, kind: str, *, rewriting: bool) -> int | None:
    if type_name == "Reference" and name == "reference":
        return _LINK
    if not rewriting:
        return None
    return _NARRATIVE if kind == "xhtml" else _LINK if kind in _LINK_TYPES else None


def _in_narrative(div: str, mapping: Mapping[str, str]) -> str:
    return _HTML_LINK.sub(partial(_html_link, mapping), div) if "href" in div or "src" in div else div


def _html_link(mapping: Mapping[str, str], found: re.Match[str]) -> str:
    double, single = found[2], found[3]
    new = replaced(html.unescape(double if double is not None else single), mapping)
    if new is None:
        return found[0]
    mark = '"' if double is not None else "'"
    return f"{found[1]}{mark}{html.escape(new)}{mark}"
