"""Small sites in New York, and plans on them, for tests of the planner."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scheduling.protocols.library import STANDARD
from scheduling.protocols.masks import DayMask, OnShift, build_day
from scheduling.protocols.planning import propose
from scheduling.protocols.types import NoPlan, Phase, Plan, Protocol, Spot
from scheduling.protocols.windows import day_bounds

NEW_YORK = ZoneInfo("America/New_York")
MONDAY = date(2025, 6, 2)
WORKING = frozenset(range(5))
EVERY_DAY = frozenset(range(7))

INITIAL, TAPER, MAINTENANCE = Phase

#: Opening hours, or free spells of a day, as local hours.
Spells = Sequence[tuple[float, float]]


def site(
    first: date = MONDAY,
    count: int = 84,
    *,
    weekdays: Collection[int] = WORKING,
    hours: Spells = ((8, 18),),
    closed: Iterable[date] = (),
    free: Mapping[date, Spells] | None = None,
    shifts: Mapping[int, tuple[Spells, int]] | None = None,
    chairs: Sequence[int] = (1, 2),
    load: Mapping[int, int] | None = None,
) -> list[DayMask]:
    """Dates of a site in New York. `free` leaves only these spells of a date's chairs; `shifts` are the prescribers'
    hours and limits, `load` how many patients each has in the first minutes of every date."""
    days = []
    for offset in range(count):
        day = first + timedelta(days=offset)
        start, end = day_bounds(day, NEW_YORK)
        opened = [spell(day, hour) for hour in hours] if day.weekday() in weekdays and day not in closed else []
        taken: list[tuple[datetime, datetime]] = []
        if free is not None:
            since = start
            for begin, stop in [spell(day, hour) for hour in free.get(day, ())]:
                taken.append((since, begin))
                since = stop
            taken.append((since, end))
        days.append(
            build_day(
                day=day,
                zone=NEW_YORK,
                opened=opened,
                chairs=dict.fromkeys(chairs, taken),
                shifts=[
                    OnShift(prescriber, *spell(day, hour), limit)
                    for prescriber, (spells, limit) in (shifts or {7: (((0, 24),), 9)}).items()
                    for hour in spells
                ],
                care={number: [(start, start + timedelta(minutes=1))] * some for number, some in (load or {}).items()},
            )
        )
    return days


def spell(day: date, hours: tuple[float, float]) -> tuple[datetime, datetime]:
    start, end = hours
    return instant(day, start), instant(day, end)


def instant(day: date, hour: float) -> datetime:
    """A local hour of a date; 24 is the next midnight."""
    if hour == 24:
        return day_bounds(day, NEW_YORK)[1]
    return datetime.combine(day, time(int(hour), round(hour % 1 * 60)), NEW_YORK).astimezone(UTC)


def plans(days: Sequence[DayMask], protocol: Protocol = STANDARD, **wanted: Any) -> tuple[Plan, ...] | NoPlan:
    asked: dict[str, Any] = {
        "phase": INITIAL,
        "count": protocol.initial_plan,
        "zone": NEW_YORK,
        "earliest": days[0].date if days else MONDAY,
        "now": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return propose(protocol=protocol, days=days, **(asked | wanted))


def plan(days: Sequence[DayMask], protocol: Protocol = STANDARD, label: str = "soonest", **wanted: Any) -> Plan:
    found = plans(days, protocol, labels=[label], **wanted)
    assert isinstance(found, tuple)
    assert [one.label for one in found] == [label]
    return found[0]


def none(days: Sequence[DayMask], protocol: Protocol = STANDARD, **wanted: Any) -> NoPlan:
    found = plans(days, protocol, **wanted)
    assert isinstance(found, NoPlan)
    return found


def numbers(found: Plan, first: date = MONDAY) -> list[int]:
    """The days of a plan, counted from this one."""
    return [(row.place.starts_at.astimezone(NEW_YORK).date() - first).days for row in found.sessions]


def clocks(found: Plan) -> list[str]:
    return [f"{row.place.starts_at.astimezone(NEW_YORK):%H:%M}" for row in found.sessions]


def standing(*days: int, phase: Phase = INITIAL, counts: bool = True, hour: float = 10) -> list[Spot]:
    return [Spot(ref, instant(MONDAY + timedelta(days=day), hour), phase, counts) for ref, day in enumerate(days)]
