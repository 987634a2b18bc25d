"""At which hour and with which prescriber the sessions of a course are best, their days being chosen. Pure.

Best is what is least, in this order:
1. sessions that do not meet the wishes;
2. cells by which the sessions, those that stand among them, are off one hour of the day on the wall clock;
3. sessions that are not with one main prescriber;
4. whether the main prescriber is another than the course's usual one;
5. the patients whom the main prescriber has on these dates already;
6. the hour itself: the earliest.
The optimum is exact: where all sessions can be at one hour, ANDs of masks find it; else every hour is tried, the
promising ones first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from scheduling.protocols.masks import CELL, DAY_CELLS, DayMask

#: Hours that a clock can show, with the hour after midnight to which a date can be turned back.
_WALL = DAY_CELLS + 12

_UNMET = 1 << 24
_OFF = 1 << 8
_NOTHING = 1 << 60


class Visit(NamedTuple):
    """A new session on its day: the possible start cells, those that meet the wishes, and those of each prescriber."""

    day: DayMask
    starts: int
    wished: int
    prescribers: Mapping[int, int]


class Hour(NamedTuple):
    """The start cell of a visit, and its prescriber."""

    cell: int
    prescriber: int


class _Crew(NamedTuple):
    """A main prescriber, as far as others compare: sessions with somebody else, not the usual one, patients."""

    away: int
    unusual: bool
    load: int
    hour: int
    prescriber: int


def choose_hours(
    visits: Sequence[Visit], *, standing: Sequence[int], apart: int | None, usual: int | None
) -> tuple[Hour, ...]:
    """The best hours for visits in the order of time.

    `standing` are the hours of sessions that stand, in cells of the wall clock. `apart` is how many cells there have
    to be between two starts, None where the days alone keep them apart. Raises ValueError if there are no such hours.
    """
    common = (1 << _WALL) - 1
    for wall in standing:
        common &= 1 << wall
    walls = []
    for visit in visits:
        best = visit.wished or visit.starts
        clock = visit.day.clock
        common &= clock.to_wall(best)
        walls.append({prescriber: clock.to_wall(best & mask) for prescriber, mask in visit.prescribers.items()})
    if common:
        crew = _main_prescriber(visits, walls, common, usual)
        hours = tuple([_hour_at(visit, crew.hour, crew.prescriber) for visit in visits])
        if apart is None or _are_apart(visits, hours, apart):
            return hours
    return _Trial(visits, standing, apart).best(usual)


def least_loaded(visit: Visit, cell: int) -> int:
    """The prescriber with the fewest patients of the date among those who can take a visit from this cell."""
    load = visit.day.load
    able = [prescriber for prescriber, mask in visit.prescribers.items() if mask >> cell & 1]
    return min(able, key=lambda prescriber: load.get(prescriber, 0))


def _load(visits: Iterable[Visit], prescriber: int) -> int:
    return sum([visit.day.load.get(prescriber, 0) for visit in visits])


def _main_prescriber(
    visits: Sequence[Visit], walls: Sequence[Mapping[int, int]], common: int, usual: int | None
) -> _Crew:
    """The prescriber for most visits, and the hour, among the hours that are possible on all days."""
    crews = []
    for prescriber in walls[0]:
        hours = common
        for wall in walls:
            hours &= wall.get(prescriber, 0)
        if hours:
            crews.append(_Crew(0, prescriber != usual, _load(visits, prescriber), _lowest(hours), prescriber))
    if not crews:
        for prescriber in dict.fromkeys(prescriber for wall in walls for prescriber in wall):
            most = [common]  # most[n]: hours at which the prescriber has time on at least n days
            for wall in walls:
                hours = wall.get(prescriber, 0)
                most.append(0)
                for count in range(len(most) - 1, 0, -1):
                    most[count] |= most[count - 1] & hours
            count = max(count for count, hours in enumerate(most) if hours)
            away, load = len(visits) - count, _load(visits, prescriber)
            crews.append(_Crew(away, prescriber != usual, load, _lowest(most[count]), prescriber))
    return min(crews)


def _hour_at(visit: Visit, wall: int, main: int) -> Hour:
    """The visit at this hour of the clock, with the main prescriber if he or she has time."""
    cells = visit.day.clock.to_cells(1 << wall) & (visit.wished or visit.starts)
    with_main = cells & visit.prescribers.get(main, 0)
    cell = _lowest(with_main or cells)
    return Hour(cell, main if with_main else least_loaded(visit, cell))


def _are_apart(visits: Sequence[Visit], hours: Sequence[Hour], apart: int) -> bool:
    starts = [visit.day.instant(hour.cell) for visit, hour in zip(visits, hours, strict=True)]
    return all(later - earlier >= CELL * apart for earlier, later in pairwise(starts))


class _Trial:
    """Every hour tried, for days that have none in common or whose starts have to be kept apart."""

    def __init__(self, visits: Sequence[Visit], standing: Sequence[int], apart: int | None) -> None:
        self.visits = visits
        self.standing = standing
        self.apart = apart
        self.midnights = [(visit.day.origin - visits[0].day.origin) // CELL for visit in visits]
        self.masks = [visit.wished or visit.starts for visit in visits]
        if self._chain(0, None) is None:
            # Kept apart, not every session that could meet the wishes on its day can do so.
            self.masks = [visit.starts for visit in visits]

    def best(self, usual: int | None) -> tuple[Hour, ...]:
        """The best hours of all, by the module's order."""
        equals = self._best_hours()
        best: tuple[_Crew, tuple[Hour, ...]] | None = None
        for prescriber in dict.fromkeys(prescriber for visit in self.visits for prescriber in visit.prescribers):
            load = _load(self.visits, prescriber)
            for hour in equals:
                if found := self._chain(hour, prescriber):
                    crew = _Crew(found[0] % _OFF, prescriber != usual, load, hour, prescriber)
                    if best is None or crew < best[0]:
                        best = crew, found[1]
        if best is None:
            raise ValueError("no hours keep the visits apart")
        return best[1]

    def _best_hours(self) -> list[int]:
        """The hours of the clock that the sessions can keep to best."""
        equals: list[int] = []
        least = _NOTHING
        for bound, hour in sorted((self._bound(hour), hour) for hour in range(_WALL)):
            if equals and bound > least % _UNMET // _OFF:
                break
            found = self._chain(hour, None)
            cost = found[0] if found else _NOTHING
            if cost < least:
                least = cost
                equals.clear()
            if found and cost == least:
                equals.append(hour)
        return equals

    def _bound(self, hour: int) -> int:
        """Cells by which the sessions are off this hour at least."""
        off = sum([abs(wall - hour) for wall in self.standing])
        for visit, mask in zip(self.visits, self.masks, strict=True):
            off += _distance(visit.day.clock.to_wall(mask), hour)
        return off

    def _chain(self, hour: int, main: int | None) -> tuple[int, tuple[Hour, ...]] | None:
        """The hours nearest to this one, and what they cost; the main prescriber counts if there is one."""
        base = sum([abs(wall - hour) for wall in self.standing]) * _OFF
        layer: list[tuple[int, int, tuple[Hour, ...]]] = [(-_WALL * DAY_CELLS, base, ())]  # start, cost, hours so far
        for index in range(len(self.visits)):
            reached = []
            earlier = iter(layer)
            ahead = next(earlier, None)
            best: tuple[int, tuple[Hour, ...]] | None = None
            for cell, cost, prescriber in self._options(index, hour, main):
                start = self.midnights[index] + cell
                while ahead and (self.apart is None or ahead[0] + self.apart <= start):
                    if best is None or ahead[1] < best[0]:
                        best = ahead[1:]
                    ahead = next(earlier, None)
                if best:
                    reached.append((start, best[0] + cost, (*best[1], Hour(cell, prescriber))))
            layer = reached
        return min([(cost, hours) for _, cost, hours in layer], default=None)

    def _options(self, index: int, hour: int, main: int | None) -> list[tuple[int, int, int]]:
        """Cell, cost and prescriber of what the visit can do about this hour, in the order of time."""
        visit, mask = self.visits[index], self.masks[index]
        clock = visit.day.clock
        if self.apart is None:
            off = _distance(clock.to_wall(mask), hour)
            near = 1 << (hour + off) | (1 << (hour - off) if off <= hour else 0)
            mask &= clock.to_cells(near)
        with_main = mask if main is None else mask & visit.prescribers.get(main, 0)
        return [
            (
                cell,
                abs(clock.wall(cell) - hour) * _OFF
                + (0 if with_main >> cell & 1 else 1)
                + (0 if visit.wished >> cell & 1 else _UNMET),
                main if main is not None and with_main >> cell & 1 else least_loaded(visit, cell),
            )
            for cell in _bits(mask)
        ]


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield _lowest(mask)
        mask &= mask - 1


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _distance(mask: int, cell: int) -> int:
    """Cells from this one to the nearest of the mask, which is not empty."""
    above, below = mask >> cell, mask & ((1 << cell) - 1)
    up = _lowest(above) if above else _WALL
    return min(up, cell - below.bit_length() + 1) if below else up
