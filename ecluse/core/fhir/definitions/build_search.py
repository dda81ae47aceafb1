"""Makes `search_parameters.json` of the official R4 definitions.

Enters: the folder of the unpacked npm package (see build.py). Leaves: one file, the same bytes for the same package and
the same earlier file:

    python -m ecluse.core.fhir.definitions.build_search package

`paths` numbers what is indexed: `[number, search type, element path, systems]`. Search parameters that read the same
path share its number and so its index rows: a path is the expression without the conditions that a query can ask for
(the type of a reference's target) and without a data type that is the only one its search type can read. `systems` are
the code systems that a plain code stands for. A number is stored in databases: it never changes, new paths are
appended. Numbers from 20000 belong to parameters made at run time. `parameters` has a line for each type and code;
those under `Resource` hold for every type, their paths being those of the type itself. `targets` are left out when a
reference may point to any type. `compartments` names, for each compartment and type, the parameters that put a resource
into it.
Spec: http://hl7.org/fhir/R4/searchparameter-registry.html, http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path as File
from typing import Any

from ecluse.core.fhir.definitions.expressions import ends, parse, rendered
from ecluse.core.fhir.definitions.indexed import FIRST_AT_RUN_TIME, READS, absolute, normalised, targets_of
from ecluse.core.fhir.types import number_of

PREFIX = "http://hl7.org/fhir/SearchParameter/"

COLUMNS = {"_id", "_lastUpdated"}
"""Parameters that read the columns of the resource table, not index rows."""

BOOLEAN_SYSTEMS = ["http://hl7.org/fhir/special-values", "http://terminology.hl7.org/CodeSystem/special-values"]
"""The implicit system of booleans: in the page on search, and where it is published."""

EXAMPLES = {"example", "example-extension", "example-reference"}
"""Parameters of the package that only show what a SearchParameter looks like."""


def main(package: File) -> None:
    """Writes search_parameters.json beside this file, keeping the numbers that it has."""
    target = File(__file__).parent / "search_parameters.json"
    earlier = json.loads(target.read_text(encoding="utf-8"))["paths"] if target.exists() else []
    target.write_text(rendered_file(package, earlier), encoding="utf-8")


def rendered_file(package: File, earlier: list[list[Any]]) -> str:
    """The text of search_parameters.json. earlier: the paths of the committed file."""
    definitions = sorted(_read(package, "SearchParameter"), key=lambda item: str(item["id"]))
    parameters: dict[str, dict[str, dict[str, Any]]] = {}
    wanted: set[tuple[str, str]] = set()
    for resource_type in ("Resource", *number_of):
        parameters[resource_type] = _of_type(resource_type, definitions)
    general = [(entry["type"], text) for entry in parameters["Resource"].values() for text in entry.pop("paths", ())]
    for resource_type in number_of:
        wanted |= {(kind, text.replace("Resource", resource_type, 1)) for kind, text in general}
        wanted |= {
            (entry["type"], text) for entry in parameters[resource_type].values() for text in entry.get("paths", ())
        }
    numbers = _numbered(wanted, earlier)
    codes = _code_systems(package)
    paths = [[number, kind, text, *_systems(kind, text, codes)] for (kind, text), number in numbers.items()]
    for entries in parameters.values():
        for entry in entries.values():
            if "paths" in entry:
                entry["paths"] = [numbers[entry["type"], text] for text in entry["paths"]]
    types = ",\n".join(f"{json.dumps(name)}:{{\n{_lines(entries)}\n}}" for name, entries in parameters.items())
    return (
        '{"fhirVersion":"4.0.1",\n"paths":[\n'
        + ",\n".join(_compact(path) for path in sorted(paths))
        + f'\n],\n"parameters":{{\n{types}\n}},\n"compartments":{{\n{_lines(_compartments(package))}\n}}}}\n'
    )


def _read(package: File, resource_type: str) -> Iterator[dict[str, Any]]:
    for file in package.glob(f"{resource_type}-*.json"):
        item = json.loads(file.read_text(encoding="utf-8"))
        if item["id"] not in EXAMPLES:
            yield item


def _of_type(resource_type: str, definitions: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The parameters of a type, by code; paths still as text."""
    bases = {resource_type, "DomainResource"} if resource_type == "Resource" else {resource_type}
    found = {item["code"]: _entry(resource_type, item) for item in definitions if bases & set(item.get("base", ()))}
    return dict(sorted(found.items()))


def _entry(resource_type: str, item: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": item["type"], "url": item["url"].removeprefix(PREFIX)}
    if item["type"] == "composite":
        entry["components"] = [
            [part["definition"].removeprefix(PREFIX), part["expression"]] for part in item["component"]
        ]
        return entry | {"expression": item["expression"]}
    if "expression" not in item:
        return entry
    branches = [
        path for path in map(absolute(resource_type), parse(item["expression"])) if path[0].name == resource_type
    ]
    entry["expression"] = " | ".join(map(rendered, branches))
    if item["code"] in COLUMNS:
        return entry
    paths = normalised(branches, item["type"])
    if item["type"] == "reference" and (targets := targets_of(branches, item.get("target", ()))):
        entry["targets"] = targets
    return entry | {"paths": [rendered(path) for path in paths]}


def _numbered(wanted: Iterable[tuple[str, str]], earlier: Iterable[list[Any]]) -> dict[tuple[str, str], int]:
    numbers = {(kind, text): number for number, kind, text, *_ in earlier}
    following = max(numbers.values(), default=0) + 1
    for key in sorted(set(wanted) - set(numbers), key=lambda key: (number_of[_first(key[1])], key)):
        numbers[key] = following
        following += 1
    if following > FIRST_AT_RUN_TIME:
        raise ValueError("the numbers of built-in paths have reached those of parameters made at run time")
    return numbers


def _first(text: str) -> str:
    return parse(text)[0][0].name


def _systems(kind: str, text: str, codes: dict[str, list[str]]) -> list[list[str]]:
    """The code systems of a path that ends in plain codes or booleans, which are stored without."""
    (path,) = parse(text)
    kinds = {end.kind for end in ends(path)} & READS["token"]
    if kind != "token" or not kinds <= {"code", "boolean"}:
        return []
    if kinds == {"boolean"}:
        return [BOOLEAN_SYSTEMS]
    systems = codes.get(f"{ends(path[:-1])[0].kind}.{path[-1].name}", [])
    return [systems] if systems else []


def _code_systems(package: File) -> dict[str, list[str]]:
    """The code systems of each element of type code, by the path of the element."""
    sets = {item["url"]: item for item in _read(package, "ValueSet") if "url" in item}
    found: dict[str, list[str]] = {}
    for definition in _read(package, "StructureDefinition"):
        if definition.get("derivation") == "constraint":
            continue
        for element in definition["snapshot"]["element"]:
            if [kind["code"] for kind in element.get("type", ())] == ["code"] and "valueSet" in element.get(
                "binding", {}
            ):
                included = (
                    sets.get(element["binding"]["valueSet"].partition("|")[0], {}).get("compose", {}).get("include", ())
                )
                found[element["path"]] = sorted({part["system"] for part in included if "system" in part})
    return found


def _compartments(package: File) -> dict[str, dict[str, list[str]]]:
    return {
        item["code"]: {entry["code"]: entry["param"] for entry in item["resource"] if entry.get("param")}
        for item in sorted(_read(package, "CompartmentDefinition"), key=lambda item: str(item["code"]))
    }


def _lines(entries: dict[str, Any]) -> str:
    return ",\n".join(f"{json.dumps(name)}:{_compact(entry)}" for name, entry in entries.items())


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main(File(sys.argv[1]))
