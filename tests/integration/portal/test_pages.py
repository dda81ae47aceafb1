"""The same read as a page and as JSON; status, headers and body together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from ecluse.core.errors import NotFound, Unavailable
from ecluse.core.settings import Settings
from ecluse.index.protocol import Entry
from ecluse.index.tantivy import Writer
from portal.lists import Reads
from portal.pages import routes

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"version": "1", "summary": "A server <b>"},
    "tags": [{"name": "state", "description": "How it is."}],
    "paths": {"/health": {"parameters": [], "get": {"tags": ["state"], "summary": "Whether it answers."}}},
}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}
ATTACK = '<script>alert(1)</script> toux "><img src=x onerror=alert(2)>'
PRESENT: dict[str, Any] = {
    "alarms": ["No relay runs <now>."],
    "stored": {"default": {"Patient": {"present": 2, "deleted": 0}}, "lyon": {"Patient": {"present": 1, "deleted": 0}}},
    "consumers": [
        {
            "name": "search",
            "received": 1234,
            "mapped": 1200,
            "excluded": {"no text": 30, "<b>format</b>": 4},
            "withheld": 0,
            "waiting": 0,
            "dead": 0,
            "removed": 0,
            "balanced": True,
            "lag_events": 0,
            "lag_s": 0.0,
        }
    ],
}


FLOWING: dict[str, Any] = {
    "arrivals": {"requests": 1234, "resources": 5678, "refused": 2, "p99_ms": 31},
    "outbox": {"bytes": 3_000_000, "budget_bytes": 1 << 34, "slowest": "warehouse", "seq": 7},
    "writer": {"pid": 7, "application": "psql", "seconds": 90.0},
    "relay": {"running": False, "unsent": 1, "seconds": 75.0},
    "alarms": ["No relay runs <now>."],
    "consumers": [
        {"name": "warehouse", "lag_events": 12, "lag_s": 3.2, "dead": 1},
        {"name": "subscriptions", "lag_events": 0, "lag_s": 0.0, "dead": 0},
    ],
    "subscriptions": {"active": 3, "error": 1, "requested": 0, "waiting": 40},
}


def _entry(number: int, **given: Any) -> Entry:
    fields = {
        "key": f"default/DocumentReference/d{number}",
        "site": "default",
        "patient": "p1",
        "codes": ("34112-3", "http://loinc.org|34112-3"),
        "display": "Compte rendu d'hospitalisation",
        "date": "2026-03-01T09:00:00+01:00",
        "title": f"Compte rendu {number}",
        "text": "Pas de fièvre.\nŒdème des chevilles.",
    }
    return Entry(**(fields | given))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index of 26 reports."""
    data = tmp_path_factory.mktemp("data")
    writer = Writer(data / "index")
    writer.add(_entry(number) for number in range(24))
    attack = {"title": "<script>alert(3)</script>", "patient": "", "codes": (), "display": "<i>x</i>", "text": ATTACK}
    writer.add(
        [_entry(90, key="lyon/Composition/x1", site="lyon", **attack), _entry(91, title="", status="superseded")]
    )
    writer.commit()
    writer.close()
    return data


async def _nothing(query: Mapping[str, str]) -> Any:
    return []


async def _check_site(name: str) -> None:
    if name not in ("default", "lyon", "empty"):
        raise NotFound(f"There is no site {name!r}; there are default, lyon, empty.", expression="site")


READS = Reads(_nothing, _nothing, _nothing, _nothing, _check_site)


async def _present() -> dict[str, Any]:
    return PRESENT


async def _flowing() -> dict[str, Any]:
    return FLOWING


@pytest.fixture
async def portal(data: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the portal."""
    async with _client(data, _present) as client:
        yield client


def _client(data: Path, status: Any) -> httpx.AsyncClient:
    app = Starlette(routes=routes(Settings(data=data), status, _flowing, DOCUMENT, READS))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://portal")


async def test_a_search_answers_json(portal: httpx.AsyncClient) -> None:
    answer = await portal.get("/search", params={"q": "oedeme", "count": "2", "page": "3"}, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    body = answer.json()
    assert (body["total"], body["page"], body["count"], len(body["hits"])) == (25, 3, 2, 2)
    hit = body["hits"][0]
    assert hit["snippet_html"] == "Pas de fièvre. <mark>Œdème</mark> des chevilles."
    assert hit["key"] == f"default/DocumentReference/{hit['fhir_url'].rpartition('/')[2]}"
    assert (hit["site"], hit["patient"], hit["type"], hit["date"]) == (
        *("default", "p1", "34112-3"),
        "2026-03-01T09:00:00+01:00",
    )


async def test_filters_have_the_names_of_the_address(portal: httpx.AsyncClient) -> None:
    for name, value, total in (
        *(("site", "lyon", 1), ("patient", "p1", 25), ("type", "34112-3", 25)),
        *(("from", "2026-03-02", 0), ("to", "2026-03-01", 26)),
    ):
        answer = await portal.get("/search", params={name: value})
        assert answer.json()["total"] == total, name


async def test_a_search_of_a_site_that_there_is_not_answers_404(portal: httpx.AsyncClient) -> None:
    answer = await portal.get("/search", params={"site": "lyonn", "q": "toux"})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (404, "not-found")
    assert "'lyonn'; there are default, lyon" in answer.json()["issue"][0]["details"]["text"]
    read = await portal.get("/search", params={"site": "lyonn", "q": "toux"}, headers=PAGE)
    assert (read.status_code, "Aucun site ne porte ce nom" in read.text) == (404, True)
    empty = await portal.get("/search", params={"site": "empty", "q": "toux"})
    assert (empty.status_code, empty.json()["total"]) == (200, 0)


async def test_all_that_is_wrong_with_a_search_is_told_at_once(portal: httpx.AsyncClient) -> None:
    answer = await portal.get("/search?q=toux&q=fi%C3%A8vre&patiant=1&count=0&page=x")
    assert answer.status_code == 400
    texts = [issue["details"]["text"] for issue in answer.json()["issue"]]
    assert len(texts) == 4
    parts = ("once", "no such", "count is", "page is")
    assert [part in text for part, text in zip(parts, texts, strict=True)] == [True] * 4


async def test_a_file_that_there_is_not_answers_404(portal: httpx.AsyncClient) -> None:
    answer = await portal.get("/static/nothing.css")
    assert (answer.status_code, answer.json()["resourceType"]) == (404, "OperationOutcome")


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("text/html", "", "text/html"),
        ("application/json", "", "application/json"),
        ("*/*", "", "application/json"),
        ("text/html;q=0.5, application/json", "", "application/json"),
        ("application/json;q=0.5, text/html", "", "text/html"),
        ("text/html", "&format=json", "application/json"),
        ("*/*", "&format=html", "text/html"),
        ("text/html;q=wrong", "", "application/json"),
    ],
)
async def test_the_client_chooses_page_or_json(portal: httpx.AsyncClient, accept: str, query: str, kind: str) -> None:
    answer = await portal.get(f"/search?q=toux{query}", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)


async def test_a_page_shows_hits_pages_and_what_was_asked(portal: httpx.AsyncClient) -> None:
    answer = await portal.get("/search?q=oedeme&site=default&page=2", headers=PAGE)
    assert answer.status_code == 200
    for part in (
        '<html lang="fr">',
        'value="oedeme"',
        "25 comptes rendus, page 2 sur 2",
        "<mark>Œdème</mark> des chevilles.",
        'rel="prev" href="/search?q=oedeme&amp;site=default"',
        '<ol class="hits" start="21">',
        "<option selected>default</option>",
        "1er mars 2026",
    ):
        assert part in answer.text, part
    assert 'rel="next"' not in answer.text
    first = await portal.get(answer.url.copy_remove_param("page"), headers=PAGE)
    assert 'rel="next"' in first.text
    assert "remplacé" in first.text


async def test_no_report_or_question_becomes_markup(portal: httpx.AsyncClient) -> None:
    for address in ("/search?q=toux", f"/search?q={ATTACK}", "/reports/lyon/Composition/x1?q=toux", "/"):
        answer = await portal.get(address, headers=PAGE)
        assert answer.status_code == (400 if ATTACK in address else 200), address
        assert "<script" not in answer.text
        assert "<img src=x" not in answer.text
        assert "<i>x</i>" not in answer.text
        assert "<b>format" not in answer.text
    hit = (await portal.get("/search?q=toux")).json()["hits"][0]
    assert "<mark>toux</mark>" in hit["snippet_html"]
    assert "<script" not in hit["snippet_html"]


@pytest.mark.parametrize(
    ("query", "french", "english"),
    [
        ("q=%22ouvert", "guillemet", "close it"),
        ("q=*", "étoile", "star"),
        ("q=a&from=hier", "AAAA-MM-JJ", "YYYY-MM-DD"),
        ("q=a&patiant=1", "paramètre inconnu", "no such parameter"),
        ("q=a&page=9999", "dix mille", "first 10000"),
        ("q=a&count=x", "«\u202fcount\u202f»", "whole number"),
        ("q=%ff%00%ed%a0%80", "aucun mot", "no word"),
    ],
)
async def test_a_bad_question_is_a_400_that_says_the_fix(
    portal: httpx.AsyncClient, query: str, french: str, english: str
) -> None:
    page = await portal.get(f"/search?{query}", headers=PAGE)
    assert (page.status_code, 'role="alert"' in page.text) == (400, True)
    assert french in page.text
    answer = await portal.get(f"/search?{query}", headers=JSON)
    assert answer.status_code == 400
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert english in body["issue"][0]["details"]["text"]


async def test_nothing_asked_is_a_form_for_readers_and_a_400_for_programs(portal: httpx.AsyncClient) -> None:
    page = await portal.get("/search", headers=PAGE)
    assert (page.status_code, "Comment chercher" in page.text, 'role="alert"' in page.text) == (200, True, False)
    assert (await portal.get("/search", headers=JSON)).status_code == 400


async def test_a_report_is_read_whole_with_its_lines_and_marks(portal: httpx.AsyncClient) -> None:
    page = await portal.get("/reports/default/DocumentReference/d3?q=oedeme&page=2", headers=PAGE)
    assert page.status_code == 200
    assert "Pas de fièvre.\n<mark>Œdème</mark> des chevilles." in page.text
    assert 'href="/search?q=oedeme&amp;page=2"' in page.text
    assert 'href="/fhir/DocumentReference/d3"' in page.text
    answer = await portal.get("/reports/lyon/Composition/x1", headers=JSON)
    assert answer.status_code == 200
    assert answer.json()["text"] == ATTACK
    assert answer.json()["fhir_url"] == "/sites/lyon/fhir/Composition/x1"


async def test_an_unknown_report_is_a_404(portal: httpx.AsyncClient) -> None:
    page = await portal.get("/reports/default/DocumentReference/none", headers=PAGE)
    assert (page.status_code, "pas dans l'index" in page.text.replace("&#39;", "'")) == (404, True)
    answer = await portal.get("/reports/default/DocumentReference/none")
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (404, "not-found")


async def test_the_home_page_says_what_is_stored_and_where_it_stands(portal: httpx.AsyncClient) -> None:
    page = await portal.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for part in (
        "Recherche plein texte",
        "À jour",
        "1\u202f234",
        "no text",
        "Le compte est juste.",
        "lyon",
        "Patient",
        "runs &lt;now&gt;.",
    ):
        assert part in page.text, part


async def test_choices_are_those_of_the_index(portal: httpx.AsyncClient) -> None:
    answer = await portal.get("/search/choices.json")
    assert answer.json() == {
        "sites": ["default", "lyon"],
        "types": [{"code": "34112-3", "display": "Compte rendu d'hospitalisation"}],
    }


async def test_nothing_is_kept_by_caches_loaded_from_elsewhere_or_told_to_others(portal: httpx.AsyncClient) -> None:
    for address in ("/", "/search?q=toux", "/search?q=%22", "/reports/lyon/Composition/x1", "/reports/a/b/c"):
        for headers in (PAGE, JSON):
            answer = await portal.get(address, headers=headers)
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "http://" not in answer.text.replace("http://loinc.org", "")
            assert " style=" not in answer.text


@pytest.mark.parametrize(("name", "status"), [("portal.css", 200), ("ecluse.svg", 200), ("..%2fpages.py", 404)])
async def test_only_the_files_of_the_pages_are_served(portal: httpx.AsyncClient, name: str, status: int) -> None:
    assert (await portal.get(f"/static/{name}")).status_code == status


async def test_without_an_index_the_search_says_what_to_start(tmp_path: Path) -> None:
    async with _client(tmp_path, _present) as client:
        page = await client.get("/search?q=toux", headers=PAGE)
        assert (page.status_code, "ecluse consume search" in page.text) == (503, True)
        assert (await client.get("/search?q=toux")).status_code == 503


async def test_a_database_that_is_away_is_a_503_that_says_so(data: Path) -> None:
    async def away() -> dict[str, Any]:
        raise Unavailable("The database does not answer; try again.")

    async with _client(data, away) as client:
        page = await client.get("/", headers=PAGE)
        assert (page.status_code, "Réessayez" in page.text) == (503, True)


async def test_an_unexpected_failure_shows_a_number_and_no_detail(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> dict[str, Any]:
        raise KeyError("DUPONT")

    async with _client(data, broken) as client:
        page = await client.get("/", headers=PAGE)
    assert page.status_code == 500
    assert "DUPONT" not in page.text + caplog.text
    (record,) = caplog.records
    assert record.facts["request_id"] in page.text  # type: ignore[attr-defined]


async def test_no_log_holds_what_was_searched(portal: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="ecluse"):
        for address in ("/search?q=canari", "/search?q=%22canari", "/reports/default/DocumentReference/canari"):
            await portal.get(address, headers=PAGE)
    assert not [record for record in caplog.records if record.name.startswith("ecluse")]


async def test_the_api_is_a_page_made_of_its_document(portal: httpx.AsyncClient) -> None:
    answer = await portal.get("/docs", headers=PAGE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<code><b>GET</b> /health</code>" in answer.text
    assert "Whether it answers." in answer.text
    assert "A server &lt;b&gt;" in answer.text


async def test_what_flows_is_a_page_that_renews_itself_until_it_is_paused(portal: httpx.AsyncClient) -> None:
    shown = await portal.get("/flow", headers=PAGE)
    assert (shown.status_code, shown.headers["refresh"]) == (200, "5")
    text = shown.text.replace("\u202f", " ")
    for words in (
        *("1 234", "5 678", "31 ms", "3 Mo sur 16 Go", "Entrepôt OMOP", "1 min", "12 événements de retard, depuis 3 s"),
        *("Arrêté", "1 échec", "1 application injoignable", "Notifications en attente", "No relay runs &lt;now&gt;."),
    ):
        assert words in text, words
    paused = await portal.get("/flow?paused", headers=PAGE)
    assert "refresh" not in paused.headers and "Reprendre" in paused.text
    assert (await portal.get("/flow", headers=JSON)).json() == FLOWING
