"""$import: NDJSON from addresses or in the body, through the same door as every other write.

Spec: https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.guides.test_install import URL, WARDS, observed, package, ward_guide
from tests.services.server import Served, serving
from tests.spec.bulk import ASYNC, Done, ended, files, run
from tests.spec.files import Host, certificate, hosting

NDJSON = {**ASYNC, "Content-Type": "application/fhir+ndjson"}
LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
SOURCE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-source"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host of files."""
    with hosting() as host:
        yield host


@pytest.fixture(scope="module")
def open_fhir(postgres: Any, host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that may fetch from that host."""
    data: Path = tmp_path_factory.mktemp("import")
    variables = {"ECLUSE_IMPORT_HOSTS": f"127.0.0.1:{host.port}, localhost", "ECLUSE_IMPORT_PRIVATE": "allowed"}
    with postgres.database("template0") as url:
        with serving(data, ECLUSE_DATABASE_URL=url, **variables) as served:
            with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client:
                yield client


def ndjson(*resources: dict[str, Any]) -> bytes:
    """Lines."""
    return b"".join(json.dumps(resource).encode() + b"\n" for resource in resources)


def patient(**more: Any) -> dict[str, Any]:
    """A patient with an id."""
    return {"resourceType": "Patient", "id": str(uuid.uuid4()), **more}


def posted(client: httpx.Client, body: bytes, **headers: str) -> Done:
    """An import of a body, to its end."""
    answer = client.post("/$import", content=body, headers={**NDJSON, **headers})
    assert answer.status_code == 202, answer.text
    address = answer.headers["content-location"]
    last = ended(client, address)
    assert last.status_code == 200, last.text
    return Done(address, last, files(client, last.json()))


def manifest(*inputs: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A manifest. inputs: (type, address)"""
    listed = [{"type": name, "url": url} if name else {"url": url} for name, url in inputs]
    return {"inputFormat": "application/fhir+ndjson", "input": listed, **more}


def test_lines_of_a_body_are_stored_under_their_ids_and_without_one_under_a_new_one(fhir: httpx.Client) -> None:
    named, family = patient(gender="female"), str(uuid.uuid4())
    nameless = {"resourceType": "Patient", "name": [{"family": family}]}
    done = posted(fhir, ndjson(named, nameless))
    (output,) = done.manifest["output"]
    assert (output["count"], done.manifest["error"]) == (2, [])
    read = fhir.get(f"/Patient/{named['id']}")
    assert read.status_code == 200
    assert read.json()["gender"] == "female"
    assert read.headers["etag"] == 'W/"1"'
    assert fhir.get(f"/Patient?name={family}&_total=accurate").json()["total"] == 1


def test_the_same_import_again_makes_no_new_version(fhir: httpx.Client) -> None:
    line = patient(gender="male")
    for _ in range(2):
        assert posted(fhir, ndjson(line)).manifest["output"][0]["count"] == 1
    assert fhir.get(f"/Patient/{line['id']}/_history").json()["total"] == 1


def test_a_resource_in_several_lines_is_written_as_often_in_their_order(fhir: httpx.Client) -> None:
    line = patient()
    versions = [{**line, "gender": gender} for gender in ("male", "female", "other")]
    posted(fhir, ndjson(*versions))
    history = fhir.get(f"/Patient/{line['id']}/_history").json()
    assert history["total"] == 3
    assert history["entry"][0]["resource"]["gender"] == "other"


def test_a_refused_line_is_told_with_its_place_and_the_others_are_stored(fhir: httpx.Client) -> None:
    good, better = patient(), patient()
    body = b"\n".join(
        [
            json.dumps(good).encode(),
            b'{"resourceType":"Patient","birthDate":"yesterday","nom":"x"}',
            b"",
            b"not json",
            b'{"resourceType":"Nobody"}',
            b"\xff\xfe",
            b'{"id":"1"}',
            b"[]",
            json.dumps(better).encode(),
        ]
    )
    done = posted(fhir, body)
    assert done.manifest["output"][0]["count"] == 2
    (error,) = done.manifest["error"]
    assert (error["type"], error["count"]) == ("OperationOutcome", 6)
    outcomes = done.files["error"]["OperationOutcome"]
    places = [{each["url"]: each for each in outcome["issue"][0]["extension"]} for outcome in outcomes]
    assert [place[LINE]["valueInteger"] for place in places] == [2, 4, 5, 6, 7, 8]
    assert {place[SOURCE]["valueString"] for place in places} == {"body"}
    told = outcomes[0]["issue"]
    assert {issue["expression"][0] for issue in told} == {"Patient.birthDate", "Patient.nom"}
    assert all(issue["details"]["text"] for outcome in outcomes for issue in outcome["issue"])
    assert {fhir.get(f"/Patient/{each['id']}").status_code for each in (good, better)} == {200}


@pytest.mark.parametrize("packed", [True, False])
def test_gzip_windows_lines_and_a_byte_order_mark_are_read(fhir: httpx.Client, packed: bool) -> None:
    line = patient()
    body = b"\xef\xbb\xbf" + json.dumps(line).encode() + b"\r\n\r\n"
    headers = {"Content-Encoding": "gzip"} if packed else {}
    done = posted(fhir, gzip.compress(body) if packed else body, **headers)
    assert (done.manifest["output"][0]["count"], done.manifest["error"]) == (1, [])
    assert fhir.get(f"/Patient/{line['id']}").status_code == 200


def test_broken_gzip_answers_400_and_keeps_nothing(fhir: httpx.Client) -> None:
    body = gzip.compress(ndjson(*(patient() for _ in range(100))))
    for broken in (body[:-20], body[:40] + b"xxxxxxxx" + body[48:]):
        answer = fhir.post("/$import", content=broken, headers={**NDJSON, "Content-Encoding": "gzip"})
        assert answer.status_code == 400
        assert "gzip" in answer.text


def test_an_empty_body_is_an_import_of_nothing(fhir: httpx.Client) -> None:
    done = posted(fhir, b"")
    assert (done.manifest["output"][0]["count"], done.manifest["error"]) == (0, [])


def test_many_lines_are_all_stored(fhir: httpx.Client) -> None:
    family = str(uuid.uuid4())
    lines = [patient(name=[{"family": family}]) for _ in range(1700)]
    done = posted(fhir, ndjson(*lines))
    assert done.manifest["output"][0]["count"] == 1700
    assert fhir.get(f"/Patient?name={family}&_summary=count").json()["total"] == 1700


def test_an_import_stays_within_its_site(fhir: httpx.Client, other_site: httpx.Client) -> None:
    line = patient()
    foreign = f"{fhir.base_url}Patient/1"
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": foreign}}
    done = posted(other_site, ndjson(line, body))
    assert (done.manifest["output"][0]["count"], done.manifest["error"][0]["count"]) == (1, 1)
    assert "identity domain" in json.dumps(done.files["error"])
    assert other_site.get(f"/Patient/{line['id']}").status_code == 200
    assert fhir.get(f"/Patient/{line['id']}").status_code == 404


def test_without_respond_async_it_answers_400(fhir: httpx.Client) -> None:
    answer = fhir.post("/$import", content=b"", headers={"Content-Type": "application/fhir+ndjson"})
    assert answer.status_code == 400
    assert "respond-async" in answer.text
    assert fhir.get("/$import", headers=ASYNC).status_code == 405


@pytest.mark.parametrize("as_parameters", [False, True])
def test_files_of_a_manifest_are_fetched(open_fhir: httpx.Client, host: Host, as_parameters: bool) -> None:
    who = patient()
    seen = {
        "resourceType": "Observation",
        "id": str(uuid.uuid4()),
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{who['id']}"},
    }
    inputs = [
        ("Patient", host.add(f"/{uuid.uuid4()}?sig=1", ndjson(who))),
        ("Observation", host.add(f"/{uuid.uuid4()}", gzip.compress(ndjson(seen)), Content_Encoding="gzip")),
        ("", host.add(f"/{uuid.uuid4()}.gz", gzip.compress(ndjson(patient())))),
    ]
    body: dict[str, Any] = manifest(*inputs, inputSource="https://lab.example.org")
    if as_parameters:
        body = {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
                {"name": "inputSource", "valueUri": "https://lab.example.org"},
                *(
                    {
                        "name": "input",
                        "part": [
                            *([{"name": "type", "valueCode": name}] if name else []),
                            {"name": "url", "valueUrl": url},
                        ],
                    }
                    for name, url in inputs
                ),
            ],
        }
    done = run(open_fhir, "/$import", body)
    assert [item["count"] for item in done.manifest["output"]] == [1, 1, 1]
    assert [item["inputUrl"] for item in done.manifest["output"]] == [url for _, url in inputs]
    assert done.manifest["request"] == f"{open_fhir.base_url}$import"
    stored = open_fhir.get(f"/Patient/{who['id']}").json()
    assert stored["meta"]["source"] == "https://lab.example.org"
    assert open_fhir.get(f"/Observation?patient={who['id']}&_summary=count").json()["total"] == 1


def test_a_line_of_another_type_than_announced_is_refused(open_fhir: httpx.Client, host: Host) -> None:
    url = host.add("/mixed", ndjson(patient(), {"resourceType": "Organization", "name": "x"}))
    done = run(open_fhir, "/$import", manifest(("Patient", url)))
    assert done.manifest["output"][0]["count"] == 1
    assert "Organization" in json.dumps(done.files["error"]["OperationOutcome"])


def test_a_file_that_is_not_there_is_told_and_the_others_are_taken(open_fhir: httpx.Client, host: Host) -> None:
    line = patient()
    moved = host.add("/moved", b"", 302, Location=host.add("/there", ndjson(patient())))
    inputs = [("", f"http://127.0.0.1:{host.port}/missing"), ("", moved), ("", host.add("/good", ndjson(line)))]
    done = run(open_fhir, "/$import", manifest(*inputs))
    assert [item["count"] for item in done.manifest["output"]] == [0, 0, 1]
    assert [item["inputUrl"] for item in done.manifest["error"]] == [inputs[0][1], inputs[1][1]]
    told = json.dumps(done.files["error"])
    assert "404" in told and "302" in told
    assert "/there" not in host.asked


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/x",
        "file:///etc/passwd",
        "https://user:secret@example.org/x",
        "ftp://example.org/x",
        "not an address",
        "http://[::1]/x",
    ],
)
def test_a_host_that_nobody_allowed_answers_422_and_is_not_asked(fhir: httpx.Client, url: str) -> None:
    answer = fhir.post("/$import", json=manifest(("Patient", url)), headers=ASYNC)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["input[0].url"]
    assert "secret" not in answer.text


def test_an_allowed_name_with_a_private_address_is_refused(postgres: Any, host: Host, tmp_path: Path) -> None:
    url = host.add("/private", ndjson(patient())).replace("127.0.0.1", "localhost")
    with postgres.database("template0") as database:
        with serving(tmp_path, ECLUSE_DATABASE_URL=database, ECLUSE_IMPORT_HOSTS="localhost") as served:
            with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client:
                done = run(client, "/$import", manifest(("Patient", url)))
    assert done.manifest["output"][0]["count"] == 0
    assert "private" in json.dumps(done.files["error"])
    assert "/private" not in host.asked


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"input": []}, 400),
        ({"inputFormat": "application/parquet", "input": [{"url": "http://localhost/x"}]}, 400),
        ({"storageDetail": {"type": "aws-s3"}, "input": [{"url": "http://localhost/x"}]}, 400),
        ({"input": [{"type": "Nobody", "url": "http://localhost/x"}]}, 400),
        ({"input": "x"}, 400),
        ({"inputs": []}, 400),
        ({"resourceType": "Patient"}, 400),
        ({"resourceType": "Parameters", "parameter": [{"name": "inputFormat", "valueString": "x"}]}, 400),
        ([], 400),
    ],
)
def test_a_manifest_that_cannot_be_obeyed_is_refused(open_fhir: httpx.Client, body: Any, status: int) -> None:
    answer = open_fhir.post("/$import", json=body, headers=ASYNC)
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["details"]["text"]


def test_an_export_of_one_site_is_imported_by_another(fhir: httpx.Client, other_site: httpx.Client) -> None:
    who = patient(gender="other")
    fhir.put(f"/Patient/{who['id']}", json=who)
    query = httpx.QueryParams({"_type": "Patient", "_typeFilter": f"Patient?_id={who['id']}"})
    exported = run(fhir, f"/$export?{query}")
    body = fhir.get(exported.manifest["output"][0]["url"]).content
    assert posted(other_site, body).manifest["output"][0]["count"] == 1
    assert other_site.get(f"/Patient/{who['id']}").json()["gender"] == "other"


def test_the_capability_statement_declares_it(fhir: httpx.Client) -> None:
    names = {operation["name"] for operation in fhir.get("/metadata").json()["rest"][0]["operation"]}
    assert {"import", "export"} <= names


@pytest.fixture
def guide(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A guide with one profile: a Patient has a date of birth."""
    served.ecluse("ig", "install", package(tmp_path_factory.mktemp("guide"), "born"))


@pytest.mark.usefixtures("guide")
def test_lines_are_validated_as_the_request_asks(fhir: httpx.Client, served: Served) -> None:
    good, bad = patient(birthDate="1956-03-02"), patient()
    for each in (good, bad):
        each["meta"] = {"profile": [URL]}
    done = posted(fhir, ndjson(good, bad), **{"X-Ecluse-Validation": "profiles"})
    assert done.manifest["output"][0]["count"] == 1
    (outcome,) = done.files["error"]["OperationOutcome"]
    assert outcome["issue"][0]["expression"] == ["Patient.birthDate"]
    assert fhir.get(f"/Patient/{bad['id']}").status_code == 404
    done = posted(fhir, ndjson(good, bad), **{"X-Ecluse-Validation": "profiles+flag"})
    assert (done.manifest["output"][0]["count"], done.manifest["error"]) == (2, [])
    query = {"_count": "1000", "severity": "error"}
    told = httpx.get(f"{served.url}/issues", params=query, timeout=60).json()["issues"]
    assert [row["expression"] for row in told if row["resource"] == f"Patient/{bad['id']}"] == ["Patient.birthDate"]


def test_codes_of_lines_are_put_to_the_terminology_of_the_site(
    fhir: httpx.Client, served: Served, tmp_path: Path
) -> None:
    served.ecluse("ig", "install", ward_guide(tmp_path))
    assert fhir.post("/ValueSet", json=WARDS).status_code == 201
    done = posted(fhir, ndjson(observed("icu"), observed("attic")), **{"X-Ecluse-Validation": "profiles"})
    assert done.manifest["output"][0]["count"] == 1
    (outcome,) = done.files["error"]["OperationOutcome"]
    assert outcome["issue"][0]["expression"] == ["Observation.code"]


def test_the_certificate_is_that_of_the_name_although_the_address_is_what_is_connected_to(
    postgres: Any, tmp_path: Path
) -> None:
    line = patient()
    own, foreign = (certificate(tmp_path, name) for name in ("localhost", "elsewhere.example"))
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(own.read_bytes() + foreign.read_bytes())
    variables = {
        "SSL_CERT_FILE": str(trusted),
        "ECLUSE_IMPORT_HOSTS": "localhost",
        "ECLUSE_IMPORT_PRIVATE": "allowed",
    }
    with postgres.database("template0") as url, hosting(own) as good, hosting(foreign) as bad:
        urls = [host.add("/x", ndjson(line)).replace("http://127.0.0.1", "https://localhost") for host in (good, bad)]
        with serving(tmp_path / "data", ECLUSE_DATABASE_URL=url, **variables) as served:
            with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client:
                done = run(client, "/$import", manifest(*(("Patient", url) for url in urls)))
                assert client.get(f"/Patient/{line['id']}").status_code == 200
    assert [item["count"] for item in done.manifest["output"]] == [1, 0]
    assert [item["inputUrl"] for item in done.manifest["error"]] == urls[1:]
    assert bad.asked == []
