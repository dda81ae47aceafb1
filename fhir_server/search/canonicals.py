"""Chains over canonical addresses as SQL: what an address leads to, and what leads to a resource by its address.

Enters: a chain, forwards or backwards, and the place in a statement where a resource stands. Leaves: text, and
arguments added to the statement's. `url|1` leads to version 1, `url` to every version, as `_include` has it. The rows
of an address with a version are two (`mappers/search/reference.py`): the one without it says nothing then. Versions
stand in the index without case.
Spec: http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.search.place import Place
from fhir_server.search.query import Addressed, Addressing
from mappers.search.reference import ELSEWHERE

if TYPE_CHECKING:
    from fhir_server.search.tree import Tree

BAR, AFTER_BAR = "chr(124)", "chr(125)"
"""The sign before a version, and the one after it in the order of an index."""


def leads(tree: Tree, chain: Addressed, pk: str) -> str:
    """Whether an address of the resource with this key leads to one that matches."""
    link, named, target = tree.alias(), tree.alias(), tree.alias()
    where = [
        f"{link}.pk = {pk}",
        _is_address(tree, link, chain),
        f"CASE WHEN {_has_version(link)} THEN {_is_of_version(tree, chain, named, _version(link))}"
        f" ELSE {_stands_alone(tree, link, f'{link}.target_id')} END",
        *tree.all_hold(chain.conditions, Place(chain.type, f"{target}.pk", target)),
    ]
    url = f"{tree.at(named, (chain.named.url,))} AND {named}.code = {_url(link)}"
    row = f"{tree.resources(target, chain.type)} AND {target}.pk = {named}.pk AND NOT {target}.deleted"
    source = f"fhir.reference {link} JOIN fhir.token {named} ON {url} JOIN fhir.resource {target} ON {row}"
    return tree.exists(source, where)


def leading(tree: Tree, chain: Addressed, alias: str) -> list[str]:
    """Statements from FROM on, which have the key of what an address of it leads to a match in `<alias>.pk`."""
    return [_without_version(tree, chain, alias), _with_version(tree, chain, alias)]


def naming(tree: Tree, chain: Addressed, alias: str) -> str:
    """The same of any version, for a count that reads nothing but an index."""
    named = tree.alias()
    urls = f"SELECT {named}.code {_names(tree, chain, named)}"
    own = f"{_is_address(tree, alias, chain)} AND {alias}.target_id = ANY(ARRAY({urls}))"
    return f"FROM fhir.reference {alias}\nWHERE {own}"


def _without_version(tree: Tree, chain: Addressed, alias: str) -> str:
    return f"{naming(tree, chain, alias)} AND {_stands_alone(tree, alias, f'{alias}.target_id')}"


def _with_version(tree: Tree, chain: Addressed, alias: str) -> str:
    named, told, each = tree.alias(), tree.alias(), tree.alias()
    version = f"{told}.pk = {named}.pk AND {tree.at(told, (chain.named.version,))}"
    names = f"{named}.code AS url, {told}.code AS version {_names(tree, chain, named)}"
    names = f"SELECT DISTINCT {names}\nJOIN fhir.token {told} ON {version}"
    begins = f"{_is_address(tree, alias, chain)} AND {_begins_with(alias, f'{each}.url')}"
    same = f"{_version(alias)} = {each}.version"
    return f"FROM (\n{names}\n) {each}\nJOIN fhir.reference {alias} ON {begins}\nWHERE {same}"


def _names(tree: Tree, chain: Addressed, named: str) -> str:
    """FROM on, of the addresses of what matches, in `<named>.code`."""
    key = tree.alias()
    own = f"{named}.pk = {key}.pk AND {tree.at(named, (chain.named.url,))}"
    return f"FROM ({tree.keys(chain.type, chain.conditions)}) {key}\nJOIN fhir.token {named} ON {own}"


def is_led_to(tree: Tree, chain: Addressing, pk: str) -> str:
    """Whether something that matches leads to the resource with this key by its address."""
    found = []
    for versioned in (False, True):
        named, link = tree.alias(), tree.alias()
        address = f"{named}.code"
        how = _begins_with(link, address) if versioned else f"{link}.target_id = {address}"
        told = _is_of_version(tree, chain, named, _version(link)) if versioned else _stands_alone(tree, link, address)
        where = [
            f"{named}.pk = {pk}",
            tree.at(named, (chain.named.url,)),
            told,
            *tree.all_hold(chain.conditions, Place(chain.type, f"{link}.pk")),
        ]
        source = f"fhir.token {named} JOIN fhir.reference {link} ON {_is_address(tree, link, chain)} AND {how}"
        found.append(tree.exists(source, where))
    return f"({' OR '.join(found)})"


def led_to(tree: Tree, chain: Addressing, kind: str, alias: str) -> str:
    """A statement from FROM on, which has the key of what a match leads to in `<alias>.pk`. kind: the type of that"""
    key, link, named, row = tree.alias(), tree.alias(), tree.alias(), tree.alias()
    keys = f"FROM ({tree.keys(chain.type, chain.conditions)}) {key}"
    on = f"{link}.pk = {key}.pk AND {_is_address(tree, link, chain)}"
    counts = f"({_has_version(link)} OR {_stands_alone(tree, link, f'{link}.target_id')})"
    addresses = f"SELECT DISTINCT {link}.target_id {keys}\nJOIN fhir.reference {link} ON {on}\nWHERE {counts}"
    url = f"{tree.at(alias, (chain.named.url,))} AND {alias}.code = {_url(named)}"
    stands = f"{tree.resources(row, kind)} AND {row}.pk = {alias}.pk AND NOT {row}.deleted"
    version = f"(NOT {_has_version(named)} OR {_is_of_version(tree, chain, alias, _version(named))})"
    return (
        f"FROM (\n{addresses}\n) {named}\nJOIN fhir.token {alias} ON {url}\nJOIN fhir.resource {row} ON {stands}"
        f"\nWHERE {version}"
    )


def _is_address(tree: Tree, link: str, chain: Addressed | Addressing) -> str:
    return f"{tree.at(link, chain.paths)} AND {link}.target_type = {ELSEWHERE}"


def _stands_alone(tree: Tree, link: str, address: str) -> str:
    """Whether an address was written without a version: with one, the same resource has a row more."""
    other = tree.alias()
    where = [
        f"{other}.pk = {link}.pk",
        f"{other}.site = {tree.site} AND {other}.path = {link}.path AND {other}.target_type = {ELSEWHERE}",
        _begins_with(other, address),
    ]
    return f"NOT {tree.exists(f'fhir.reference {other}', where)}"


def _is_of_version(tree: Tree, chain: Addressed | Addressing, named: str, version: str) -> str:
    own = tree.alias()
    where = [f"{own}.pk = {named}.pk", tree.at(own, (chain.named.version,)), f"{own}.code = {version}"]
    return tree.exists(f"fhir.token {own}", where)


def _begins_with(link: str, address: str) -> str:
    """Whether it is this address with a version."""
    return f"{link}.target_id >= {address} || {BAR} AND {link}.target_id < {address} || {AFTER_BAR}"


def _has_version(link: str) -> str:
    return f"strpos({link}.target_id, {BAR}) > 0"


def _url(link: str) -> str:
    return f"split_part({link}.target_id, {BAR}, 1)"


def _version(link: str) -> str:
    return f"lower(substr({link}.target_id, strpos({link}.target_id, {BAR}) + 1))"
