"""What a data manager sees: what arrived and what was refused, what is stored although it breaks a rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.reading import fits, page_of, readable
from tests.services.server import Served

WITHIN_S = 60.0
FLAG = {"X-Ecluse-Validation": "base+flag", "X-Ecluse-Sender": "laboratoire"}
REQUEST_ID = "lot/2026 no 7?&<i>"
"""Whatever a sender takes for a number."""


@pytest.fixture(scope="module", autouse=True)
def sent(served: Served) -> None:
    """A site more, writes that were taken, refused, taken with their issues, and a batch with both."""
    served.ecluse("site", "add", "lyon")
    with httpx.Client(base_url=served.url, timeout=60) as client:
        for number in range(60):
            body = {"resourceType": "Patient", "id": f"s{number}", "contact": [{"gender": "male"}]}
            assert client.put(f"/sites/lyon/fhir/Patient/s{number}", json=body, headers=FLAG).status_code == 201
        sender = {"X-Ecluse-Sender": "urgences", "X-Request-Id": REQUEST_ID}
        wrong: dict[str, Any] = {"resourceType": "Patient", "gendr": "male", "birthDate": "02/03/1956"}
        entry = {"request": {"method": "POST", "url": "Patient"}}
        entries = [{**entry, "resource": {"resourceType": "Patient"}}, {**entry, "resource": wrong}]
        batch = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        assert client.post("/fhir", json=batch, headers=sender).status_code == 200
        for _ in range(3):
            headers = {"X-Ecluse-Sender": "<b>urgences</b>"}
            assert client.post("/fhir/Patient", json=wrong, headers=headers).status_code == 400
        deadline = time.monotonic() + WITHIN_S  # refusals are stored after they were answered
        while not (
            len(client.get("/intake.json", params={"sender": "<b>urgences</b>"}).json()) == 3
            and len(client.get("/intake.json", params={"request-id": REQUEST_ID}).json()) == 2
        ):
            assert time.monotonic() < deadline


@pytest.fixture(params=["wide, light", "narrow, dark"])
def page(request: pytest.FixtureRequest, browser: Browser, served: Served) -> Iterator[Page]:
    """A page of a reader, which must neither complain nor ask another server for anything."""
    with page_of(browser, served, request.param) as page:
        yield page


def row(page: Page, name: str) -> Any:
    """The row of the first table that begins with these words."""
    return page.get_by_role("table").first.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


def test_the_intake_tells_who_sent_what_and_leads_to_what_was_refused(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Réception").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ce qui est arrivé")
    expect(row(page, "laboratoire").get_by_role("cell")).to_have_text(["lyon", "60", "60", "0", "0", "0"])
    expect(row(page, "<b>urgences</b>").get_by_role("cell")).to_have_text(["default", "3", "0", "3", "0", "3"])
    fits(page)
    readable(page)
    row(page, "<b>urgences</b>").get_by_role("link", name="3").click()
    expect(page.get_by_label("Expéditeur")).to_have_value("<b>urgences</b>")
    expect(page.get_by_label("Résultat")).to_have_value("4xx")
    requests = page.get_by_role("table").nth(1).get_by_role("row")
    expect(requests).to_have_count(4)
    expect(requests.nth(1)).to_contain_text("refusée (400)")
    fits(page)


def test_the_intake_is_filtered_and_its_pages_turn(page: Page) -> None:
    page.goto("/intake")
    page.get_by_label("Expéditeur").select_option("laboratoire")
    page.get_by_role("button", name="Filtrer").click()
    requests = page.get_by_role("table").nth(1).get_by_role("row")
    expect(requests).to_have_count(51)
    first = requests.nth(50).get_by_role("link").get_attribute("href")
    page.get_by_role("link", name="Page suivante").click()
    expect(requests).to_have_count(11)
    assert first not in [link.get_attribute("href") for link in requests.get_by_role("link").all()]
    expect(page.get_by_role("link", name="Page suivante")).to_have_count(0)
    page.get_by_role("link", name="Début de la liste").click()
    expect(requests).to_have_count(51)
    page.get_by_label("Résultat").select_option("5xx")
    page.get_by_role("button", name="Filtrer").click()
    expect(page.get_by_role("status")).to_have_text("Rien n'est arrivé qui corresponde à ces filtres.")
    page.get_by_role("link", name="Tout afficher").click()
    expect(row(page, "urgences").first).to_be_visible()
    page.get_by_label("Motif").select_option(label="structure incorrecte")
    page.get_by_role("button", name="Filtrer").click()
    expect(requests).to_have_count(5)


def test_a_request_is_found_by_its_number_with_its_outcome(page: Page) -> None:
    page.goto("/intake")
    page.get_by_label("Retrouver une requête par son X-Request-Id").fill(REQUEST_ID)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Requête {REQUEST_ID}")
    expect(page.get_by_role("heading", level=2)).to_have_text(
        ["POST Bundle, acceptée (200)", "Entrée 0 du lot : POST Patient, acceptée (201)"]
    )
    whole = page.get_by_role("region", name="POST Bundle")
    expect(whole).to_contain_text("1 créée, 1 refusée")
    expect(whole.locator(".hit h3")).to_have_text(["Bundle.entry[1].resource.…", "Bundle.entry[1].resource.birthDate"])
    expect(whole.locator("pre")).to_be_hidden()
    whole.locator("summary").click()
    expect(whole.locator("pre")).to_contain_text('"resourceType": "OperationOutcome"')
    expect(whole.locator("pre")).to_contain_text('"Bundle.entry[1].resource.birthDate"')
    fits(page)
    readable(page)


def test_a_number_that_nobody_sent_and_a_period_that_is_none_say_what_to_write(page: Page) -> None:
    for address, status, told in (
        ("/intake/request?request-id=nobody", 404, "Aucune requête de ce numéro"),
        ("/intake/request", 400, "l'en-tête X-Request-Id"),
        ("/intake?since=hier", 400, "Une période s'écrit"),
        ("/intake?sender=a%00", 400, "sender"),
        ("/intake?after=x", 400, "revenez à son début"),
        ("/quality?severity=fatal", 400, "La gravité est"),
        ("/quality?colour=red", 400, "paramètre inconnu"),
        ("/quality/resources?after=x", 400, "revenez à son début"),
    ):
        answer = page.request.get(address, headers={"Accept": "text/html"})
        assert (answer.status, 'role="alert"' in answer.text()) == (status, True), address
        assert told in answer.text().replace("&#39;", "'"), address


def test_flagged_issues_are_counted_and_lead_to_their_resources(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Qualité").click()
    expect(page.get_by_role("status")).to_have_text("2 sortes de défauts, les erreurs d'abord")
    error = page.get_by_role("row").nth(1)
    expect(error).to_contain_text("erreur, règle non respectée")
    expect(error).to_contain_text("(pat-1)")
    expect(page.get_by_role("row").nth(2)).to_contain_text("(dom-6)")
    fits(page)
    readable(page)
    page.get_by_label("Gravité").select_option(label="erreur")
    page.get_by_role("button", name="Filtrer").click()
    expect(page.get_by_role("status")).to_have_text("1 sorte de défaut, les erreurs d'abord")
    page.get_by_role("link", name="Voir 60 ressources").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ressources à corriger")
    expect(page.locator(".hit")).to_have_count(50)
    fits(page)
    readable(page)
    page.get_by_role("link", name="Page suivante").click()
    expect(page.locator(".hit")).to_have_count(10)
    expect(page.locator(".hit").first).to_contain_text("de laboratoire")
    address = page.locator(".hit h2 a").first.get_attribute("href") or ""
    assert address.startswith("/sites/lyon/fhir/Patient/s")
    read = page.request.get(address, headers={"Accept": "text/html,application/xml;q=0.9"})
    assert (read.status, read.json()["contact"]) == (200, [{"gender": "male"}])


def test_lists_without_rows_say_what_would_be_there(page: Page) -> None:
    page.goto("/quality?type=Observation")
    expect(page.get_by_role("status")).to_have_text("Aucun défaut ne correspond à ces filtres.")
    page.goto("/quality/resources?type=Observation")
    expect(page.get_by_role("status")).to_contain_text("peut-être été corrigées")
    page.goto("/intake?since=2126-01-01")
    expect(page.get_by_role("status")).to_contain_text("Rien n'est arrivé")
    readable(page)


def test_every_control_has_a_name_and_every_page_one_main_heading(page: Page) -> None:
    for address in ("/intake", f"/intake/request?request-id={quote(REQUEST_ID)}", "/quality", "/quality/resources"):
        page.goto(address)
        assert page.locator("h1").count() == 1, address
        unnamed = "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length).length"
        assert page.evaluate(unnamed) == 0, address


def test_what_flows_is_seen_and_can_be_paused(page: Page) -> None:
    page.goto("/flow")
    expect(page.get_by_role("heading", name="Ce qui passe en ce moment")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Réception")).to_contain_text("Requêtes par minute")
    expect(page.get_by_role("listitem").filter(has_text="Entrepôt OMOP")).to_contain_text("À jour")
    fits(page)
    readable(page)
    page.get_by_role("link", name="Mettre en pause").click()
    expect(page.get_by_role("link", name="Reprendre l'actualisation")).to_be_visible()
    fits(page)
