"""The served AsyncAPI document is valid, and the same in each format."""

from __future__ import annotations

import httpx
import yaml

from tests.clients.conftest import Program
from tests.services.server import Served


def test_the_document_is_what_the_schema_of_asyncapi_asks_for(node: Program, served: Served) -> None:
    node("asyncapi.mjs", f"{served.url}/asyncapi.json")


def test_json_yaml_and_page_tell_the_same(served: Served) -> None:
    def ask(path: str, accept: str) -> httpx.Response:
        answer = httpx.get(f"{served.url}{path}", headers={"Accept": accept}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer

    document = ask("/asyncapi", "*/*").json()
    assert ask("/asyncapi.json", "text/html").json() == document
    for path, accept in (("/asyncapi.yaml", "*/*"), ("/asyncapi", "application/yaml")):
        answer = ask(path, accept)
        assert answer.headers["content-type"].startswith("application/yaml")
        assert yaml.safe_load(answer.text) == document
    page = ask("/asyncapi", "text/html,*/*;q=0.8")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in page.text
    for told in ("fhir.{type}.state.v1", "ce_bundle", "traceparent", "fhir.resource.moved", "tombstone"):
        assert told in page.text
