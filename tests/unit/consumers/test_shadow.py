"""What a shadow takes of a batch, and how its statements are the live ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consumers.following import cut
from consumers.warehouse.board import SQL
from consumers.warehouse.shadow import TABLES
from ecluse.bus.event import Event
from ecluse.bus.log import Batch, Partition, Record

HERE, THERE = ("fhir.patient.v1", 0), ("fhir.patient.v1", 1)


def record(part: Partition, offset: int) -> Record:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    event = Event(site="default", type="Patient", id="p", version=1, epoch=1, seq=offset, op="updated", time=at)
    return Record(event, *part, offset)


BATCH = Batch([record(HERE, 3), record(THERE, 8), record(HERE, 5), record(THERE, 9)], {HERE: 7, THERE: 10}, 4)


@pytest.mark.parametrize(
    ("live", "told", "offsets", "positions", "left"),
    [
        ({HERE: 7, THERE: 10}, {}, [3, 8, 5, 9], {HERE: 7, THERE: 10}, None),
        ({HERE: 9, THERE: 12}, {}, [3, 8, 5, 9], {HERE: 7, THERE: 10}, None),
        ({HERE: 5, THERE: 10}, {}, [3, 8, 9], {HERE: 5, THERE: 10}, [5]),
        ({HERE: 6}, {}, [3, 5], {HERE: 6}, [8, 9]),
        ({HERE: 6}, {HERE: 6}, [3, 5], {}, [8, 9]),
        ({}, {}, [], {}, [3, 8, 5, 9]),
    ],
)
def test_a_batch_is_cut_where_the_live_consumer_stands(
    live: dict[Partition, int],
    told: dict[Partition, int],
    offsets: list[int],
    positions: dict[Partition, int],
    left: list[int] | None,
) -> None:
    found, rest = cut(BATCH, live, told)
    assert ([each.offset for each in found.records], found.positions) == (offsets, positions)
    assert (rest and [each.offset for each in rest.records]) == left
    assert found.assignment == 4


def test_every_table_is_the_copys_and_every_sequence_is_the_live_one() -> None:
    for sql in SQL.values():
        copied = TABLES.redirected(sql)
        assert "omop." not in copied
        assert copied.count("omop_map.") == sql.count("'omop_map.")
        assert copied.count("omop_map_shadow.") == sql.count("omop_map.") - sql.count("'omop_map.")
    assert TABLES.redirected("DELETE FROM omop.person USING omop_map.link") == (
        "DELETE FROM omop_shadow.person USING omop_map_shadow.link"
    )
    assert len(TABLES.keys) == 20
