"""When the visits of a patient take place.

Enters: stories, a stream of chance, the last day. Leaves: episodes in the order of time, none after another's end and
none beyond the last day, each with the hours of its unit stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from ecluse.cli.synth import moments
from ecluse.cli.synth.chance import Chance
from ecluse.cli.synth.story import Story, Unit, Visit

LONGEST_DAYS = 4 * 365
SITTING_HOURS = {"consultation": (0.4, 0.8), "emergency": (3.0, 7.5), "day": (4.0, 6.5)}
OPENING_HOURS = {"consultation": (8.5, 17.0), "emergency": (1.0, 15.5), "day": (8.0, 9.5), "stay": (9.5, 16.0)}
EMERGENCY_HOURS = 5


@dataclass(frozen=True, slots=True)
class Span:
    """Hours in one unit; plan: what the story says of it."""

    plan: Unit
    start: datetime
    end: datetime

    @property
    def unit(self) -> str:
        """Key of hospital.yaml."""
        return self.plan.unit


@dataclass(slots=True)
class Episode:
    """A visit as it takes place.

    number: of its kind in the story; emergency: the passage before a stay; variant: which of the story's wordings, so
    that the reports of one visit agree; notes: what reports have to tell, by name"""

    story: Story
    visit: Visit
    number: int
    spans: list[Span]
    emergency: Span | None = None
    died: bool = False
    variant: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def start(self) -> datetime:
        """When the patient comes."""
        return self.emergency.start if self.emergency else self.spans[0].start

    @property
    def end(self) -> datetime:
        """When the patient leaves."""
        return self.spans[-1].end

    @property
    def days(self) -> int:
        """Nights between admission and leave."""
        return (self.end.date() - self.spans[0].start.date()).days

    def wording(self, texts: Sequence[str]) -> str:
        """The text of this variant."""
        return texts[self.variant % len(texts)]

    def at(self, day: int, hour: float) -> datetime:
        """An hour of a day of the visit, moved inside the visit."""
        wanted = moments.at(self.spans[0].start.date() + timedelta(days=day), hour)
        first, last = self.spans[0].start + timedelta(minutes=20), self.end - timedelta(minutes=15)
        return min(max(wanted, first), last)

    def span_at(self, moment: datetime) -> Span:
        """The unit stay that a moment falls into."""
        return next((span for span in reversed(self.spans) if span.start <= moment), self.spans[0])

    def progress(self, moment: datetime) -> float:
        """0 at the start, 1 at the end."""
        whole = (self.end - self.start).total_seconds()
        return min(max((moment - self.start).total_seconds() / whole, 0.0), 1.0) if whole else 0.0


def episodes(chosen: Sequence[tuple[Story, date]], chance: Chance, until: date) -> list[Episode]:
    """The episodes of all stories, pushed apart where they would overlap.

    chosen: stories with their first days; until: last day, included; what would end later is left out"""
    limit = moments.at(until, 23)
    placed: list[Episode] = []
    free = datetime.min
    for moment, story, visit, number in sorted(_wishes(chosen, chance), key=lambda wish: wish[0]):
        day = max(moment, free.date() + timedelta(days=1)) if placed else moment
        episode = _placed(story, visit, number, day, chance)
        if episode.end > limit:
            continue
        placed.append(episode)
        free = episode.end
    return placed


def first_day(chosen: Story, chance: Chance, until: date) -> date:
    """A day early enough for most of the story to happen before `until`."""
    length = sum(_mean(visit.gap) * _mean(visit.times) + sum(_mean(unit.days) for unit in visit.units)
                 for visit in chosen.visits)  # fmt: skip
    return until - timedelta(days=int(chance.uniform(length + 20, max(length * 1.25 + 60, LONGEST_DAYS * 0.75))))


def _mean(bounds: tuple[int, int]) -> float:
    return (bounds[0] + bounds[1]) / 2


def _wishes(chosen: Sequence[tuple[Story, date]], chance: Chance) -> Iterator[tuple[date, Story, Visit, int]]:
    for story, day in chosen:
        device = False
        for visit in story.visits:
            if not chance.happens(visit.chance) or (visit.after_device and not device):
                continue
            device = device or bool(visit.operation and visit.operation.device)
            for number in range(1, chance.integer(*visit.times) + 1):
                day += timedelta(days=chance.integer(*visit.gap))
                yield _working(day, visit), story, visit, number
            day += timedelta(days=sum(unit.days[1] for unit in visit.units))


def _working(day: date, visit: Visit) -> date:
    """The next working day, unless the visit is not chosen."""
    if visit.kind == "emergency" or visit.emergency or day.weekday() < 5:
        return day
    return day + timedelta(days=7 - day.weekday())


def _placed(story: Story, visit: Visit, number: int, day: date, chance: Chance) -> Episode:
    hour = chance.uniform(*OPENING_HOURS[visit.kind])
    start = moments.at(day, round(hour * 4) / 4)
    died, variant = chance.happens(visit.death), chance.integer(0, 9)
    if visit.kind != "stay":
        hours = chance.uniform(*SITTING_HOURS[visit.kind])
        end = start + timedelta(minutes=5 * round(hours * 12))
        return Episode(story, visit, number, [Span(visit.stays()[0], start, end)], variant=variant)
    emergency = None
    if visit.emergency:
        passage = Unit(visit.emergency_unit, visit.units[0].dp)
        emergency = Span(passage, start - timedelta(hours=EMERGENCY_HOURS), start)
    return Episode(story, visit, number, _spans(visit, start, chance), emergency, died, variant)


def _spans(visit: Visit, start: datetime, chance: Chance) -> list[Span]:
    """Unit stays end to end; a patient moves or leaves in the afternoon."""
    spans: list[Span] = []
    for unit in visit.units:
        leave = moments.at(start.date() + timedelta(days=chance.integer(*unit.days)), 14 + chance.integer(0, 6) / 4)
        spans.append(Span(unit, start, max(leave, start + timedelta(hours=6))))
        start = spans[-1].end
    return spans


def value_at(course: Sequence[float], progress: float) -> float:
    """The value on the way through the course's points, straight from one to the next. progress: 0 to 1."""
    if len(course) == 1:
        return course[0]
    place = progress * (len(course) - 1)
    index = min(int(place), len(course) - 2)
    return course[index] + (course[index + 1] - course[index]) * (place - index)
