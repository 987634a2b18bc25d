"""A planner that tries everything: what `planning` has to agree with on small instances.

It knows intervals, instants and the protocol's numbers, nothing of masks, cells or dynamic programmes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import cached_property
from itertools import pairwise, product

from scheduling.protocols.masks import DayMask, OnShift, build_day
from scheduling.protocols.types import Phase, Place, Protocol, Spot, Wishes
from scheduling.protocols.windows import day_bounds, merge

Interval = tuple[datetime, datetime]

GRID = timedelta(minutes=10)


@dataclass(frozen=True)
class SiteDay:
    """One date of a site, as intervals of UTC."""

    date: date
    opened: Sequence[Interval]
    chairs: Mapping[int, Sequence[Interval]]
    shifts: Sequence[OnShift]
    care: Mapping[int, Sequence[Interval]] = field(default_factory=dict)

    def mask(self, zone: tzinfo) -> DayMask:
        return build_day(
            day=self.date, zone=zone, opened=self.opened, chairs=self.chairs, shifts=self.shifts, care=self.care
        )


@dataclass(frozen=True)
class Case:
    """A request to the planner."""

    protocol: Protocol
    phase: Phase
    count: int
    site: Sequence[SiteDay]
    zone: tzinfo
    earliest: date
    now: datetime
    wishes: Wishes
    standing: Sequence[Spot] = ()
    targets: Sequence[date] = ()
    step: int = 10
    usual: int | None = None

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone)

    @cached_property
    def chain(self) -> list[datetime]:
        return sorted(spot.starts_at for spot in self.standing if spot.counts and spot.phase is self.phase)

    def chairs(self, day: SiteDay, start: datetime) -> list[int]:
        """The chairs free for a visit that begins then."""
        times = self.protocol.visit.at(start)
        if not _covered(times.starts_at, times.ends_at, day.opened):
            return []
        return [
            chair
            for chair, taken in day.chairs.items()
            if not any(begin < times.ends_at and times.starts_at < end for begin, end in taken)
        ]

    def prescribers(self, day: SiteDay, start: datetime) -> list[int]:
        """The prescribers on shift from dose to discharge, with fewer patients than their limit at any minute."""
        times = self.protocol.visit.at(start)
        able = []
        for prescriber in dict.fromkeys(shift.prescriber for shift in day.shifts):
            own = [shift for shift in day.shifts if shift.prescriber == prescriber]
            if not _covered(times.dose_starts_at, times.discharge_at, [(s.starts_at, s.ends_at) for s in own]):
                continue
            care = day.care.get(prescriber, ())
            instants = {
                max(times.dose_starts_at, begin)
                for begin in [begin for begin, _ in care] + [shift.starts_at for shift in own]
                if begin < times.discharge_at
            }
            if all(
                sum(begin <= instant < end for begin, end in care) < shift.limit
                for instant in instants
                for shift in own
                if shift.starts_at <= instant < shift.ends_at
            ):
                able.append(prescriber)
        return able

    @cached_property
    def starts(self) -> dict[date, list[datetime]]:
        """Every start that is possible beside the sessions that stand, by date."""
        found: dict[date, list[datetime]] = {}
        for day in self.site:
            if day.date < self.earliest or day.date in self.wishes.except_dates:
                continue
            start, end = day_bounds(day.date, self.zone)
            while start < end:
                local = self.local(start)
                if (
                    (local.hour * 60 + local.minute) % self.step == 0
                    and start > self.now
                    and self.protocol.visit.at(start).ends_at <= end
                    and self.chairs(day, start)
                    and self.prescribers(day, start)
                    and all(self.far_enough(start, spot.starts_at) for spot in self.standing)
                ):
                    found.setdefault(day.date, []).append(start)
                start += GRID
        return found

    def far_enough(self, one: datetime, other: datetime) -> bool:
        limit = self.protocol.limits["gap-min"]
        days = abs((self.local(one).date() - self.local(other).date()).days)
        return days >= limit.value and abs(one - other) >= timedelta(hours=limit.hours or 0)

    def meets(self, start: datetime) -> bool:
        wishes = self.wishes
        local, home = self.local(start), self.local(self.protocol.visit.at(start).discharge_at)
        return (
            (not wishes.weekdays or local.weekday() in wishes.weekdays)
            and (wishes.not_before is None or local.time() >= wishes.not_before)
            and (wishes.not_after is None or local.time() <= wishes.not_after)
            and (wishes.home_by is None or (home.time() <= wishes.home_by and home.date() == local.date()))
        )

    def choices(self) -> Iterator[tuple[datetime, ...]]:
        """Every set of starts that breaks no rule above the level of a warning."""
        starts = self.starts
        days = sorted(starts)
        yield from self._extend((), days, starts)

    def _extend(
        self, chosen: tuple[datetime, ...], days: Sequence[date], starts: Mapping[date, Sequence[datetime]]
    ) -> Iterator[tuple[datetime, ...]]:
        if len(chosen) == self.count:
            if self.lawful(chosen):
                yield chosen
            return
        for index, day in enumerate(days):
            for start in starts[day]:
                if not chosen or self.far_enough(chosen[-1], start):
                    yield from self._extend((*chosen, start), days[index + 1 :], starts)

    def lawful(self, chosen: Sequence[datetime]) -> bool:
        dates = self.dates(chosen)
        limits = self.protocol.limits
        if self.phase is Phase.INITIAL:
            first = min(dates)
            begins = first - self.earliest if not self.chain else timedelta()
            new = {self.local(start).date() for start in chosen}
            last = max(dates) if first in new else max(new)
            return (last - first).days <= limits["span-max"].value and begins.days <= 28
        if self.phase is Phase.MAINTENANCE and "month-max" in limits:
            months = Counter((day.year, day.month) for day in dates)
            mine = {(day.year, day.month) for day in (self.local(start).date() for start in chosen)}
            return all(months[month] <= limits["month-max"].value for month in mine)
        return True

    def dates(self, chosen: Sequence[datetime]) -> list[date]:
        """The dates of all sessions of the phase."""
        return sorted(self.local(start).date() for start in [*chosen, *self.chain])

    def warnings(self, chosen: Sequence[datetime]) -> int:
        dates, limits = self.dates(chosen), self.protocol.limits
        new = {self.local(start).date() for start in chosen}
        gaps = [(later - earlier).days for earlier, later in pairwise(dates) if {earlier, later} & new]
        if self.phase is Phase.INITIAL:
            found = sum(gap > limits["gap-max"].value for gap in gaps) if "gap-max" in limits else 0
            last = (dates[-1] - dates[0]).days
            if len(dates) >= limits["initial-min"].value:
                found += "span-min" in limits and last < limits["span-min"].value
            elif "reach" in limits:
                missing = limits["initial-min"].value - len(dates)
                found += last > limits["span-max"].value - limits["gap-min"].value * missing
            return found
        if self.phase is Phase.MAINTENANCE and "month-gap" in limits:
            return sum(gap < limits["month-gap"].value for gap in gaps)
        return 0

    def worth(self, label: str, chosen: Sequence[datetime]) -> tuple[int, ...]:
        """What `label` compares: the smaller the better."""
        dates = self.dates(chosen)
        standing = {self.local(start).date() for start in self.chain}
        new = [day for day in dates if day not in standing]
        unmet = sum(not self.meets(start) for start in chosen)
        warn = self.warnings(chosen)
        last = (dates[-1] - self.earliest).days
        pairs = [(index, (b - a).days) for index, (a, b) in enumerate(pairwise(dates)) if {a, b} - standing]
        if self.phase is Phase.INITIAL:
            preferred = self.preferred()
            delay = 0 if dates[0] in standing else (dates[0] - self.earliest).days
            off = sum(
                abs((day - dates[0]).days - preferred[index]) for index, day in enumerate(dates) if day not in standing
            )
            square = sum((gap - (preferred[index + 1] - preferred[index])) ** 2 for index, gap in pairs)
            return {
                "wishes": (unmet, warn, off + delay),
                "soonest": (warn, last, unmet, delay, square),
                "even": (warn, 7 * square + delay, unmet),
            }[label]
        targets = sorted(self.targets)
        offs = [(day - target).days for day, target in zip(new, targets, strict=True)]
        interval = self.interval()
        square = sum((gap - interval) ** 2 for _, gap in pairs)
        first = abs(offs[0]) if dates[0] == new[0] else 0
        return {
            "wishes": (unmet, warn, sum(abs(off) for off in offs)),
            "soonest": (warn, sum(-off for off in offs if off < 0), last, unmet),
            "even": (warn, square + first, unmet),
        }[label]

    def preferred(self) -> list[int]:
        days = list(self.protocol.preferred_days)
        while len(days) < self.count + len(self.chain):
            days.append(2 * days[-1] - days[-2])
        return days

    def interval(self) -> int:
        targets = sorted(self.targets)
        return round((targets[-1] - targets[0]).days / (len(targets) - 1))

    def hours_worth(self, chosen: Sequence[datetime]) -> tuple[int, ...]:
        """What a choice of hours is worth with the best hour and the best main prescriber."""
        walls = [_wall(self.local(start)) for start in [*chosen, *self.chain]]
        site = {day.date: day for day in self.site}
        able = [set(self.prescribers(site[self.local(start).date()], start)) for start in chosen]
        unmet = sum(not self.meets(start) for start in chosen)
        off = min(sum(abs(wall - hour) for wall in walls) for hour in walls)
        crews = []
        for prescriber in set().union(*able):
            load = sum(self.load(site[self.local(start).date()], prescriber) for start in chosen)
            away = sum(prescriber not in people for people in able)
            crews.append((away, int(prescriber != self.usual), load))
        return (unmet, off, *min(crews))

    def load(self, day: SiteDay, prescriber: int) -> int:
        start, end = day_bounds(day.date, self.zone)
        return sum(begin < end and start < stop for begin, stop in day.care.get(prescriber, ()))

    def best_hours(self, chosen: Sequence[datetime]) -> tuple[int, ...]:
        """The least worth of hours on the dates of this choice."""
        starts = self.starts
        options = [starts[self.local(start).date()] for start in chosen]
        return min(
            self.hours_worth(hours)
            for hours in product(*options)
            if all(self.far_enough(one, other) for one, other in pairwise(hours))
        )

    def is_free(self, place: Place) -> bool:
        day = {day.date: day for day in self.site}[self.local(place.starts_at).date()]
        return place.chair in self.chairs(day, place.starts_at) and place.prescriber in self.prescribers(
            day, place.starts_at
        )


def _covered(start: datetime, end: datetime, intervals: Sequence[Interval]) -> bool:
    return any(begin <= start and end <= stop for begin, stop in merge(intervals))


def _wall(local: datetime) -> int:
    return (local.hour * 60 + local.minute) // 10
