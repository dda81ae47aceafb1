"""What is served over HTTP, as one OpenAPI document.

Enters: nothing. Leaves: the document of /openapi.json, which the page /docs shows: the addresses of openapi.yaml and
those of FHIR, which are made from what the server routes.
Spec: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import yaml

from fhir_server import openapi

FHIR_BASE = "/fhir"


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("openapi.yaml").read_text("utf-8"))
    found["info"]["version"] = version("ecluse")
    for path, item in openapi.paths(FHIR_BASE).items():
        for name, call in item.items():
            if name != "parameters":
                call["tags"] = ["FHIR"]
        found["paths"][path] = item
    for kind, named in openapi.components().items():
        found["components"].setdefault(kind, {}).update(named)
    return found
