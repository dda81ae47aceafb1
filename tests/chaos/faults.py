"""Faults, each with what it is done to and how long it lasts, and the sign by which the part is known to work again.

Enters: a seed and a running system. Leaves: the same faults for the same seed. They come one at a time: with two of
three brokers away no record can be written, which is an outage and not a fault.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import asyncpg
import httpx
import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.chaos.fleet import CONSUMERS, Fleet
from tests.services.kafka import Broker

WITHIN_S = 120.0
LOOK_EVERY_S = 0.2
LEASE_S = 8.0
"""How long a relay may be silent before the other one takes over."""
PAUSES_S = {"relay": (1.0, LEASE_S + 4), "broker": (1.0, 12.0)}
"""Shortest and longest time that a part is held; a relay also for longer than its lease."""
USUAL_PAUSE_S = (0.5, 4.0)
KILL, PAUSE, RESTART, ADD, REMOVE = "kill", "pause", "restart", "add", "remove"
WEIGHTS = {
    (KILL, "server"): 3,
    (KILL, "server worker"): 3,
    (RESTART, "server"): 1,
    (PAUSE, "server"): 2,
    (KILL, "relay"): 4,
    (PAUSE, "relay"): 4,
    (RESTART, "relay"): 1,
    (KILL, "consumer"): 5,
    (PAUSE, "consumer"): 3,
    (ADD, "consumer"): 3,
    (REMOVE, "consumer"): 3,
    (KILL, "broker"): 1,
    (PAUSE, "broker"): 2,
    (KILL, "database"): 2,
    (PAUSE, "database"): 1,
}


class Fault(NamedTuple):
    """What is done, and to which part. seconds: how long it is held"""

    verb: str
    target: str
    seconds: float = 0.0

    def __str__(self) -> str:
        """As it is printed."""
        return f"{self.verb} {self.target}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


class Outcome(NamedTuple):
    """A fault that took place. recovered_s: until the sign of life; None when there was none in time"""

    fault: Fault
    recovered_s: float | None


def planned(seed: int, count: int) -> list[Fault]:
    """So many faults, of every kind when there are enough of them."""
    chance = random.Random(seed)
    kinds = list(WEIGHTS) if count >= len(WEIGHTS) else chance.sample(list(WEIGHTS), count)
    kinds += chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count - len(kinds))
    chance.shuffle(kinds)
    return [_fault(chance, verb, part) for verb, part in kinds]


def _fault(chance: random.Random, verb: str, part: str) -> Fault:
    names = {"relay": ("relay-1", "relay-2"), "consumer": CONSUMERS, "broker": ("broker-1", "broker-2", "broker-3")}
    shortest, longest = PAUSES_S.get(part, USUAL_PAUSE_S)
    seconds = chance.uniform(shortest, longest) if verb == PAUSE else 0.0
    return Fault(verb, chance.choice(names.get(part, (part,))), seconds)


class Injector:
    """Does the faults, one after the other, and waits for each to be over."""

    def __init__(self, fleet: Fleet, acknowledged: Callable[[], int]) -> None:
        """acknowledged: how many writes have been acknowledged so far"""
        self._fleet = fleet
        self._acknowledged = acknowledged
        self._more: list[tuple[str, str]] = []

    def inject(self, fault: Fault) -> Outcome:
        """The fault, and how long the part took to work again."""
        kind = fault.target.split("-")[0].split(" ")[0]
        {KILL: self._kill, PAUSE: self._pause, RESTART: self._restart, ADD: self._add, REMOVE: self._remove}[
            fault.verb
        ](fault)
        sign = {"server": self._writes, "database": self._writes, "relay": self._relays, "broker": self._brokers}.get(
            kind, lambda: self._consumes(fault.target)
        )
        began = time.monotonic()
        signs = sign()
        while time.monotonic() - began < WITHIN_S:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaException, TimeoutError):
                if next(signs):
                    return Outcome(fault, time.monotonic() - began)
            time.sleep(LOOK_EVERY_S)
        return Outcome(fault, None)

    def _kill(self, fault: Fault) -> None:
        if broker := self._broker(fault.target):
            broker.kill()
            broker.start()
        else:
            self._signal(fault.target, signal.SIGKILL)

    def _pause(self, fault: Fault) -> None:
        broker = self._broker(fault.target)
        tell = broker.signal if broker else lambda number: self._signal(fault.target, number)
        tell(signal.SIGSTOP)
        time.sleep(fault.seconds)
        tell(signal.SIGCONT)

    def _restart(self, fault: Fault) -> None:
        self._signal(fault.target, signal.SIGTERM)

    def _add(self, fault: Fault) -> None:
        """One more process of the consumer; it waits, or takes over."""
        name = f"{fault.target}+{len(self._more)}"
        self._more.append((name, fault.target))
        self._fleet.add(name, "consume", fault.target)

    def _remove(self, fault: Fault) -> None:
        """Ends a process that was added; without one, that which there is, and adds it anew under another name."""
        added = next(
            (name for name, target in self._more if target == fault.target and name in self._fleet.parts), None
        )
        if added is None:
            self._signal(fault.target, signal.SIGTERM)
        else:
            self._fleet.remove(added)

    def _broker(self, target: str) -> Broker | None:
        return next((broker for broker in self._fleet.brokers if target == f"broker-{broker.node}"), None)

    def _signal(self, target: str, number: int) -> None:
        name, _, worker = target.partition(" ")
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            processes = self._fleet.processes(name)
            if worker:
                processes = [one for one in processes if "--multiprocessing-fork" in one.cmdline()][:1]
            elif number == signal.SIGTERM or name == "database":
                processes = processes[:1]
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def _writes(self) -> Iterator[bool]:
        """The server is healthy, and writes are acknowledged again."""
        before = self._acknowledged()
        while True:
            healthy = False
            with suppress(httpx.TransportError):
                healthy = httpx.get(f"{self._fleet.url}/health", timeout=10).is_success
            yield healthy and self._acknowledged() > before

    def _relays(self) -> Iterator[bool]:
        """The cursor moves."""
        yield from self._moves("SELECT sum(seq) FROM bus.cursor WHERE name = 'relay'")

    def _consumes(self, name: str) -> Iterator[bool]:
        """Positions move."""
        yield from self._moves(f"SELECT sum(next_offset) FROM bus.consumer_offset WHERE consumer = '{name}'")

    def _moves(self, sql: str) -> Iterator[bool]:
        before = asyncio.run(value(self._fleet.database_url, sql))
        while True:
            yield asyncio.run(value(self._fleet.database_url, sql)) != before

    def _brokers(self) -> Iterator[bool]:
        """All brokers answer."""
        admin = AdminClient({"bootstrap.servers": self._fleet.bootstrap, "log_level": 0})
        while True:
            yield len(admin.list_topics(timeout=5).brokers) == len(self._fleet.brokers)


async def value(url: str, sql: str) -> object:
    """The one value of a statement."""
    conn = await asyncpg.connect(url, timeout=5)
    try:
        return await conn.fetchval(sql)
    finally:
        await conn.close()
