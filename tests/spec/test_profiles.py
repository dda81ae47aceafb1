"""Profiles: what does not pass is refused at its exact place, or stored with its issues.

Spec: http://hl7.org/fhir/R4/validation.html, http://hl7.org/fhir/R4/resource.html#Meta.profile"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecluse.core.fhir import json
from tests.guides import IPS, examples, package_file
from tests.integration.guides.test_install import URL, WARDS, observed, package, ward_guide
from tests.services.server import Served, serving

REFUSE, FLAG = {"X-Ecluse-Validation": "profiles"}, {"X-Ecluse-Validation": "profiles+flag"}
TOLD = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Martin</div>'}
PATIENT = {"resourceType": "Patient", "text": TOLD}
"""With a narrative: without one R4 itself warns."""
GOOD = {**PATIENT, "meta": {"profile": [URL]}, "birthDate": "1956-03-02"}
BAD = {**PATIENT, "meta": {"profile": [URL]}, "gender": "female"}
UNKNOWN = {**PATIENT, "meta": {"profile": ["http://hospital.example/fhir/StructureDefinition/none"]}}


@pytest.fixture(scope="module", autouse=True)
def installed(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A guide with one profile: a Patient has a date of birth."""
    served.ecluse("ig", "install", package(tmp_path_factory.mktemp("guide"), "born"))


@pytest.fixture
def issues(served: Served) -> Iterator[httpx.Client]:
    """A client of the issues of stored resources."""
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


def of(issues: httpx.Client, address: str, **query: str) -> list[dict[str, Any]]:
    """The stored issues of one resource, over all pages: others' resources have thousands."""
    rows, after = [], {}
    while True:
        answer = issues.get("/issues", params={"_count": "1000", **query, **after})
        assert answer.status_code == 200
        told = answer.json()
        rows += [row for row in told["issues"] if row["resource"] == address]
        if "next" not in told:
            return rows
        after = {"after": told["next"]}


def address_of(answer: httpx.Response) -> str:
    """`Patient/1` of what an answer tells to be written."""
    return "/".join(answer.headers["location"].split("/")[-4:-2])


def test_a_resource_against_its_profile_is_refused_at_the_exact_place(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=BAD, headers=REFUSE)
    (issue,) = answer.json()["issue"]
    assert answer.status_code == 422
    assert (issue["severity"], issue["code"], issue["expression"]) == ("error", "required", ["Patient.birthDate"])
    assert issue["details"]["text"] == "Add birthDate: the profile requires it."
    assert f"profile {URL}" in issue["diagnostics"] and "found 0" in issue["diagnostics"]


def test_a_resource_as_its_profile_asks_is_stored(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=GOOD, headers=REFUSE)
    assert answer.status_code == 201
    assert fhir.get(f"/{address_of(answer)}").json()["birthDate"] == "1956-03-02"


def test_without_being_asked_for_profiles_are_not_checked(fhir: httpx.Client) -> None:
    assert fhir.post("/Patient", json=BAD).status_code == 201


def test_an_update_against_its_profile_is_refused_and_changes_nothing(fhir: httpx.Client) -> None:
    address = address_of(fhir.post("/Patient", json=GOOD))
    answer = fhir.put(f"/{address}", json={**BAD, "id": address.split("/")[1]}, headers=REFUSE)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Patient.birthDate"])
    assert fhir.get(f"/{address}").json()["meta"]["versionId"] == "1"


def test_a_transaction_is_refused_with_every_entry_that_does_not_pass(fhir: httpx.Client) -> None:
    entries = [{"resource": one, "request": {"method": "POST", "url": "Patient"}} for one in (BAD, GOOD, BAD)]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = fhir.post("/", json=bundle, headers=REFUSE)
    assert answer.status_code in (400, 422)
    assert [issue["expression"] for issue in answer.json()["issue"]] == [
        ["Bundle.entry[0].resource.birthDate"],
        ["Bundle.entry[2].resource.birthDate"],
    ]


def test_the_entries_of_a_batch_are_judged_each_by_itself(fhir: httpx.Client) -> None:
    entries = [{"resource": one, "request": {"method": "POST", "url": "Patient"}} for one in (BAD, GOOD)]
    answer = fhir.post("/", json={"resourceType": "Bundle", "type": "batch", "entry": entries}, headers=REFUSE)
    told = [entry["response"] for entry in answer.json()["entry"]]
    assert answer.status_code == 200
    assert [response["status"][:3] for response in told] == ["422", "201"]
    assert told[0]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[0].resource.birthDate"]


def test_a_flagged_resource_is_stored_and_so_are_its_issues(fhir: httpx.Client, issues: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=BAD, headers={**FLAG, "X-Ecluse-Sender": "ward-3"})
    (row,) = of(issues, address_of(answer))
    assert answer.status_code == 201
    assert fhir.get(f"/{address_of(answer)}").status_code == 200
    assert (row["site"], row["profile"], row["severity"]) == ("default", f"{URL}|1.0.0", "error")
    assert (row["code"], row["expression"], row["version"]) == ("required", "Patient.birthDate", 1)
    assert (row["sender"], row["text"]) == ("ward-3", "Add birthDate: the profile requires it.")


def test_an_update_replaces_the_issues_and_a_delete_removes_them(fhir: httpx.Client, issues: httpx.Client) -> None:
    address = address_of(fhir.post("/Patient", json=BAD, headers=FLAG))
    own = {"id": address.split("/")[1]}
    fhir.put(f"/{address}", json={**BAD, **own, "active": True}, headers=FLAG)
    assert [row["version"] for row in of(issues, address)] == [2]
    fhir.put(f"/{address}", json={**GOOD, **own}, headers=FLAG)
    assert of(issues, address) == []
    fhir.put(f"/{address}", json={**BAD, **own}, headers=FLAG)
    assert [row["version"] for row in of(issues, address)] == [4]
    assert fhir.delete(f"/{address}").status_code == 204
    assert of(issues, address) == []


def test_an_erased_resource_leaves_no_issue(fhir: httpx.Client, issues: httpx.Client) -> None:
    address = address_of(fhir.post("/Patient", json=BAD, headers=FLAG))
    assert len(of(issues, address)) == 1
    assert fhir.post(f"/{address}/$purge").status_code == 200
    assert of(issues, address) == []


def test_a_patch_against_the_profile_is_refused(fhir: httpx.Client) -> None:
    address = address_of(fhir.post("/Patient", json=GOOD))
    headers = {**REFUSE, "Content-Type": "application/json-patch+json"}
    answer = fhir.patch(f"/{address}", json=[{"op": "remove", "path": "/birthDate"}], headers=headers)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Patient.birthDate"])
    assert fhir.get(f"/{address}").json()["birthDate"] == "1956-03-02"


def test_an_update_that_is_not_checked_leaves_no_issue_of_an_older_version(
    fhir: httpx.Client, issues: httpx.Client
) -> None:
    address = address_of(fhir.post("/Patient", json=BAD, headers=FLAG))
    fhir.put(f"/{address}", json={**GOOD, "id": address.split("/")[1]})
    assert of(issues, address) == []


def test_the_same_content_again_is_checked_again_without_a_new_version(
    fhir: httpx.Client, issues: httpx.Client
) -> None:
    address = address_of(fhir.post("/Patient", json=BAD))
    again = fhir.put(f"/{address}", json={**BAD, "id": address.split("/")[1]}, headers=FLAG)
    assert again.headers["etag"] == 'W/"1"'
    assert [row["version"] for row in of(issues, address)] == [1]


def test_the_issues_of_a_transaction_are_told_from_each_resource(fhir: httpx.Client, issues: httpx.Client) -> None:
    entries = [{"resource": one, "request": {"method": "POST", "url": "Patient"}} for one in (GOOD, BAD)]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = fhir.post("/", json=bundle, headers=FLAG)
    written = ["/".join(entry["response"]["location"].split("/")[-4:-2]) for entry in answer.json()["entry"]]
    assert answer.status_code == 200
    assert of(issues, written[0]) == []
    assert [row["expression"] for row in of(issues, written[1])] == ["Patient.birthDate"]


def test_a_profile_that_nobody_installed_refuses_nothing_and_is_flagged(
    fhir: httpx.Client, issues: httpx.Client
) -> None:
    assert fhir.post("/Patient", json=UNKNOWN, headers=REFUSE).status_code == 201
    (row,) = of(issues, address_of(fhir.post("/Patient", json=UNKNOWN, headers=FLAG)))
    assert (row["severity"], row["code"], row["expression"]) == ("warning", "not-found", "Patient.meta.profile[0]")


def test_issues_are_counted_by_site_profile_and_kind(
    fhir: httpx.Client, other_site: httpx.Client, issues: httpx.Client
) -> None:
    for _ in range(3):
        assert other_site.post("/Patient", json=BAD, headers=FLAG).status_code == 201
    assert fhir.post("/Patient", json=BAD, headers=FLAG).status_code == 201
    counts = issues.get("/issues/counts", params={"site": "north", "profile": URL}).json()["counts"]
    assert counts == [
        {
            **{"site": "north", "profile": f"{URL}|1.0.0", "type": "Patient", "severity": "error", "code": "required"},
            **{"path": "Patient.birthDate", "text": "Add birthDate: the profile requires it."},
            **{"resources": 3, "issues": 3},
        }
    ]
    sites = {row["site"] for row in issues.get("/issues/counts", params={"path": "Patient.birthDate"}).json()["counts"]}
    assert sites == {"default", "north"}


def test_counts_come_in_pages(fhir: httpx.Client, issues: httpx.Client) -> None:
    fhir.post("/Patient", json={**BAD, "gender": "other", "contact": [{"gender": "male"}]}, headers=FLAG)
    whole = issues.get("/issues/counts").json()
    assert len(whole["counts"]) > 1 and "next" not in whole
    seen, query = [], {"_count": "1"}
    while True:
        page = issues.get("/issues/counts", params=query).json()
        seen += page["counts"]
        if "next" not in page:
            break
        query["after"] = page["next"]
    assert seen == whole["counts"]
    assert issues.get("/issues/counts", params={"after": "x"}).status_code == 400


def test_issues_of_one_resource(fhir: httpx.Client, issues: httpx.Client) -> None:
    own, other = (fhir.post("/Patient", json=BAD, headers=FLAG).json()["id"] for _ in range(2))
    for path in ("/issues", "/issues/counts"):
        assert issues.get(path, params={"type": "Patient", "id": "nobody"}).json()[path.rsplit("/")[-1]] == []
    found = issues.get("/issues", params={"type": "Patient", "id": own}).json()["issues"]
    assert {row["resource"] for row in found} == {f"Patient/{own}"} != {f"Patient/{other}"}
    counts = issues.get("/issues/counts", params={"type": "Patient", "id": own}).json()["counts"]
    assert {row["resources"] for row in counts} == {1}


def test_issues_come_in_pages(fhir: httpx.Client, issues: httpx.Client) -> None:
    for _ in range(3):
        fhir.post("/Patient", json=BAD, headers=FLAG)
    every = issues.get("/issues", params={"type": "Patient", "severity": "error"}).json()
    seen: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": ""}
    while "next" in page:
        query = {"type": "Patient", "severity": "error", "_count": "2", "after": page["next"]}
        page = issues.get("/issues", params=query).json()
        assert len(page["issues"]) <= 2
        seen.extend(page["issues"])
    assert "next" not in every
    assert seen == every["issues"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("colour=red", "no parameter colour"),
        ("type=Patients", "no resource type 'Patients'"),
        ("severity=fatal", "error, warning or information"),
        ("_count=0", "whole number"),
        ("_count=" + "9" * 5000, "whole number"),
        ("after=x", "`next`"),
    ],
)
def test_a_question_about_issues_that_cannot_be_answered_is_a_400(issues: httpx.Client, query: str, told: str) -> None:
    answer = issues.get(f"/issues?{query}")
    assert answer.status_code == 400
    assert told in answer.json()["issue"][0]["details"]["text"]


def test_a_depth_of_validation_that_does_not_exist_is_a_400(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient", json=GOOD, headers={"X-Ecluse-Validation": "deep"})
    assert answer.status_code == 400
    assert "structure, base, profiles" in answer.json()["issue"][0]["details"]["text"]


def test_the_examples_of_a_guide_are_taken(served: Served, fhir: httpx.Client) -> None:
    served.ecluse("ig", "install", str(package_file(IPS)), "--allow-missing")
    taken = 0
    for name, resource in examples(IPS).items():
        headers = {**REFUSE, "Content-Type": "application/fhir+json"}
        answer = fhir.post(f"/{resource['resourceType']}", content=json.encode(resource), headers=headers)
        assert answer.status_code == 201, (name, answer.text)
        taken += 1
    assert taken > 40


def test_settings_say_what_is_checked_and_two_processes_agree(
    tmp_path: Path, empty_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    variables = {
        "ECLUSE_DATABASE_URL": empty_database,
        "ECLUSE_WORKERS": "2",
        "ECLUSE_VALIDATION": "structure Patient=profiles north/*=profiles+flag",
        "ECLUSE_PROFILES": f"Patient={URL}",
    }
    named = {"resourceType": "Patient", "gender": "female"}
    with serving(tmp_path / "data", **variables) as own:
        own.ecluse("site", "add", "north")
        before = {httpx.post(f"{own.url}/fhir/Patient", json=named).status_code for _ in range(8)}
        own.ecluse("ig", "install", package(tmp_path_factory.mktemp("guide"), "born"))
        after = {httpx.post(f"{own.url}/fhir/Patient", json=named).status_code for _ in range(8)}
        assert (before, after) == ({201}, {422})
        assert httpx.post(f"{own.url}/sites/north/fhir/Patient", json=named).status_code == 422
        observation = {**UNKNOWN, "resourceType": "Observation", "status": "final", "code": {"text": "a"}}
        assert httpx.post(f"{own.url}/sites/north/fhir/Observation", json=observation).status_code == 201
        (row,) = httpx.get(f"{own.url}/issues").json()["issues"]
        assert (row["site"], row["severity"]) == ("north", "warning")
        assert "1 resources, 1 issues  north  warning  Observation.meta.profile" in own.ecluse("issues", "count")
        assert "StructureDefinition/none" in own.ecluse("issues", "list", "--site", "north", "--severity", "warning")
        empty = own.run("issues", "list", "--site", "default", "--json")
        assert (empty.returncode, empty.stdout) == (0, "")
        assert empty.stderr == "No issues pass these filters.\n"


def test_a_value_set_that_only_the_site_has_is_asked_for(
    served: Served, fhir: httpx.Client, other_site: httpx.Client, tmp_path: Path
) -> None:
    served.ecluse("ig", "install", ward_guide(tmp_path))
    assert fhir.post("/ValueSet", json=WARDS).status_code == 201
    refused = fhir.post("/Observation", json=observed("attic"), headers=REFUSE)
    (issue,) = refused.json()["issue"]
    assert (refused.status_code, issue["code"], issue["expression"]) == (422, "code-invalid", ["Observation.code"])
    assert fhir.post("/Observation", json=observed("icu"), headers=REFUSE).status_code == 201
    assert other_site.post("/Observation", json=observed("attic"), headers=REFUSE).status_code == 201
    codes = ("icu", "attic", "roof")
    entries = [{"resource": observed(code), "request": {"method": "POST", "url": "Observation"}} for code in codes]
    bundle = fhir.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}, headers=REFUSE)
    assert [issue["expression"] for issue in bundle.json()["issue"]] == [
        ["Bundle.entry[1].resource.code"],
        ["Bundle.entry[2].resource.code"],
    ]


def told(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """Severity, code and place of what $validate says."""
    assert answer.status_code == 200
    return [(one["severity"], one["code"], one.get("expression", [""])[0]) for one in answer.json()["issue"]]


def test_validate_checks_the_profile_that_is_asked_for(fhir: httpx.Client) -> None:
    plain = {"resourceType": "Patient", "gender": "female"}
    by_query = fhir.post("/Patient/$validate", params={"profile": URL}, json=plain)
    given = [{"name": "resource", "resource": plain}, {"name": "profile", "valueUri": URL}]
    by_parameters = fhir.post("/Patient/$validate", json={"resourceType": "Parameters", "parameter": given})
    assert ("error", "required", "Patient.birthDate") in told(by_query)
    assert ("error", "required", "Parameters.parameter[0].resource.birthDate") in told(by_parameters)
    assert URL in next(one for one in by_query.json()["issue"] if one["code"] == "required")["diagnostics"]
    assert not [one for one in told(fhir.post("/Patient/$validate", json=plain)) if one[0] == "error"]


def test_validate_checks_the_profiles_that_a_resource_names(fhir: httpx.Client) -> None:
    address = address_of(fhir.post("/Patient", json=BAD))
    assert ("error", "required", "Patient.birthDate") in told(fhir.post("/Patient/$validate", json=BAD))
    assert ("error", "required", "Patient.birthDate") in told(fhir.get(f"/{address}/$validate"))
    assert ("warning", "not-found", "Patient.meta.profile[0]") in told(fhir.post("/Patient/$validate", json=UNKNOWN))


def test_validate_tells_rules_of_r4_and_of_profiles_together(fhir: httpx.Client) -> None:
    wrong = {**BAD, "contact": [{"gender": "male"}]}
    errors = [one for one in told(fhir.post("/Patient/$validate", json=wrong)) if one[0] == "error"]
    assert errors == [("error", "invariant", "Patient.contact[0]"), ("error", "required", "Patient.birthDate")]


def test_an_extension_of_r4_in_a_wrong_place_is_told(fhir: httpx.Client) -> None:
    birth_time = {
        "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
        "valueDateTime": "2020-01-01T10:00:00Z",
    }
    wrong = {"resourceType": "Patient", "extension": [birth_time]}
    errors = [one for one in told(fhir.post("/Patient/$validate", json=wrong)) if one[0] == "error"]
    assert errors == [("error", "structure", "Patient.extension[0]")]
    refused = fhir.post("/Patient", json=wrong, headers={"x-ecluse-validation": "profiles"})
    assert refused.status_code == 422
    assert "Patient.birthDate" in refused.json()["issue"][0]["details"]["text"]


def test_validate_says_that_a_broken_structure_comes_before_profiles(fhir: httpx.Client) -> None:
    wrong = {"resourceType": "Patient", "nosuch": 1}
    answer = told(fhir.post("/Patient/$validate", params={"profile": URL}, json=wrong))
    assert ("error", "structure", "Patient.nosuch") in answer
    assert answer[-1][:2] == ("information", "informational")


def test_validate_against_a_profile_that_nobody_installed_is_an_error(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient/$validate", params={"profile": "http://hospital.example/none"}, json=GOOD)
    assert ("error", "not-found", "Patient") in told(answer)
    assert "ecluse ig install" in answer.text


def test_rules_of_r4_itself_are_flagged_too(fhir: httpx.Client, issues: httpx.Client) -> None:
    wrong = {"resourceType": "Patient", "contact": [{"gender": "male"}]}
    answer = fhir.post("/Patient", json=wrong, headers={"X-Ecluse-Validation": "base+flag"})
    assert answer.status_code == 201
    (row,) = of(issues, address_of(answer), severity="error")
    assert (row["code"], row["expression"], row["profile"]) == ("invariant", "Patient.contact[0]", "")
    assert fhir.post("/Patient", json=wrong, headers={"X-Ecluse-Validation": "base"}).status_code == 422
    assert fhir.post("/Patient", json=wrong, headers={"X-Ecluse-Validation": "structure"}).status_code == 201


def test_warnings_of_r4_itself_are_flagged_and_counted_after_errors(fhir: httpx.Client, issues: httpx.Client) -> None:
    category = {"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "problem-list-item"}
    active = {
        **{"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "code": {"text": "fever"}},
        "category": [{"coding": [category]}],
    }
    written = [fhir.post("/Condition", json=active, headers=FLAG) for _ in range(2)]
    flagged = [
        (row["severity"], row["code"], row["profile"], row["expression"], row["text"].rpartition("(")[2])
        for row in of(issues, address_of(written[0]))
    ]
    assert [answer.status_code for answer in written] == [201, 201]
    assert flagged == [
        ("warning", "invariant", "", "Condition", "con-3)."),
        ("warning", "invariant", "", "Condition", "dom-6)."),
    ]
    wrong = {**active, "abatementString": "over", "clinicalStatus": {"text": "x"}}
    assert fhir.post("/Condition", json=wrong, headers={"X-Ecluse-Validation": "base+flag"}).status_code == 201
    counts = issues.get("/issues/counts", params={"type": "Condition"}).json()["counts"]
    assert [row["severity"] for row in counts] == sorted(row["severity"] for row in counts)
    assert {row["severity"] for row in counts} == {"error", "warning"}
    for severity in ("error", "warning", "information"):
        own = [row for row in counts if row["severity"] == severity]
        only = issues.get("/issues/counts", params={"type": "Condition", "severity": severity}).json()["counts"]
        assert only == own
    assert fhir.post("/Condition", json=active).status_code == 201, "a warning refuses nothing"


def test_many_warnings_hide_no_error(fhir: httpx.Client, issues: httpx.Client) -> None:
    entries = [{"resource": {"resourceType": "Patient"}} for _ in range(250)]
    entries[249]["resource"]["contact"] = [{"gender": "male"}]  # type: ignore[assignment]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    told_at_once = told(fhir.post("/Bundle/$validate", json=bundle))
    assert told_at_once[0] == ("error", "invariant", "Bundle.entry[249].resource.contact[0]")
    assert [one for one in told_at_once if one[0] == "information"] == [("information", "informational", "Bundle")]
    answer = fhir.post("/Bundle", json=bundle, headers={"X-Ecluse-Validation": "base+flag"})
    flagged = of(issues, address_of(answer), type="Bundle")
    assert [row["severity"] for row in flagged] == ["error"] + ["warning"] * 200 + ["information"]


def test_the_profiles_of_installed_guides_are_declared(fhir: httpx.Client) -> None:
    (rest,) = fhir.get("/metadata").json()["rest"]
    declared = {one["type"]: one.get("supportedProfile", []) for one in rest["resource"]}
    assert URL in declared["Patient"]
    assert declared["Account"] == []


def test_what_is_stored_already_is_looked_at_again(
    served: Served, fhir: httpx.Client, other_site: httpx.Client, issues: httpx.Client
) -> None:
    address = address_of(fhir.post("/Patient", json=BAD, headers={"X-Ecluse-Sender": "ward-7"}))
    mended = address_of(fhir.post("/Patient", json=GOOD, headers=FLAG))
    elsewhere = address_of(other_site.post("/Patient", json=BAD))
    one = ("--type", "Patient", "--id", mended.partition("/")[2])
    assert "Patient: 1 looked at, 0 with issues" in served.ecluse("issues", "recheck", *one)
    assert of(issues, address) == []
    said = served.ecluse("issues", "recheck", "--site", "default", "--type", "Patient")
    (row,) = of(issues, address)
    assert "default  Patient: " in said and "looked at" in said
    assert (row["expression"], row["version"], row["sender"]) == ("Patient.birthDate", 1, "ward-7")
    assert of(issues, mended) == of(issues, elsewhere) == []
