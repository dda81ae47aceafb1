"""Random filters: comparisons of a type's parameters, joined by `and`, `or` and `not (…)`.

Enters: a world and a random number generator. Leaves: the text of a filter, as `_filter` takes it.
"""

from __future__ import annotations

import json
from random import Random

from tests.property.search.awaited import is_awaited
from tests.property.search.definitions import Parameter, parameters
from tests.property.search.query_values import MODIFIED, Wanted, written
from tests.property.search.ranges import PREFIXES, split_prefix
from tests.property.search.world import World

OPERATIONS: dict[str, dict[str, str]] = {
    "string": {"eq": "exact", "ne": "exact", "co": "contains", "sw": "", "ew": "contains"},
    "token": {"eq": "", "ne": "", "ss": "above", "sb": "below", "in": "in", "ni": "not-in"},
    "reference": {"eq": "", "re": "", "ne": "", "identifier": "identifier", "ss": "above", "sb": "below"},
    "uri": {"eq": "", "ne": "", "ss": "above", "sb": "below"},
    "date": dict.fromkeys((*PREFIXES, "po"), ""),
    "number": dict.fromkeys(PREFIXES, ""),
    "quantity": dict.fromkeys(PREFIXES, ""),
}
"""For each search type, what each operation of a filter takes its values like."""
ATTEMPTS = 200


def filter_of(world: World, random: Random, resource_type: str, depth: int = 2) -> str:
    """A filter that resources of the type can be asked."""
    if depth == 0 or random.random() < 0.3:
        return _comparison(world, random, resource_type)
    parts = [filter_of(world, random, resource_type, depth - 1) for _ in range(random.choice((1, 2, 2, 3)))]
    joined = f" {random.choice(('and', 'or'))} ".join(parts)
    return random.choice((joined, f"({joined})", f"not ({joined})"))


def _comparison(world: World, random: Random, resource_type: str) -> str:
    own = [one for one in parameters(resource_type).values() if one.type in MODIFIED and one.type in OPERATIONS]
    own = [one for one in own if one.code != "_id"]
    for _ in range(ATTEMPTS):
        parameter = random.choice(own)
        if random.random() < 0.1:
            return f"{parameter.code} pr {random.choice(('true', 'false'))}"
        if found := _compared(world, random, resource_type, parameter):
            return found
    return f"_lastUpdated pr {random.choice(('true', 'false'))}"


def _compared(world: World, random: Random, resource_type: str, parameter: Parameter) -> str:
    """One comparison; "" when the resource that was chosen has no value for it, or one that needs an escape."""
    operation = random.choice(tuple(OPERATIONS[parameter.type]))
    feature = OPERATIONS[parameter.type][operation]
    if is_awaited(parameter.type, feature):
        return ""
    found = written(Wanted(world, random, parameter, feature, random.choice(world.by_type[resource_type])))
    if found is None or "\\" in found.text:
        return ""
    text = split_prefix(found.text)[1] if parameter.type in ("date", "number", "quantity") else found.text
    plain = not any(sign in text for sign in ' ()[]"\t')
    quoted = json.dumps(text, ensure_ascii=False)
    return f"{parameter.code} {operation} {text if plain and random.random() < 0.5 else quoted}"
