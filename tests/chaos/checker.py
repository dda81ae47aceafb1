"""Compares what was acknowledged with what stands in history, outbox, topics and sinks.

Enters: what was seen when everything had come to rest. Leaves: a sentence for each thing that is wrong. Nothing of the
project is imported: what is wrong there is not repeated here.

    lost         acknowledged and nowhere, or stored and not told
    doubled      the same thing twice where once is promised
    resurrected  deleted or replaced, and still there
    order        a version before the one that it follows
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from tests.chaos.seen import DELETED, ERASED, Event, Record, Seen, Version

MEASURED, WRITTEN_OUT, PERSON = "Observation", "DiagnosticReport", "Patient"
"""What the warehouse and the feed hold by value, what the text index holds, who the persons are."""
GONE = (DELETED, ERASED)


def problems(seen: Seen) -> list[str]:
    """Everything that is wrong, each in a sentence that begins with its kind."""
    present, erased = standing(seen.history), seen.erased
    return [
        *_history(seen.acknowledged, seen.history, erased),
        *(f"lost: the erasure of {key} has no event" for key in sorted(set(seen.purged) - set(erased))),
        *_outbox(seen.history, seen.outbox, erased),
        *_topics(seen.outbox, seen.records, erased),
        *_states(seen.history, seen.states),
        *_warehouse(present, seen.warehouse),
        *_texts(present, seen.texts),
        *_feed(present, seen.feed),
        *(f"books: {words}" for words in seen.unbalanced),
    ]


def standing(history: Sequence[Version]) -> dict[str, Version]:
    """The present version of each resource that is there."""
    last = {one.key: one for one in sorted(history, key=lambda one: one.version)}
    return {key: one for key, one in last.items() if one.op not in GONE}


def _history(acknowledged: Sequence[Version], history: Sequence[Version], erased: dict[str, int]) -> Iterator[str]:
    """What was acknowledged stands as it was told, and nothing else stands; erased versions stand nowhere."""
    told = Counter((one.key, one.version, one.mark) for one in acknowledged if one.version >= erased.get(one.key, 0))
    held = Counter((one.key, one.version, one.mark) for one in history if one.op != ERASED)
    yield from (f"lost: {_name(*one)} was acknowledged and is not in the history" for one in told - held)
    yield from (f"doubled: {_name(*one)} is in the history, and nobody was told" for one in held - told)
    for key, versions in _by_key(sorted(history, key=lambda one: one.version)).items():
        first = erased.get(key, 1)
        if versions != list(range(first, first + len(versions))):
            yield f"lost: the versions of {key} are {versions}, from {first} on"


def _outbox(history: Sequence[Version], outbox: Sequence[Event], erased: dict[str, int]) -> Iterator[str]:
    """Each version has its event, once, and the events of a resource follow its versions."""
    events = Counter((one.key, one.version, one.op) for one in outbox if one.version >= erased.get(one.key, 0))
    versions = Counter((one.key, one.version, one.op) for one in history)
    yield from (f"lost: {_name(*one)} has no event" for one in versions - events)
    yield from (f"doubled: {_name(*one)} has an event too many" for one in events - versions)
    yield from _ordered("the outbox", ((one.key, one.version) for one in sorted(outbox)))


def _topics(outbox: Sequence[Event], records: Sequence[Record], erased: dict[str, int]) -> Iterator[str]:
    """Each event is in its topic at least once. A batch may be sent again; in each lane no version comes before the one
    that it follows."""
    sent = [one for one in records if one.op != "moved"]
    told = {(one.key, one.version, one.op) for one in sent}
    events = {(one.key, one.version, one.op) for one in outbox}
    for key, version, op in sorted(events - told):
        if version >= erased.get(key, 0):
            yield f"lost: {_name(key, version, op)} is in no topic"
    yield from (f"doubled: {_name(*one)} is in a topic, without an event" for one in sorted(told - events))
    for place, there in _by_place(sent):
        for key, versions in _by_key(there).items():
            yield from _sent_in_order(place, key, versions, erased.get(key, 0))


def _sent_in_order(place: str, key: str, versions: Sequence[int], erased: int) -> Iterator[str]:
    """Each version comes for the first time after those before it; whatever is sent again ends with the last one.
    erased: what is before this version may not be there any more to be sent again"""
    first = list(dict.fromkeys(versions))
    standing = [version for version in versions if version >= erased]
    if first != sorted(first):
        yield f"order: {key} comes in versions {first} in {place}"
    elif standing and standing[-1] != first[-1]:
        yield f"order: the last record of {key} in {place} is version {standing[-1]}, after version {first[-1]}"


def _states(history: Sequence[Version], states: Sequence[Record]) -> Iterator[str]:
    """The last record of each key is what stands, a tombstone for what does not."""
    latest = {one.key: one for one in states}
    last = {one.key: one for one in sorted(history, key=lambda one: one.version)}
    for key, version in last.items():
        state = latest.get(key)
        if state is None:
            yield f"lost: {key} has no last state"
        elif version.op in GONE and state.mark is not None:
            yield f"resurrected: the last state of {key} is version {state.version}, and it was deleted"
        elif (state.version, state.mark) != (version.version, version.mark):
            yield f"order: the last state of {key} is version {state.version}, and version {version.version} stands"
    for key in sorted(latest.keys() - last.keys()):
        if latest[key].mark is not None:
            yield f"resurrected: {key} has a last state, and was never written"


def _warehouse(present: dict[str, Version], rows: Sequence[tuple[str, int | None]]) -> Iterator[str]:
    """A row for each measurement and person that stands, with the value of its last version."""
    wanted = Counter(_row(one) for one in present.values() if one.type in (MEASURED, PERSON))
    yield from _compared("the warehouse", wanted, Counter(rows), present)


def _texts(present: dict[str, Version], found: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Each report is found by its last words, and by those alone."""
    wanted = Counter((one.key, one.mark) for one in present.values() if one.type == WRITTEN_OUT)
    yield from _compared("the text index", wanted, Counter(found), present)


def _feed(present: dict[str, Version], marks: Sequence[int]) -> Iterator[str]:
    """The feed's last state holds the value of each measurement that stands."""
    wanted = Counter(one.mark for one in present.values() if one.type == MEASURED)
    held: Counter[int | None] = Counter(marks)
    yield from (f"lost: value {mark} is not in the feed" for mark in wanted - held)
    yield from (f"resurrected: value {mark} is in the feed and stands no more" for mark in held - wanted)


def _compared(
    place: str,
    wanted: Counter[tuple[str, int | None]],
    held: Counter[tuple[str, int | None]],
    present: dict[str, Version],
) -> Iterator[str]:
    for key, mark in wanted - held:
        yield f"lost: {_name(key, present[key].version, mark)} is not in {place}"
    for (key, mark), count in (held - wanted).items():
        if (key, mark) in wanted:
            yield f"doubled: {key} with {mark} is {count + 1} times in {place}"
        else:
            yield f"resurrected: {key} with {mark} is in {place}, and does not stand"


def _row(one: Version) -> tuple[str, int | None]:
    return one.key, one.mark if one.type == MEASURED else None


def _ordered(place: str, told: Iterable[tuple[str, int]]) -> Iterator[str]:
    reached: dict[str, int] = {}
    for key, version in told:
        if version < reached.get(key, 0):
            yield f"order: {key} comes in version {version} after version {reached[key]} in {place}"
        reached[key] = version


def _by_key(told: Iterable[Version | Record]) -> dict[str, list[int]]:
    """The versions of each resource, in the order given."""
    found: dict[str, list[int]] = {}
    for one in told:
        found.setdefault(one.key, []).append(one.version)
    return found


def _by_place(records: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
    """What stands in each lane of each partition, in order."""
    ordered = sorted(records, key=lambda one: (one.topic, one.partition, one.lane, one.offset))
    for (topic, partition, lane), there in groupby(ordered, key=lambda one: (one.topic, one.partition, one.lane)):
        yield f"{topic}/{partition} ({lane})", list(there)


def _name(key: str, version: int, what: object) -> str:
    return f"{key} version {version} ({what})"
