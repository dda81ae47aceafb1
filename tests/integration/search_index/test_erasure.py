"""What is erased is in no file of the text index; what only was deleted waits there for a merge."""

from __future__ import annotations

from pathlib import Path

import tantivy

from ecluse.index.folder import FORMAT
from tests.integration.search_index.feeding import Feeding, gone, report, told

WORD = "canarinette"


def _terms(home: Path) -> int:
    """How many terms of the files begin with the word, those of removed entries among them."""
    index = tantivy.Index.open(str(home / FORMAT))
    return len(index.searcher().terms_with_prefix("words", WORD))


async def test_an_erased_report_is_in_no_file_and_the_others_are_found(feeding: Feeding) -> None:
    home = feeding.settings.data / "index"
    others = [report(f"d{number}", f"Hypertension traitée, numéro {number}.") for number in range(5)]
    canary = report("canary", f"Vue pour {WORD}.")
    await feeding.tell([*others, canary], [told(report("canary", f"Revue pour {WORD} deux."), 2)])
    assert _terms(home) == 1
    await feeding.tell([gone(canary, 3)])
    assert feeding.found(WORD) == []
    assert _terms(home) == 1
    await feeding.tell([gone(canary, 4)._replace(gone="erased")])
    assert _terms(home) == 0
    assert feeding.found("hypertension") == [f"DocumentReference/d{number}" for number in range(5)]
    await feeding.sink.close()
    await feeding.open()
    assert feeding.found("hypertension") == [f"DocumentReference/d{number}" for number in range(5)]


async def test_an_erased_binary_takes_the_text_of_its_report_along(feeding: Feeding) -> None:
    home = feeding.settings.data / "index"
    await feeding.tell([report("d1", f"Vue pour {WORD}.")])
    await feeding.tell([gone(report("d1", ""), 2)._replace(gone="erased")])
    assert _terms(home) == 0
    assert [row[3] for row in await feeding.books()] == [""]
