"""What a reader finds, and how it is shown."""

from __future__ import annotations

import pytest

from ecluse.core.errors import BadRequest
from ecluse.index.protocol import BadQuery
from tests.integration.search_index.feeding import Feeding, gone, report, told

HTA = "Hypertension artérielle essentielle, traitée par amlodipine. L'échographie est normale."
OEDEME = "Œdème des membres inférieurs, sans hypertension. Hépatite C connue."


@pytest.fixture
async def filled(feeding: Feeding) -> Feeding:
    """Two reports of two patients at two sites."""
    second = report("d2", OEDEME, subject={"reference": "Patient/p2"}, date="2025-11", description="Courrier de sortie")
    await feeding.tell([report("d1", HTA), told(second, site="lyon")])
    return feeding


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("arterielle", "d1"),
        ("ARTÉRIELLE", "d1"),
        ("arte\u0301rielle", "d1"),
        ("oedeme", "d2"),
        ("œdème", "d2"),
        ("échographie", "d1"),
        ("l'échographie", "d1"),
        ("l’echographie", "d1"),
        ("hépatite C", "d2"),
        ("hypertension", "d1 d2"),
        ("hypertension artérielle", "d1"),
        ('"hypertension artérielle"', "d1"),
        ("« hypertension artérielle »", "d1"),
        ('"artérielle hypertension"', ""),
        ("hypertension -amlodipine", "d2"),
        ('hypertension -"membres inférieurs"', "d1"),
        ("-amlodipine", "d2"),
        ("amlodipine OU œdème", "d1 d2"),
        ("hypertension amlodipine OR hépatite", "d1 d2"),
        ("hypert*", "d1 d2"),
        ("amlod*", "d1"),
        ('"membres infé*"', "d2"),
        ("compte rendu", "d1 d2"),
        ("courrier", "d2"),
        ("hypertension de la", "d1 d2"),
        ("insuline", ""),
        ("a:b OR title:x", ""),
        ("*)(&|^~[]{}\\ hypertension", "star"),
        ("hyp*sion", "star"),
        ("h*", "prefix"),
        ('"hypertension', "quote"),
        ("OR hypertension", "or"),
        ("hypertension OU", "or"),
        ("hypertension OR -amlodipine", "or"),
        ("???", "empty"),
        ("", "nothing"),
        ("a" * 1001, "long"),
        ("a " * 40, "many"),
    ],
)
def test_a_search_finds_what_it_says(filled: Feeding, text: str, found: str) -> None:
    try:
        told = " ".join(key.removeprefix("DocumentReference/") for key in filled.found(text))
    except BadQuery as error:
        told = error.kind
        assert str(error).endswith((".", "hypert*", "diabétique", '"hypertension artérielle".'))
    assert told == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"site": "lyon"}, "d2"),
        ({"patient": "p1"}, "d1"),
        ({"patient": "Patient/p2"}, "d2"),
        ({"type": "34112-3"}, "d1 d2"),
        ({"type": "http://loinc.org|34112-3"}, "d1 d2"),
        ({"type": "DocumentReference", "site": "default"}, "d1"),
        ({"type": "DiagnosticReport"}, ""),
        ({"since": "2026"}, "d1"),
        ({"until": "2025"}, "d2"),
        ({"since": "2025-11-15", "until": "2025-11-20"}, "d2"),
        ({"since": "2026-03-01", "until": "2026-03-01"}, "d1"),
        ({"since": "2026-03-02"}, ""),
    ],
)
def test_filters_narrow_with_and_without_words(filled: Feeding, filters: dict[str, str], found: str) -> None:
    for text in ("", "hypertension"):
        keys = [key.removeprefix("DocumentReference/") for key in filled.found(text, **filters)]
        assert " ".join(keys) == found


def test_a_date_that_is_none_says_how_to_write_one(filled: Feeding) -> None:
    with pytest.raises(BadRequest, match="YYYY-MM-DD"):
        filled.found("hypertension", since="01/03/2026")


def test_a_snippet_shows_the_original_letters_and_marks_them(filled: Feeding) -> None:
    (hit,) = filled.search("oedeme hépatite").hits
    assert hit.snippet_html == (
        "<mark>Œdème</mark> des membres inférieurs, sans hypertension. <mark>Hépatite</mark> C connue."
    )


async def test_a_snippet_carries_no_markup_of_the_report(feeding: Feeding) -> None:
    attack = "<script>alert(1)</script> fièvre <img src=x onerror=alert(2)> & </mark>"
    await feeding.tell([report("d1", attack, description="<b>fièvre</b>")])
    (hit,) = feeding.search("fievre").hits
    assert "<script" not in hit.snippet_html
    assert "<img" not in hit.snippet_html
    assert hit.snippet_html.count("<") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <mark>fièvre</mark>" in hit.snippet_html


async def test_an_update_replaces_and_a_delete_removes(feeding: Feeding) -> None:
    await feeding.tell([report("d1", HTA)], [told(report("d1", OEDEME), 2)])
    assert (feeding.found("amlodipine"), feeding.found("oedeme")) == ([], ["DocumentReference/d1"])
    await feeding.tell([gone(report("d1", ""), 3)], [told(report("d1", HTA), 1)])
    assert feeding.found("oedeme OR amlodipine") == []


async def test_a_report_entered_in_error_goes(feeding: Feeding) -> None:
    await feeding.tell([report("d1", HTA)], [told(report("d1", HTA, status="entered-in-error"), 2)])
    assert feeding.found("hypertension") == []
    assert await feeding.books() == [("DocumentReference", "d1", "excluded", "entered in error")]


async def test_content_that_is_no_base64_is_a_dead_letter_and_the_others_go_on(feeding: Feeding) -> None:
    broken = report("d1", HTA)
    broken["content"][0]["attachment"]["data"] = "%%%"
    await feeding.tell([broken, report("d2", HTA)])
    assert feeding.found("hypertension") == ["DocumentReference/d2"]
    assert (await feeding.books())[0] == ("DocumentReference", "d1", "dead", "the content is not base64")


async def test_text_beyond_the_limit_is_not_indexed_and_the_books_say_so(feeding: Feeding) -> None:
    await feeding.tell([report("d1", "début " + "mot " * 300_000 + "fin")])
    assert (feeding.found("début"), feeding.found("fin")) == (["DocumentReference/d1"], [])
    assert await feeding.books() == [("DocumentReference", "d1", "mapped", "text was cut")]
