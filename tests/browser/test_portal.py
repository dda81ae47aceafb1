"""What a reader sees and does, with keyboard or mouse, wide or narrow, by day or by night, and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.reading import fits, page_of, readable
from tests.services.server import Served


@pytest.fixture(params=["wide, light", "narrow, dark"])
def page(request: pytest.FixtureRequest, browser: Browser, served: Served) -> Iterator[Page]:
    """A page of a reader, which must neither complain nor ask another server for anything."""
    with page_of(browser, served, request.param) as page:
        yield page


def test_from_the_home_page_to_a_report_and_back_by_keyboard(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Où en sont les données")).to_be_visible()
    fits(page)
    readable(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    page.get_by_label("Chercher dans les comptes rendus").focus()
    page.keyboard.type('"hypertension arterielle"')
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("2 comptes rendus")
    expect(page.locator("mark")).to_have_text(["hypertension artérielle", "Hypertension artérielle"])
    fits(page)
    readable(page)
    page.get_by_role("link", name="Lettre de liaison").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lettre de liaison")
    expect(page.locator("mark")).to_have_text("Hypertension artérielle")
    expect(page.locator(".text")).to_contain_text("amlodipine.\n\nŒdèmes", use_inner_text=True)
    fits(page)
    readable(page)
    page.get_by_role("link", name="Retour aux résultats").click()
    expect(page.get_by_label("Chercher dans les comptes rendus")).to_have_value('"hypertension arterielle"')


def test_filters_narrow_and_pages_turn(page: Page) -> None:
    page.goto("/search?q=toux")
    expect(page.get_by_role("status")).to_have_text("30 comptes rendus, page 1 sur 2")
    page.get_by_role("link", name="Page suivante").click()
    expect(page.get_by_role("status")).to_have_text("30 comptes rendus, page 2 sur 2")
    page.get_by_label("Type").select_option(label="Compte rendu")
    page.get_by_label("Du", exact=True).fill("2026-03-02")
    page.get_by_role("button", name="Chercher").click()
    expect(page.get_by_role("status")).to_have_text("Aucun compte rendu ne correspond.")
    expect(page.get_by_label("Du", exact=True)).to_have_value("2026-03-02")
    fits(page)
    readable(page)


def test_no_report_runs_in_the_browser(page: Page) -> None:
    page.goto("/search?q=fi%C3%A8vre")
    expect(page.get_by_role("heading", level=2)).to_have_text("<script>document.title='x'</script>")
    expect(page).to_have_title("Recherche · Écluse")
    page.get_by_role("link", name="<script>").click()
    expect(page.locator(".text")).to_have_text("<img src=x onerror=document.title='x'> fièvre")
    expect(page).to_have_title("Compte rendu · Écluse")


def test_the_home_page_shows_the_books_of_each_consumer(page: Page) -> None:
    page.goto("/")
    card = page.locator(".card", has_text="Recherche plein texte")
    expect(card).to_contain_text("À jour")
    expect(card).to_contain_text("Le compte est juste.")
    expect(page.get_by_role("row", name="DocumentReference")).to_contain_text("33")


def test_a_bad_question_is_explained_beside_the_field(browser: Browser, served: Served) -> None:
    context = browser.new_context(base_url=served.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/search")
    page.get_by_label("Chercher dans les comptes rendus").fill('"hypertension')
    page.get_by_role("button", name="Chercher").click()
    expect(page.get_by_role("alert")).to_contain_text("Un guillemet reste ouvert")
    expect(page.get_by_label("Chercher dans les comptes rendus")).to_have_attribute("aria-invalid", "true")
    context.close()


def test_every_control_has_a_name_and_every_page_one_main_heading(page: Page) -> None:
    for address in ("/", "/search?q=toux", "/reports/default/DocumentReference/d1"):
        page.goto(address)
        assert page.locator("h1").count() == 1, address
        unnamed: list[Any] = page.evaluate(
            "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length).map(e => e.name)"
        )
        assert unnamed == [], address
