"""The values of a resource that no other one may share, by the parameters that were declared unique.

Enters: the tokens of a resource and the registry of its site. Leaves: claims: (parameter, key of the system, code).
"""

from __future__ import annotations

from collections.abc import Iterable

from mappers.search.registry import Registry
from mappers.search.rows import TokenRow

Claim = tuple[int, int, str]


def claims(resource_type: str, tokens: Iterable[TokenRow], registry: Registry) -> set[Claim]:
    """What a resource claims; a system without a value claims nothing."""
    rules = registry.unique.get(resource_type)
    if not rules:
        return set()
    found = [(path, system, code) for path, _, system, code in tokens if code]
    return {(rule.parameter, system, code) for rule in rules for path, system, code in found if path in rule.paths}
