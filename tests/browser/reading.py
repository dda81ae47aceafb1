"""What every page owes its readers: it fits, it can be read, it asks no other server for anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from tests.services.server import Served

WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
CONTRAST = """(selector) => {
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const linear = (v) => v <= 10 ? v / 3294.6 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  return [...document.querySelectorAll(selector)].map(found => {
    let behind = found;
    while (behind && (rgb(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
    const a = light(rgb(getComputedStyle(found).color).slice(0, 3));
    const b = light(rgb(getComputedStyle(behind ?? document.documentElement).backgroundColor).slice(0, 3));
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  });
}"""


@contextmanager
def page_of(browser: Browser, served: Served, looks: str) -> Iterator[Page]:
    """A page of a reader, which must neither complain nor ask another server for anything. looks: "wide, light" """
    shape, scheme = looks.split(", ")
    context = browser.new_context(
        base_url=served.url, viewport=WIDE if shape == "wide" else NARROW, color_scheme=scheme, locale="fr-FR"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda sent: sent.url.startswith(served.url) or complaints.append(sent.url))
    yield page
    assert not complaints
    context.close()


def fits(page: Page) -> None:
    """Nothing stands beside the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def readable(page: Page) -> None:
    """All text has the contrast that WCAG asks for."""
    ratios = page.evaluate(
        CONTRAST,
        "main a, main p, main dt, main dd, main h1, main h2, main h3, main pre, main code, mark, main button, td, th",
    )
    assert ratios
    assert min(ratios) >= 4.5
