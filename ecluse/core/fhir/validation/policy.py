"""How deep which resources are checked, and whether what does not pass is refused or stored with its issues.

Enters: the text of a setting, "base Observation=profiles+flag north/Patient=structure". Leaves: one rule for a site and
type: that of site and type, else of the type, else of the site (`north/*`), else the one without a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from ecluse.core.fhir.types import number_of

FLAG = "+flag"


class Depth(IntEnum):
    """structure: what acceptance checks; base: bindings, targets and invariants of R4; profiles: and those that
    apply."""

    STRUCTURE = 0
    BASE = 1
    PROFILES = 2


class Rule(NamedTuple):
    """flag: what does not pass is stored, and its issues with it."""

    depth: Depth = Depth.STRUCTURE
    flag: bool = False


DEPTHS = {depth.name.lower(): depth for depth in Depth}
WORDS = ", ".join(DEPTHS)


class Policy(NamedTuple):
    """Rules by "", "Type", "site/*" and "site/Type"."""

    rules: Mapping[str, Rule]

    def rule(self, site: str, resource_type: str) -> Rule:
        """The rule for a type at a site."""
        for name in (f"{site}/{resource_type}", resource_type, f"{site}/*"):
            if name in self.rules:
                return self.rules[name]
        return self.rules.get("", Rule())

    def deepest(self) -> Depth:
        """The depth that some type is checked to."""
        return max((rule.depth for rule in self.rules.values()), default=Depth.STRUCTURE)


def read_rule(text: str) -> Rule:
    """A rule, "profiles" or "profiles+flag".

    Raises: ValueError that says what to write
    """
    name = text.removesuffix(FLAG)
    if name not in DEPTHS:
        raise ValueError(f"{text!r} is no depth of validation: write {WORDS}, each with or without {FLAG}")
    return Rule(DEPTHS[name], text.endswith(FLAG))


@cache
def read_policy(text: str) -> Policy:
    """The rules of a setting.

    Raises: ValueError that names the part that cannot be read
    """
    rules: dict[str, Rule] = {}
    for part in text.replace(",", " ").split():
        name, _, rule = part.rpartition("=")
        _check_name(name, part)
        rules[name] = read_rule(rule)
    return Policy(rules)


@cache
def read_required(text: str) -> Mapping[str, tuple[str, ...]]:
    """The profiles that apply without being named, "Patient=URL north/Observation=URL", by "Type" and "site/Type".

    Raises: ValueError that names the part that cannot be read
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split():
        name, _, canonical = part.partition("=")
        _check_name(name, part)
        if not canonical or not name:
            raise ValueError(f"{part!r}: write Type=URL of the profile, or site/Type=URL")
        found[name] = (*found.get(name, ()), canonical)
    return found


def _check_name(name: str, part: str) -> None:
    kind = name.rpartition("/")[2]
    if kind and kind != "*" and kind not in number_of:
        raise ValueError(f"{part!r}: FHIR R4 has no resource type {kind}")
