"""fhir_server/terminology/compile.py: value sets as SQL."""

from __future__ import annotations

from fhir_server.terminology import compile as sql
from fhir_server.terminology.compile import Wish
from fhir_server.terminology.composition import (
    Composed,
    Condition,
    Flag,
    Listed,
    Part,
    Property,
    System,
    Text,
    Under,
    rows_of,
)

EVIL = "'; DROP TABLE fhir.resource; --$1"
ANIMALS = System(7, "urn:animals", "1", 99, {"content": "complete"})


def _composed(*includes: Part, excludes: tuple[Part, ...] = ()) -> Composed:
    return Composed("urn:vs", "", includes, excludes)


def _part(*conditions: Condition, listed: tuple[Listed, ...] | None = None) -> Part:
    return Part(ANIMALS.url, ANIMALS, listed, conditions)


def _where(composed: Composed, wish: Wish = Wish()) -> str:  # noqa: B008
    (rows,) = rows_of(composed)
    return sql.members(composed, rows, wish)[0].partition("WHERE ")[2].replace("\n  ", " ")


def test_a_whole_code_system_is_its_rows_and_counted_already() -> None:
    composed = _composed(_part())
    assert _where(composed) == "k.system = 7"
    assert sql.counts(composed, rows_of(composed), Wish()) == (
        "SELECT 0 AS source, 99::bigint AS concepts\nORDER BY source",
        [],
    )


def test_one_interval_is_a_range_of_the_index_and_several_are_searched_within_their_extent() -> None:
    assert _where(_composed(_part(Under(((3, 9),))))) == "k.system = 7 AND (k.position BETWEEN 3 AND 9)"
    several = _where(_composed(_part(Under(((3, 4), (8, 9))))))
    assert "k.position BETWEEN 3 AND 9 AND k.position <@ '{[3,4],[8,9]}'::int4multirange" in several


def test_a_list_is_walked_in_its_authors_order() -> None:
    composed = _composed(_part(listed=(Listed("b", ""), Listed("a", ""))))
    (rows,) = rows_of(composed)
    text, arguments = sql.page(composed, rows, Wish(), 5, 10)
    assert "unnest($1::text[]) WITH ORDINALITY AS l" in text
    assert text.endswith("ORDER BY l.position LIMIT 10 OFFSET 5")
    assert arguments[0] == ["b", "a"]


def test_what_people_write_is_only_ever_in_the_arguments() -> None:
    conditions = (
        Text("code", "regex", (EVIL,)),
        Text("display", "=", (EVIL,)),
        Property(EVIL, "regex", (EVIL,), ("valueString",)),
        Property(EVIL, "=", (EVIL,), ("valueCode", "valueCoding")),
        Property(EVIL, "exists", ("true",), ("valueCode",)),
        Flag("inactive", False),
    )
    listed = _part(listed=(Listed(EVIL, EVIL),))
    composed = _composed(_part(*conditions), listed, excludes=(_part(Text("definition", "in", (EVIL,))),))
    wish = Wish(words=(EVIL,), codes=(EVIL,), active_only=True)
    (rows,) = rows_of(composed)
    for text, arguments in (sql.page(composed, rows, wish, 0, 9), sql.counts(composed, [rows], wish)):
        assert "DROP" not in text
        assert str(arguments).count("DROP") >= 9


def test_arguments_are_those_that_stand_in_the_statement() -> None:
    composed = _composed(
        _part(listed=(Listed("dropped", ""),)), _part(), excludes=(_part(Text("code", "=", ("kept",))),)
    )
    (rows,) = rows_of(composed)
    text, arguments = sql.members(composed, rows, Wish())
    assert text.endswith("k.system = 7\n  AND (k.code = ANY ($1::text[])) IS NOT TRUE")
    assert arguments == [["kept"]]


def test_a_word_is_quoted_for_the_query_of_words() -> None:
    assert sql.tsquery(["l'été", "a\\b"]) == "'l''été':* & 'a\\\\b':*"
