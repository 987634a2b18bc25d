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

from scheduling.protocols.masks import CELL, DAY_CELLS, REGULAR, DayMask

#: Hours that a clock can show, with the hour after midnight to which a date can be turned back.
_WALL = DAY_CELLS + 12

_UNMET = 1 << 24
_OFF = 1 << 8


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
    for visit in visits:
        common &= visit.day.clock.to_wall(visit.wished or visit.starts)
    if common:
        crew = _main_prescriber(visits, [_walls(visit) for visit in visits], common, usual)
        hours = tuple([_hour_at(visit, crew.hour, crew.prescriber) for visit in visits])
        if apart is None or _are_apart(visits, hours, apart):
            return hours
    if apart is None:
        return _nearest_hours(visits, standing, usual)
    return _Trial(visits, standing, apart).best(usual)


def least_loaded(visit: Visit, cell: int) -> int:
    """The prescriber with the fewest patients of the date among those who can take a visit from this cell."""
    load = visit.day.load
    able = [prescriber for prescriber, mask in visit.prescribers.items() if mask >> cell & 1]
    return min(able, key=lambda prescriber: load.get(prescriber, 0))


def _walls(visit: Visit) -> Mapping[int, int]:
    """The prescribers' start cells, at best those that meet the wishes, by what the clock shows."""
    clock = visit.day.clock
    if clock is REGULAR:
        return visit.prescribers  # a superset will do: what is common to all days is among the best
    best = visit.wished or visit.starts
    return {prescriber: clock.to_wall(best & mask) for prescriber, mask in visit.prescribers.items()}


def _prescribers(visits: Iterable[Visit]) -> dict[int, None]:
    """All of them, each once."""
    return dict.fromkeys(prescriber for visit in visits for prescriber in visit.prescribers)


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
        for prescriber in _prescribers(visits):
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
    return _hour_in(visit, visit.day.clock.to_cells(1 << wall) & (visit.wished or visit.starts), main)


def _hour_in(visit: Visit, cells: int, main: int) -> Hour:
    """The first of the cells, if possible one in which the main prescriber has time."""
    with_main = cells & visit.prescribers.get(main, 0)
    cell = _lowest(with_main or cells)
    return Hour(cell, main if with_main else least_loaded(visit, cell))


def _are_apart(visits: Sequence[Visit], hours: Sequence[Hour], apart: int) -> bool:
    starts = [visit.day.instant(hour.cell) for visit, hour in zip(visits, hours, strict=True)]
    return all(later - earlier >= CELL * apart for earlier, later in pairwise(starts))


def _nearest_hours(visits: Sequence[Visit], standing: Sequence[int], usual: int | None) -> tuple[Hour, ...]:
    """The best hours where the days have none in common."""
    masks = [visit.wished or visit.starts for visit in visits]
    crews = []
    offs = _offs(visits, masks, standing)
    least = min(offs.values())
    for hour in [hour for hour, off in offs.items() if off == least]:
        nearest = [_nearest(visit, mask, hour) for visit, mask in zip(visits, masks, strict=True)]
        for prescriber in _prescribers(visits):
            away = sum(
                [not cells & visit.prescribers.get(prescriber, 0) for visit, cells in zip(visits, nearest, strict=True)]
            )
            crews.append(_Crew(away, prescriber != usual, _load(visits, prescriber), hour, prescriber))
    crew = min(crews)
    return tuple(
        [
            _hour_in(visit, _nearest(visit, mask, crew.hour), crew.prescriber)
            for visit, mask in zip(visits, masks, strict=True)
        ]
    )


def _nearest(visit: Visit, mask: int, hour: int) -> int:
    """The cells of the mask that are nearest to the hour: at most one before it and one after it, or twice that."""
    clock = visit.day.clock
    wall = clock.to_wall(mask)
    later, earlier = wall >> hour, wall & ((1 << hour) - 1)
    up = _lowest(later) if later else _WALL
    down = hour - earlier.bit_length() + 1 if earlier else _WALL
    near = 1 << hour + up if up <= down else 0
    if down <= up:
        near |= 1 << hour - down
    return clock.to_cells(near) & mask


def _offs(visits: Sequence[Visit], masks: Sequence[int], standing: Sequence[int]) -> dict[int, int]:
    """For every hour worth a thought, by how many cells the sessions are off it at least."""
    walls = [visit.day.clock.to_wall(mask) for visit, mask in zip(visits, masks, strict=True)]
    walls += [1 << wall for wall in standing]
    first, stop = min(map(_lowest, walls)), max(wall.bit_length() for wall in walls)
    rows = []
    for wall in walls:
        row = []
        off = _WALL
        for hour in range(first, stop):
            off = 0 if wall >> hour & 1 else off + 1
            row.append(off)
        for index in range(len(row) - 1, -1, -1):
            off = min(row[index], off + 1)
            row[index] = off
        rows.append(row)
    return dict(enumerate(map(sum, zip(*rows, strict=True)), first))


class _Trial:
    """The best hours of visits whose starts have to be `apart` cells apart: every hour tried, promising ones first."""

    def __init__(self, visits: Sequence[Visit], standing: Sequence[int], apart: int) -> None:
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
        hours = self._best_hours()
        trials = [
            (_Crew(found[0] % _OFF, prescriber != usual, _load(self.visits, prescriber), hour, prescriber), found[1])
            for prescriber in _prescribers(self.visits)
            for hour in hours
            if (found := self._chain(hour, prescriber))
        ]
        if not trials:
            raise ValueError("no hours keep the visits apart")
        return min(trials)[1]

    def _best_hours(self) -> list[int]:
        """The hours of the clock that the sessions can keep to best."""
        best: list[int] = []
        least = 0
        for bound, hour in sorted((off, hour) for hour, off in _offs(self.visits, self.masks, self.standing).items()):
            if best and bound > least % _UNMET // _OFF:
                break
            if found := self._chain(hour, None):
                if not best or found[0] < least:
                    least = found[0]
                    best.clear()
                if found[0] == least:
                    best.append(hour)
        return best

    def _chain(self, hour: int, main: int | None) -> tuple[int, tuple[Hour, ...]] | None:
        """The hours nearest to this one, and what they cost; the main prescriber counts if there is one."""
        base = sum([abs(wall - hour) for wall in self.standing]) * _OFF
        layer: list[tuple[int, int, tuple[Hour, ...]]] = [(-self.apart, base, ())]  # start, cost, hours so far
        for index in range(len(self.visits)):
            reached = []
            earlier = iter(layer)
            ahead = next(earlier, None)
            best: tuple[int, tuple[Hour, ...]] | None = None
            for cell, cost, prescriber in self._options(index, hour, main):
                start = self.midnights[index] + cell
                while ahead and ahead[0] + self.apart <= start:
                    if best is None or ahead[1] < best[0]:
                        best = ahead[1:]
                    ahead = next(earlier, None)
                if best:
                    reached.append((start, best[0] + cost, (*best[1], Hour(cell, prescriber))))
            layer = reached
        return min([(cost, hours) for _, cost, hours in layer], default=None)

    def _options(self, index: int, hour: int, main: int | None) -> Iterator[tuple[int, int, int]]:
        """Cell, cost and prescriber of every start of the visit, in the order of time."""
        visit = self.visits[index]
        clock, with_main = visit.day.clock, visit.prescribers.get(main, 0) if main is not None else 0
        for cell in _bits(self.masks[index]):
            cost = abs(clock.wall(cell) - hour) * _OFF + (0 if visit.wished >> cell & 1 else _UNMET)
            if main is not None and with_main >> cell & 1:
                yield cell, cost, main
            else:
                yield cell, cost + (main is not None), least_loaded(visit, cell)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield _lowest(mask)
        mask &= mask - 1


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
