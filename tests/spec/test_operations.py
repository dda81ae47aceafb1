"""http://hl7.org/fhir/R4/operations.html: how operations are called."""

from __future__ import annotations

import httpx
import pytest


@pytest.mark.parametrize(
    "path", ["/$nothing", "/Patient/$nothing", "/Patient/x/$nothing", "/Patient/x/_history/1/$nothing"]
)
def test_an_operation_that_there_is_not_answers_404_at_every_level(fhir: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        answer = fhir.request(method, path)
        assert answer.status_code == 404
        issue = answer.json()["issue"][0]
        assert issue["code"] == "not-found"
        assert "There is no operation $nothing" in issue["details"]["text"]


def test_every_operation_that_is_declared_has_its_address(fhir: httpx.Client) -> None:
    """A PUT is allowed at none: 405 says that the address is one, 404 that it is not."""
    rest = fhir.get("/metadata").json()["rest"][0]
    declared = [("", operation) for operation in rest["operation"]]
    declared += [(resource["type"], one) for resource in rest["resource"] for one in resource.get("operation", [])]
    assert len(declared) > 300
    for kind, operation in declared:
        name = f"${operation['name']}"
        places = [f"/{kind}/{name}", f"/{kind}/x/{name}", f"/{kind}/x/_history/1/{name}"] if kind else [f"/{name}"]
        answers = [fhir.put(place, json={}).status_code for place in places]
        assert 405 in answers, (kind, name, answers)
