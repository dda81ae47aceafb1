"""One search over several sites, where an operator lets it: /sites/*/fhir, /sites/a,b/fhir."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.services.postgres import Postgres
from tests.services.server import Served, serving
from tests.spec.conftest import ACCEPT
from tests.spec.test_search_include import create, included, pages, refer

SITES = ("default", "north", "south")


@pytest.fixture(scope="module")
def open_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose searches may go over its three sites."""
    variables = {"ECLUSE_SEARCH_ACROSS_SITES": "on", "ECLUSE_WORKERS": "1"}
    with (
        postgres.database("template0") as url,
        serving(tmp_path_factory.mktemp("across"), ECLUSE_DATABASE_URL=url, **variables) as served,
    ):
        for name in SITES[1:]:
            served.ecluse("site", "add", name)
        yield served


def site(served: Served, name: str) -> httpx.Client:
    """A client of one site, or of several."""
    base = f"{served.url}/fhir" if name == "default" else f"{served.url}/sites/{name}/fhir"
    return httpx.Client(base_url=base, timeout=60, headers=ACCEPT)


@pytest.fixture(scope="module")
def world(open_server: Served) -> dict[str, list[str]]:
    """By site, full addresses of a Patient, whose id is the same at all of them, and of two Observations."""
    made: dict[str, list[str]] = {}
    own = uuid.uuid4().hex
    for name in SITES:
        with site(open_server, name) as client:
            body = {"resourceType": "Patient", "id": own, "name": [{"family": f"From{name}"}]}
            assert client.put(f"/Patient/{own}", json=body).status_code == 201
            observed = {"status": "final", "code": {"text": "x"}, "subject": refer(f"Patient/{own}")}
            addresses = [f"Patient/{own}", *(create(client, "Observation", **observed) for _ in range(2))]
            made[name] = [str(client.base_url) + address for address in addresses]
    return made


def urls(client: httpx.Client, search: str, mode: str = "match") -> list[str]:
    """Full addresses over all pages."""
    return [
        entry["fullUrl"]
        for bundle in pages(client, search)
        for entry in bundle.get("entry", ())
        if entry["search"]["mode"] == mode
    ]


@pytest.mark.parametrize("count", [1, 2, 100])
def test_what_is_found_is_at_its_own_site(open_server: Served, world: dict[str, list[str]], count: int) -> None:
    for names in ("*", "default,north,south", "north,south", "south"):
        asked = SITES if names == "*" else names.split(",")
        with site(open_server, names) as client:
            patients = urls(client, f"/Patient?_count={count}")
            assert patients == [world[name][0] for name in asked]
            every = urls(client, f"/?_type=Patient,Observation&_count={count}&_sort=-_lastUpdated")
            assert every == [url for name in reversed(asked) for url in reversed(world[name])]
            found = urls(client, f"/Observation?subject:Patient.name=fromnorth&_count={count}")
            assert found == (world["north"][1:] if "north" in asked else [])


def test_includes_stay_within_the_site_of_their_match(open_server: Served, world: dict[str, list[str]]) -> None:
    with site(open_server, "*") as client:
        assert sorted(urls(client, "/Observation?_include=Observation:subject", "include")) == sorted(
            world[name][0] for name in SITES
        )
        assert sorted(urls(client, "/Patient?_revinclude=Observation:subject", "include")) == sorted(
            url for name in SITES for url in world[name][1:]
        )


def test_a_total_and_a_form_work_as_at_one_site(open_server: Served, world: dict[str, list[str]]) -> None:
    with site(open_server, "north,south") as client:
        assert client.get("/Observation?_summary=count").json()["total"] == 4
        answer = client.post("/Patient/_search", data={"name": "from", "_count": "1"})
        assert included(answer.json(), "match") == [world["north"][0].split("/fhir/")[1]]
        assert "/sites/north,south/fhir/Patient?name=from" in answer.json()["link"][0]["url"]


def test_nothing_but_searches_goes_over_several_sites(open_server: Served, world: dict[str, list[str]]) -> None:
    own = world["north"][0].rpartition("/")[2]
    with site(open_server, "*") as client:
        for method, address in (
            ("GET", f"/Patient/{own}"),
            ("GET", f"/Patient/{own}/Observation"),
            ("GET", "/Patient/_history"),
            ("GET", "/_history"),
            ("GET", "/metadata"),
            ("GET", "/Patient/$everything"),
            ("PUT", f"/Patient/{own}"),
            ("DELETE", f"/Patient/{own}"),
        ):
            answer = client.request(method, address)
            assert answer.status_code == 404, (method, address)
            assert "go over several" in answer.json()["issue"][0]["details"]["text"]
        bundle = {"resourceType": "Bundle", "type": "batch"}
        for answer in (client.post("/", json=bundle), client.post("/Patient", json={"resourceType": "Patient"})):
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert client.delete("/Patient?name=from").status_code == 405


def test_a_site_that_nobody_registered_is_a_404(open_server: Served) -> None:
    for names in ("north,nowhere", "north,", ","):
        with site(open_server, names) as client:
            assert client.get("/Patient").status_code == 404


def test_one_site_is_all_there_is_unless_an_operator_says_so(served: Served) -> None:
    for names in ("*", "default,north"):
        answer = httpx.get(f"{served.url}/sites/{names}/fhir/Patient")
        assert answer.status_code == 404
        assert "ECLUSE_SEARCH_ACROSS_SITES" in answer.json()["issue"][0]["details"]["text"]
