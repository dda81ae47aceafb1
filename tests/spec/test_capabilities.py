"""http://hl7.org/fhir/R4/http.html#capabilities: what it says is what is served."""

from __future__ import annotations

import httpx


def test_every_type_and_search_parameter_that_it_names_is_served(fhir: httpx.Client) -> None:
    statement = fhir.get("/metadata").json()
    assert (statement["resourceType"], statement["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    resources = statement["rest"][0]["resource"]
    assert len(resources) == 146
    example = {"date": "2020", "string": "x", "token": "x", "reference": "x1", "uri": "urn:x"}
    asked = 0
    for resource in resources:
        for parameter in resource["searchParam"]:
            answer = fhir.get(f"/{resource['type']}?{parameter['name']}={example[parameter['type']]}&_count=1")
            assert answer.status_code == 200, (resource["type"], parameter, answer.text)
            asked += 1
    assert asked > 1000
