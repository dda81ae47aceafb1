"""A Binary and what refers to it find each other, whichever comes first."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.integration.search_index.feeding import Feeding, Told, binary, gone, pointing, report, told

FOUND = ["DocumentReference/d1"]


async def test_a_binary_after_its_document_makes_it_findable(feeding: Feeding) -> None:
    await feeding.tell([pointing("d1", "b1")])
    assert feeding.found("fièvre") == []
    assert await feeding.books() == [("DocumentReference", "d1", "waiting", "waiting for Binary")]
    await feeding.tell([binary("b1", "Pas de fièvre.")])
    assert feeding.found("fièvre") == FOUND
    assert [row[2:] for row in await feeding.books()] == [("mapped", ""), ("mapped", "")]


async def test_a_binary_before_its_document_waits_for_it(feeding: Feeding) -> None:
    await feeding.tell([binary("b1", "Pas de fièvre.")])
    assert await feeding.books() == [("Binary", "b1", "waiting", "waiting for a document that refers to it")]
    await feeding.tell([pointing("d1", "b1")])
    assert feeding.found("fièvre") == FOUND
    assert [row[2:] for row in await feeding.books()] == [("mapped", ""), ("mapped", "")]


async def test_an_updated_binary_updates_every_document_that_refers_to_it(feeding: Feeding) -> None:
    await feeding.tell([pointing("d1", "b1"), pointing("d2", "b1"), binary("b1", "Pas de fièvre.")])
    await feeding.tell([told(binary("b1", "Pas de toux."), 2)])
    assert feeding.found("fièvre") == []
    assert feeding.found("toux") == ["DocumentReference/d1", "DocumentReference/d2"]


async def test_a_deleted_binary_takes_its_text_along(feeding: Feeding) -> None:
    await feeding.tell([pointing("d1", "b1"), binary("b1", "Pas de fièvre.")])
    await feeding.tell([gone(binary("b1", ""), 2)])
    assert feeding.found("fièvre") == []
    assert await feeding.books() == [
        ("Binary", "b1", "removed", ""),
        ("DocumentReference", "d1", "waiting", "waiting for Binary"),
    ]


async def test_a_document_that_refers_elsewhere_by_now_lets_its_binary_wait_again(feeding: Feeding) -> None:
    await feeding.tell([pointing("d1", "b1"), binary("b1", "Pas de fièvre.")])
    await feeding.tell([told(report("d1", "Pas de toux."), 2)])
    assert (feeding.found("fièvre"), feeding.found("toux")) == ([], FOUND)
    assert (await feeding.books())[0][2] == "waiting"


async def test_a_binary_that_cannot_be_read_excludes_its_document_by_the_same_reason(feeding: Feeding) -> None:
    await feeding.tell([pointing("d1", "b1")], [binary("b1", "%PDF-1.7", "application/pdf")])
    reason = "format not read yet: application/pdf"
    assert [row[2:] for row in await feeding.books()] == [("excluded", reason), ("excluded", reason)]


async def test_a_binary_of_another_site_is_another_one(feeding: Feeding) -> None:
    await feeding.tell([pointing("d1", "b1"), told(binary("b1", "Pas de fièvre."), site="lyon")])
    assert feeding.found("fièvre") == []


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_every_order_ends_alike(feeding: Feeding, order: tuple[int, ...]) -> None:
    deliveries: list[Told] = [
        told(pointing("d1", "b1", "b2")),
        told(binary("b1", "Pas de fièvre.")),
        told(binary("b2", "Pas de toux.")),
        told(pointing("d1", "b2"), 2),
    ]
    for number in order:
        await feeding.tell([deliveries[number]])
    assert (feeding.found("fièvre"), feeding.found("toux")) == ([], FOUND)
    assert [row[:3] for row in await feeding.books()] == [
        ("Binary", "b1", "waiting"),
        ("Binary", "b2", "mapped"),
        ("DocumentReference", "d1", "mapped"),
    ]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_document_that_cannot_be_kept_hinders_no_other(feeding: Feeding, order: tuple[int, ...]) -> None:
    await feeding.databases.store.execute("ALTER TABLE search.document ADD CONSTRAINT never CHECK (id <> 'd9')")
    deliveries = [pointing("d1", "b1"), binary("b1", "Pas de fièvre."), pointing("d9", "b1")]
    await feeding.tell([deliveries[number] for number in order])
    assert feeding.found("fièvre") == FOUND
    assert [row[:3] for row in await feeding.books()] == [
        ("Binary", "b1", "mapped"),
        ("DocumentReference", "d1", "mapped"),
        ("DocumentReference", "d9", "dead"),
    ]
