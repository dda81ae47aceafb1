"""http://hl7.org/fhir/R4/terminologycapabilities.html: what it says is what can be asked."""

from __future__ import annotations

import httpx

from tests.spec.terminology import animals, asked, stored, values


def test_every_code_system_that_it_names_can_be_asked(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/declared"
    stored(fhir, animals(url))
    answer = fhir.get("/metadata?mode=terminology")
    told = answer.json()
    assert (answer.status_code, told["resourceType"], told["kind"]) == (200, "TerminologyCapabilities", "instance")
    named = {one["uri"]: one for one in told["codeSystem"]}
    assert len(named) > 1000
    assert named[url] == {"uri": url, "version": [{"code": "1"}], "subsumption": True}
    for system in (
        url,
        "http://hl7.org/fhir/administrative-gender",
        "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    ):
        wrong = asked(fhir, "/CodeSystem/$validate-code", url=system, code="no such code")
        assert values(wrong)["result"] is False
    parameters = {one["name"] for one in told["expansion"]["parameter"]}
    assert {"url", "filter", "count", "offset", "activeOnly", "displayLanguage"} <= parameters


def test_the_other_modes_give_the_capability_statement(fhir: httpx.Client) -> None:
    for query in ("", "?mode=full", "?mode=normative"):
        assert fhir.get(f"/metadata{query}").json()["resourceType"] == "CapabilityStatement"
