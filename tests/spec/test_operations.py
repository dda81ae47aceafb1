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
