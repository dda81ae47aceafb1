"""Searches as addresses, there and back."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core.errors import BadRequest
from ecluse.index.protocol import Filters
from portal.asking import Asked, asked

WORDS = st.text(st.characters(codec="utf-8"), max_size=20).map(str.strip)
ASKED = st.builds(
    Asked, WORDS, st.builds(Filters, WORDS, WORDS, WORDS, WORDS, WORDS), st.integers(1, 100), st.integers(1, 1000)
)


@given(ASKED)
def test_an_address_says_what_was_asked(wanted: Asked) -> None:
    query = urlsplit(wanted.address("/search")).query
    assert asked(parse_qsl(query, keep_blank_values=True)) == wanted


def test_an_address_leaves_out_what_is_usual() -> None:
    assert Asked().address("/search") == "/search"
    assert Asked("a b", Filters(site="x"), page=2).on_page(1) == "/search?q=a+b&site=x"


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("patiant=1", "no such parameter"),
        ("q=a&q=b", "once"),
        ("count=0", "1 to 100"),
        ("count=101", "1 to 100"),
        ("page=-1", "whole number"),
        ("page=١", "whole number"),
        ("page=99999999", "whole number"),
    ],
)
def test_an_address_that_is_not_understood_says_why(query: str, part: str) -> None:
    with pytest.raises(BadRequest, match=part):
        asked(parse_qsl(query))


def test_empty_fields_of_a_form_ask_for_nothing() -> None:
    assert asked(parse_qsl("q=&site=&from=&count=&page=", keep_blank_values=True)) == Asked()


@pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (20, 1), (21, 2)])
def test_pages_hold_all_hits(total: int, pages: int) -> None:
    assert Asked().pages(total) == pages
