"""Searches as the tests ask them."""

from __future__ import annotations

import httpx


def hits(fhir: httpx.Client, url: str) -> list[str]:
    """Ids of all matches, over all pages."""
    found: list[str] = []
    while url:
        answer = fhir.get(url)
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        assert bundle["type"] == "searchset"
        found += [entry["resource"]["id"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == "match"]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    return found
