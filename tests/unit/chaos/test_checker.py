"""The checker finds what is planted, and nothing in a system that did everything right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.chaos.checker import problems
from tests.chaos.seen import CREATED, DELETED, ERASED, UPDATED, Event, Record, Seen, Version

PATIENT, PULSE, GONE, REPORT = "Patient/p", "Observation/pulse", "Observation/gone", "DiagnosticReport/r"
HISTORY = (
    Version(PATIENT, 1, CREATED, 1),
    Version(PULSE, 1, CREATED, 2),
    Version(GONE, 1, CREATED, 3),
    Version(REPORT, 1, CREATED, 4),
    Version(PULSE, 2, UPDATED, 5),
    Version(GONE, 2, DELETED, None),
    Version(REPORT, 2, UPDATED, 6),
    Version(PULSE, 3, UPDATED, 7),
)


def right() -> Seen:
    """A system in which everything arrived; the batch from the fifth event on was sent twice."""
    return Seen(
        acknowledged=list(HISTORY),
        history=list(HISTORY),
        outbox=[Event(1, seq, one.key, one.version, one.op) for seq, one in enumerate(HISTORY)],
        records=_records([*HISTORY, *HISTORY[4:]], "events"),
        states=_records([*HISTORY, *HISTORY[4:]], "state"),
        warehouse=[(PATIENT, None), (PULSE, 7)],
        texts=[(REPORT, 6)],
        feed=[7],
    )


def _records(versions: Sequence[Version], topic: str) -> list[Record]:
    return [Record(topic, 0, place, *one) for place, one in enumerate(versions)]


def test_a_system_that_did_everything_right() -> None:
    assert problems(right()) == []


def without(name: str, key: object, version: int | None = None) -> Callable[[Seen], None]:
    """Takes a resource, or one version of it, from one place."""

    def plant(seen: Seen) -> None:
        setattr(seen, name, [one for one in getattr(seen, name) if not _is(one, key, version)])

    return plant


def _is(one: object, key: object, version: int | None) -> bool:
    if isinstance(one, Version | Event | Record):
        return one.key == key and version in (None, one.version)
    return one == key or (isinstance(one, tuple) and one[0] == key)


def beside(name: str, *more: object) -> Callable[[Seen], None]:
    """Puts something into one place that ought not to be there."""

    def plant(seen: Seen) -> None:
        setattr(seen, name, [*getattr(seen, name), *more])

    return plant


def swapped(name: str, first: int, second: int) -> Callable[[Seen], None]:
    """Lets two records of a partition, or two events, change places."""

    def plant(seen: Seen) -> None:
        there = list(getattr(seen, name))
        one, other = there[first], there[second]
        number = "offset" if name != "outbox" else "seq"
        there[first] = other._replace(**{number: getattr(one, number)})
        there[second] = one._replace(**{number: getattr(other, number)})
        setattr(seen, name, there)

    return plant


PLANTED: dict[str, tuple[Callable[[Seen], None], str]] = {
    "an acknowledged write that is not in the history": (without("history", PULSE, 3), "lost: Observation/pulse"),
    "a version that nobody was told of": (without("acknowledged", PULSE, 2), "doubled: Observation/pulse version 2"),
    "a gap between versions": (without("history", PULSE, 2), "lost: the versions of Observation/pulse are [1, 3]"),
    "a version without an event": (without("outbox", REPORT, 2), "lost: DiagnosticReport/r version 2"),
    "two events of one version": (beside("outbox", Event(1, 99, REPORT, 2, UPDATED)), "doubled: DiagnosticReport/r"),
    "events in the wrong order": (swapped("outbox", 1, 4), "order: Observation/pulse"),
    "an event that is in no topic": (without("records", PATIENT), "lost: Patient/p version 1 (created) is in no topic"),
    "a record without an event": (without("outbox", PATIENT), "doubled: Patient/p version 1 (created) is in a topic"),
    "records in the wrong order": (swapped("records", 1, 4), "order: Observation/pulse"),
    "an old batch sent last": (
        beside("records", Record("events", 0, 99, *HISTORY[4])),
        "order: the last record of Observation/pulse in events/0 (live) is version 2",
    ),
    "a swallowed delete": (without("records", GONE, 2), "lost: Observation/gone version 2 (deleted)"),
    "a resource without a last state": (without("states", PATIENT), "lost: Patient/p has no last state"),
    "a swallowed tombstone": (without("states", GONE, 2), "resurrected: the last state of Observation/gone"),
    "an older state sent last": (
        beside("states", Record("state", 0, 99, *HISTORY[1])),
        "order: the last state of Observation/pulse is version 1, and version 3 stands",
    ),
    "a state of something that a restore undid": (
        beside("states", Record("state", 0, 99, "Observation/undone", 1, CREATED, 9)),
        "resurrected: Observation/undone",
    ),
    "a measurement that is not in the warehouse": (without("warehouse", PULSE), "lost: Observation/pulse"),
    "a doubled row": (beside("warehouse", (PULSE, 7)), "doubled: Observation/pulse with 7 is 2 times"),
    "a person twice": (beside("warehouse", (PATIENT, None)), "doubled: Patient/p"),
    "a deleted measurement in the warehouse": (beside("warehouse", (GONE, 3)), "resurrected: Observation/gone"),
    "a replaced value in the warehouse": (beside("warehouse", (PULSE, 5)), "resurrected: Observation/pulse with 5"),
    "a report that is not found": (without("texts", REPORT), "lost: DiagnosticReport/r"),
    "a report found by words it had": (beside("texts", (REPORT, 4)), "resurrected: DiagnosticReport/r with 4"),
    "a value that is not in the feed": (without("feed", 7), "lost: value 7"),
    "a deleted value in the feed": (beside("feed", 3), "resurrected: value 3"),
    "an erasure without an event": (beside("purged", PULSE), "lost: the erasure of Observation/pulse has no event"),
    "books that do not balance": (beside("unbalanced", "warehouse: 7 received, 6 mapped"), "books: warehouse"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found(planted: str) -> None:
    seen = right()
    plant, words = PLANTED[planted]
    plant(seen)
    found = problems(seen)
    assert any(one.startswith(words) for one in found), found


def test_a_resource_that_changes_its_patient_goes_on_in_another_partition() -> None:
    seen = right()
    seen.records = [one._replace(partition=1) if one.key == PULSE and one.version == 2 else one for one in seen.records]
    assert problems(seen) == []


def test_history_may_arrive_after_what_followed_it() -> None:
    seen = right()
    first = [one for one in seen.records if one.key == PULSE and one.version == 1]
    seen.records = [one for one in seen.records if one not in first]
    seen.records += [one._replace(offset=99, lane="bulk") for one in first]
    assert problems(seen) == []


ERASURE, AGAIN = Version(PULSE, 4, ERASED, None), Version(PULSE, 5, CREATED, 8)


def erased() -> Seen:
    """The same system after a measurement was erased and its id used again."""
    seen = right()
    later = [ERASURE, AGAIN]
    kept = [one for one in HISTORY if one.key != PULSE]
    seen.history = [*kept, *later]
    seen.acknowledged = [*HISTORY, AGAIN]
    seen.outbox = [
        *seen.outbox,
        *(Event(1, 20 + place, one.key, one.version, one.op) for place, one in enumerate(later)),
    ]
    seen.records = _records([*HISTORY, *later], "events")
    seen.states = _records([*HISTORY, *later], "state")
    seen.warehouse, seen.feed = [(PATIENT, None), (PULSE, 8)], [8]
    seen.purged = [PULSE]
    return seen


def test_what_was_erased_stands_nowhere_and_its_id_goes_on() -> None:
    assert problems(erased()) == []


def test_a_batch_sent_again_lacks_what_was_erased_meanwhile() -> None:
    """In the lane of the erasure or the other one."""
    seen = erased()
    beside("records", Record("events", 0, 99, PULSE, 2, UPDATED, None))(seen)
    assert problems(seen) == []
    beside("records", Record("events", 0, 100, *ERASURE))(seen)
    assert problems(seen) == [
        "order: the last record of Observation/pulse in events/0 (live) is version 4, after version 5"
    ]


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (beside("history", Version(PULSE, 3, UPDATED, 7)), "doubled: Observation/pulse version 3"),
        (beside("warehouse", (PULSE, 7)), "resurrected: Observation/pulse with 7"),
        (without("records", PULSE, 4), "lost: Observation/pulse version 4 (erased) is in no topic"),
        (without("history", PULSE, 5), "lost: Observation/pulse version 5"),
    ],
)
def test_what_comes_back_after_an_erasure_is_found(plant: Callable[[Seen], None], words: str) -> None:
    seen = erased()
    plant(seen)
    assert any(one.startswith(words) for one in problems(seen)), problems(seen)
