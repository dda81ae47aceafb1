"""What others wrote reaches the terminal as it is."""

from __future__ import annotations

import io

from ecluse.cli.terminal import table, terminal

RESOURCE = "default/QuestionnaireResponse/01a21fb0-3aff-764f-8311-aea25b5cde45"


def test_neither_markup_nor_names_of_pictures_change_a_text() -> None:
    out, shown = io.StringIO(), table("address")
    shown.add_row("urn:x:1 value[x] [/b]")
    terminal(file=out, width=80).print(shown)
    terminal(file=out, width=80).print("urn:ok:1 [/red]")
    assert "urn:x:1 value[x] [/b]" in out.getvalue()
    assert "urn:ok:1 [/red]" in out.getvalue()


def test_an_address_that_is_to_be_copied_is_folded_and_not_cut() -> None:
    out, shown = io.StringIO(), table("consumer", "resource", "reason")
    shown.add_row("warehouse", RESOURCE, "no birth date")
    terminal(file=out, width=60).print(shown)
    cells = [line.split("│")[2].strip() for line in out.getvalue().splitlines() if line.startswith("│")]
    assert "".join(cells) == RESOURCE
