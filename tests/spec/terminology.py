"""Code systems and value sets that the terminology tests store, and how they ask.

The code system is a small tree with a second way up:

    animal            abstract
    ├── mammal
    │   ├── dog       "chien" in French
    │   ├── whale     also below swimmer
    │   └── dodo      inactive
    └── swimmer
        └── fish
"""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]
ANIMALS = "http://example.org/CodeSystem/animals"
FRENCH = {"language": "fr", "value": "chien"}


def animals(url: str = ANIMALS, **given: Any) -> Json:
    """The code system."""
    return {
        "resourceType": "CodeSystem",
        "url": url,
        "version": "1",
        "name": "Animals",
        "title": "Animals of the tests",
        "status": "active",
        "content": "complete",
        "caseSensitive": True,
        "property": [
            {"code": "legs", "type": "integer"},
            {"code": "sound", "type": "string"},
            {"code": "parent", "uri": "http://hl7.org/fhir/concept-properties#parent", "type": "code"},
            {"code": "inactive", "uri": "http://hl7.org/fhir/concept-properties#inactive", "type": "boolean"},
            {"code": "notSelectable", "uri": "http://hl7.org/fhir/concept-properties#notSelectable", "type": "boolean"},
        ],
        "concept": [
            {
                "code": "animal",
                "display": "Animal",
                "property": [{"code": "notSelectable", "valueBoolean": True}],
                "concept": [
                    {
                        "code": "mammal",
                        "display": "Mammal",
                        "concept": [
                            {
                                "code": "dog",
                                "display": "Dog",
                                "definition": "It barks.",
                                "designation": [FRENCH],
                                "property": [
                                    {"code": "legs", "valueInteger": 4},
                                    {"code": "sound", "valueString": "woof"},
                                ],
                            },
                            {
                                "code": "whale",
                                "display": "Blue whale",
                                "property": [
                                    {"code": "parent", "valueCode": "swimmer"},
                                    {"code": "legs", "valueInteger": 0},
                                ],
                            },
                            {
                                "code": "dodo",
                                "display": "Dodo",
                                "property": [{"code": "inactive", "valueBoolean": True}],
                            },
                        ],
                    },
                    {
                        "code": "swimmer",
                        "display": "Swimmer",
                        "concept": [
                            {"code": "fish", "display": "Fish", "property": [{"code": "legs", "valueInteger": 0}]}
                        ],
                    },
                ],
            }
        ],
        **given,
    }


def value_set(*includes: Json, url: str = "", exclude: list[Json] | None = None, **compose: Any) -> Json:
    """A value set of these includes."""
    composed: Json = {"include": list(includes), **compose}
    if exclude:
        composed["exclude"] = exclude
    named = {"url": url} if url else {}
    return {"resourceType": "ValueSet", "status": "active", **named, "compose": composed}


def stored(fhir: httpx.Client, resource: Json) -> str:
    """The id of the resource, POSTed."""
    answer = fhir.post(f"/{resource['resourceType']}", json=resource)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def called(fhir: httpx.Client, path: str, *parameters: Json, status: int = 200) -> Json:
    """The answer to an operation that is POSTed."""
    answer = fhir.post(path, json={"resourceType": "Parameters", "parameter": list(parameters)})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/fhir+json")
    body: Json = answer.json()
    return body


def asked(fhir: httpx.Client, path: str, status: int = 200, **query: Any) -> Json:
    """The answer to an operation that is asked for by GET."""
    answer = fhir.get(path, params=query)
    assert answer.status_code == status, answer.text
    body: Json = answer.json()
    return body


def outcome(body: Json) -> tuple[str, str]:
    """Code and text of the first issue."""
    assert body["resourceType"] == "OperationOutcome"
    return body["issue"][0]["code"], body["issue"][0]["details"]["text"]


def values(parameters: Json) -> Json:
    """Name → value of the parameters that are no groups."""
    assert parameters["resourceType"] == "Parameters"
    return {
        one["name"]: next(value for name, value in one.items() if name.startswith("value"))
        for one in parameters["parameter"]
        if "part" not in one
    }


def codes(expanded: Json) -> list[str]:
    """The codes of an expansion, in its order."""
    assert expanded["resourceType"] == "ValueSet"
    return [one["code"] for one in expanded["expansion"].get("contains", [])]
