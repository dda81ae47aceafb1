"""Which versions of a report are found, and what the books say of the others."""

from __future__ import annotations

from tests.integration.search_index.feeding import Feeding, gone, report, told

HTA = "Hypertension artérielle essentielle, traitée par amlodipine. L'échographie est normale."
OEDEME = "Œdème des membres inférieurs, sans hypertension. Hépatite C connue."


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
