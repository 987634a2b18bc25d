"""The values that rules and planning speak in. Pure: no Django, no database, nothing is changed once made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from clinic.findings import Level

#: Planning works on a grid of this many minutes; all phases of the built-in protocols are multiples of it.
GRID_MINUTES = 10


class Phase(StrEnum):
    """The phases of a course, in their order."""

    INITIAL = "initial"
    TAPER = "taper"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Limit:
    """A number a rule compares with, at which level it speaks, and where the number comes from.

    `value` is in the rule's own unit (sessions, days, courses), 0 for a rule without a number of its own;
    `hours` only for `gap-min`, start to start. `source` begins with the mark D, C or P of protocol.md.
    """

    value: int
    level: Level
    source: str
    hours: int | None = None


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """When a planned visit begins, when its dose is given, and when the patient and the chair are free again."""

    starts_at: datetime
    dose_starts_at: datetime
    dose_ends_at: datetime
    discharge_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class VisitShape:
    """The phases of one visit in minutes, in their order. The chair is held through all of them,
    the prescriber through give and monitor."""

    prepare: int
    give: int
    monitor: int
    turn_over: int

    @property
    def length(self) -> timedelta:
        """From arrival to the chair being free again."""
        return timedelta(minutes=self.prepare + self.give + self.monitor + self.turn_over)

    def at(self, starts_at: datetime) -> VisitTimes:
        """The times of a visit that begins then, in UTC: a zone's own arithmetic would follow its clocks."""
        starts_at = starts_at.astimezone(UTC)
        dose_starts_at = starts_at + timedelta(minutes=self.prepare)
        dose_ends_at = dose_starts_at + timedelta(minutes=self.give)
        discharge_at = dose_ends_at + timedelta(minutes=self.monitor)
        return VisitTimes(
            starts_at, dose_starts_at, dose_ends_at, discharge_at, discharge_at + timedelta(minutes=self.turn_over)
        )

    @property
    def home_after(self) -> timedelta:
        """From arrival to the planned discharge."""
        return timedelta(minutes=self.prepare + self.give + self.monitor)


@dataclass(frozen=True, slots=True)
class Protocol:
    """A treatment protocol in one version; `limits` maps rule codes of protocol.md to what they compare with.

    A rule that is absent from `limits` does not apply to the protocol; `library.REQUIRED` are never absent.
    """

    code: str
    version: int
    name: str
    route: str  # "iv" or "nasal"
    drug: str  # "ketamine" or "esketamine"
    initial_plan: int
    preferred_days: tuple[int, ...]  # day numbers of the planned initial sessions
    taper_start: int  # day number from which the taper runs, 0 without one
    taper_sessions: int
    taper_interval: int  # days between taper sessions, 0 without a taper
    maintenance_intervals: tuple[int, int]  # shortest and longest interval that plans aim at, days
    month_min: int  # maintenance sessions that a full calendar month owes, 0 without month rules
    limits: Mapping[str, Limit]
    visit: VisitShape
    dose: str
    no_food_hours: float
    no_drink_hours: float
    source: str = ""

    @property
    def initial_min(self) -> int:
        """The fewest sessions of an initial phase, the limit of `initial-min`."""
        return self.limits["initial-min"].value

    @property
    def initial_max(self) -> int:
        """The most sessions of an initial phase, the limit of `initial-max`."""
        return self.limits["initial-max"].value

    def limit(self, rule: str) -> Limit | None:
        return self.limits.get(rule)

    def fasting(self, starts_at: datetime) -> tuple[datetime, datetime]:
        """Until when a patient may eat, and drink clear liquids, before a visit that starts then (P, part 1)."""
        hours = (self.no_food_hours, self.no_drink_hours)
        food, drink = (starts_at - timedelta(hours=each) for each in hours)
        return food, drink


@dataclass(frozen=True, slots=True)
class Spot:
    """One session as the rules see it: when it starts, in which phase, and the number by which findings name it.

    `ref` is an index in a proposal or a session's id. `counts` is false for sessions that stand in the calendar
    of the patient but belong to another course or phase: only gaps and dates are judged against them.
    `number` is how people call the session; None: its place by time among those of its phase that count.
    """

    ref: int
    starts_at: datetime
    phase: Phase = Phase.INITIAL
    counts: bool = True
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the patient asked for. `except_dates` are dates on which the patient cannot come: never planned.
    The rest is wished: plans say how many of their sessions meet it.

    `not_before` and `not_after` bound the start of the visit, `home_by` its planned discharge, in local time.
    """

    weekdays: frozenset[int] = frozenset()  # 0 is Monday; empty: any
    not_before: time | None = None
    not_after: time | None = None
    home_by: time | None = None
    except_dates: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """A possible time of one session with the resources that are free then."""

    starts_at: datetime
    chair: int
    prescriber: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Another place for a session that stands; what is None stays as it is."""

    starts_at: datetime | None = None
    chair: int | None = None
    prescriber: int | None = None

    def over(self, old: Place) -> Place:
        """The place that is meant, the session being in `old`."""
        return Place(
            old.starts_at if self.starts_at is None else self.starts_at,
            old.chair if self.chair is None else self.chair,
            old.prescriber if self.prescriber is None else self.prescriber,
        )


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """One row of a plan: its place, and the next two possible ones that keep every rule beside the other rows."""

    number: int
    place: Place
    alternatives: tuple[Place, ...] = ()
    meets_wishes: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole proposal, lawful in itself: no finding above warn. `label` is soonest, wishes or even."""

    label: str
    sessions: tuple[PlannedSession, ...]


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why there is no plan: which limit is in the way, as a rule's code, and the first date from which there is one
    (None: not within the horizon)."""

    limit: str
    text: str
    first_possible: date | None = None
    values: Mapping[str, object] = field(default_factory=dict)
