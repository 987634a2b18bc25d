"""A site's date as bit masks: the free time of every chair and prescriber in cells of the planning grid. Pure.

A mask is an integer; its bit i is the i-th cell of GRID_MINUTES after local midnight, in elapsed time, so a date has
138, 144 or 150 cells. All chairs of a date stand side by side in one integer, a lane for each, and so do all
prescribers: the starts that are possible for a visit are then a few shifts and ANDs, whatever the number of chairs.
A visit lies on one local date; what would run past midnight is not offered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from scheduling.protocols.types import GRID_MINUTES, VisitShape
from scheduling.protocols.windows import day_bounds, merge

Interval = tuple[datetime, datetime]

CELL = timedelta(minutes=GRID_MINUTES)

#: How long after midnight each cell begins; a date has fewer.
_AFTER = tuple(CELL * cell for cell in range(160))

#: Cells of a date on which the clocks do not change.
DAY_CELLS = 1440 // GRID_MINUTES

#: Bits of a lane: more than the longest date has cells, so that a bit between two lanes is never free.
LANE = 160
_LANE_BYTES = LANE // 8
_LANE_MASK = (1 << LANE) - 1


class Clock(NamedTuple):
    """How the cells of a date lie on the wall clock: from cell `jump` on, the clock is `by` cells ahead of them."""

    cells: int = DAY_CELLS
    jump: int = 0
    by: int = 0

    def wall(self, cell: int) -> int:
        """The cell's place on the wall clock, in cells after 00:00."""
        return cell + self.by if cell >= self.jump else cell

    def to_wall(self, mask: int) -> int:
        """The same cells by what the clock shows; both of an hour that comes twice fall on one."""
        if not self.by:
            return mask
        early, late = mask & ((1 << self.jump) - 1), mask >> self.jump
        return early | late << (self.jump + self.by)

    def to_cells(self, wall: int) -> int:
        """The cells at which the clock shows one of these: none in the spring gap, both in the autumn fold."""
        if not self.by:
            return wall & ((1 << self.cells) - 1)
        early, late = wall & ((1 << self.jump) - 1), wall >> (self.jump + self.by)
        return (early | late << self.jump) & ((1 << self.cells) - 1)


#: The clock of a date on which nothing changes.
REGULAR = Clock()


class Needs(NamedTuple):
    """What a visit takes, in cells after its start: the chair for `chair`, a prescriber from `dose` for `care`."""

    chair: int
    dose: int
    care: int

    @classmethod
    def of(cls, visit: VisitShape) -> Needs:
        """Phases that end between two cells take the whole cell."""
        dose = visit.prepare // GRID_MINUTES
        discharge = visit.prepare + visit.give + visit.monitor
        return cls(_cells_up(discharge + visit.turn_over), dose, _cells_up(discharge) - dose)


class OnShift(NamedTuple):
    """A prescriber's shift and how many patients may be under care at once."""

    prescriber: int
    starts_at: datetime
    ends_at: datetime
    limit: int


class Starts(NamedTuple):
    """Where a visit can start on a date: `any` with some chair and prescriber, `prescribers` with each of them.

    `chairs` are lanes, the cells from which a chair is free long enough, in three rows: without a gap to what is
    before and after the visit, without one on at least one side, and all. `lanes` says where a chair's lane begins.
    """

    any: int
    prescribers: Mapping[int, int]
    chairs: tuple[int, int, int]
    lanes: Mapping[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class DayMask:
    """The free time of a site on one local date.

    `origin` is the instant of local midnight in UTC, `open` the cells in which the site is open at all. `free` and
    `care` are lanes in the order of `chairs` and `prescribers`: cells in which the chair is free, and in which the
    prescriber is on shift and can take one more patient. `load` counts a prescriber's patients of the date.
    """

    date: date
    origin: datetime
    clock: Clock
    open: int
    chairs: tuple[int, ...]
    free: int
    prescribers: tuple[int, ...]
    care: int
    load: Mapping[int, int] = field(default_factory=dict)
    ordinal: int = field(init=False)
    _starts: dict[Needs, Starts] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ordinal", self.date.toordinal())

    def starts(self, needs: Needs) -> Starts:
        """Where such a visit can start; worked out once and kept."""
        found = self._starts.get(needs)
        if found is None:
            found = self._starts[needs] = self._find_starts(needs)
        return found

    def _find_starts(self, needs: Needs) -> Starts:
        chairs = runs(self.free, needs.chair)
        some_chair = _fold(chairs, len(self.chairs))
        if not some_chair:
            return _NO_STARTS
        care = runs(self.care, needs.care) >> needs.dose
        prescribers = {
            prescriber: starts
            for prescriber, lane in zip(self.prescribers, unpack(care, len(self.prescribers)), strict=True)
            if (starts := lane & some_chair)
        }
        some = 0
        for starts in prescribers.values():
            some |= starts
        if not some:
            return _NO_STARTS
        before, after = self.free << 1, self.free >> needs.chair
        rows = (chairs & ~(before | after), chairs & ~(before & after), chairs)
        return Starts(some, prescribers, rows, {chair: LANE * lane for lane, chair in enumerate(self.chairs)})

    def instant(self, cell: int) -> datetime:
        """When the cell begins, in UTC."""
        return self.origin + _AFTER[cell]

    def chair_at(self, needs: Needs, cell: int, prefer: int | None = None) -> int:
        """The chair for a visit that starts in this cell, among those free long enough.

        One that the visit leaves no gap in before or after it, else on one side, else any; among equals the preferred
        one, else the first. Raises ValueError where no chair is free.
        """
        starts = self.starts(needs)
        lanes = _ones(len(self.chairs), cell)
        both, either, free = starts.chairs
        best = both & lanes or either & lanes or free & lanes
        if not best:
            raise ValueError(f"no chair is free from cell {cell} of {self.date}")
        if prefer is not None and (lane := starts.lanes.get(prefer)) is not None and best & 1 << lane + cell:
            return prefer
        return self.chairs[((best & -best).bit_length() - 1) // LANE]


_NO_STARTS = Starts(0, {}, (0, 0, 0), {})


def build_day(
    *,
    day: date,
    zone: tzinfo,
    opened: Iterable[Interval],
    chairs: Mapping[int, Iterable[Interval]],
    shifts: Iterable[OnShift],
    care: Mapping[int, Sequence[Interval]],
) -> DayMask:
    """The masks of a date from half-open intervals of UTC, which may reach over its ends.

    `opened`: when the site is open, closures taken off. `chairs`: for every chair of the site when it is taken, by
    visits with their turn-over and by outages. `care`: for every prescriber the times of booked visits from the
    start of the dose to discharge. Times between two cells count as taken, and never as free.
    """
    origin, clock = local_day(day, zone)
    cells = clock.cells
    site_open = cells_within(origin, cells, opened)
    free = [site_open & ~cells_touched(origin, cells, taken) for taken in chairs.values()]
    on_shift: dict[int, list[OnShift]] = {}
    for shift in shifts:
        on_shift.setdefault(shift.prescriber, []).append(shift)
    able = [
        _able(origin, cells, sorted(own, key=lambda shift: shift.starts_at), care.get(prescriber, ()))
        for prescriber, own in on_shift.items()
    ]
    end = origin + CELL * cells
    load = {
        prescriber: sum(start < end and origin < stop for start, stop in visits) for prescriber, visits in care.items()
    }
    return DayMask(
        date=day,
        origin=origin,
        clock=clock,
        open=site_open,
        chairs=tuple(chairs),
        free=pack(free),
        prescribers=tuple(on_shift),
        care=pack(able),
        load=load,
    )


def _able(origin: datetime, cells: int, shifts: Sequence[OnShift], visits: Sequence[Interval]) -> int:
    """Cells in which one prescriber is present and can take one more patient."""
    able = cells_within(origin, cells, [(shift.starts_at, shift.ends_at) for shift in shifts])
    for shift in shifts:
        own = cells_touched(origin, cells, [(shift.starts_at, shift.ends_at)])
        able &= ~(own & cells_full(origin, cells, visits, shift.limit))
    return able


def cells_within(origin: datetime, cells: int, intervals: Iterable[Interval]) -> int:
    """The cells that lie wholly inside the union of the intervals."""
    mask = 0
    for start, end in merge(intervals):
        first, stop = max(0, -((origin - start) // CELL)), min(cells, (end - origin) // CELL)
        if first < stop:
            mask |= (1 << stop) - (1 << first)
    return mask


def cells_touched(origin: datetime, cells: int, intervals: Iterable[Interval]) -> int:
    """The cells of which the intervals take any part."""
    mask = 0
    for start, end in intervals:
        first, stop = max(0, (start - origin) // CELL), min(cells, -((origin - end) // CELL))
        if first < stop and start < end:
            mask |= (1 << stop) - (1 << first)
    return mask


def cells_full(origin: datetime, cells: int, intervals: Sequence[Interval], limit: int) -> int:
    """The cells in which at some instant `limit` of the intervals run at once: one more would be too many."""
    if limit <= 0:
        return (1 << cells) - 1
    if len(intervals) < limit:
        return 0
    changes = [(start, 1) for start, end in intervals if start < end]
    changes += [(end, -1) for start, end in intervals if start < end]
    full: list[Interval] = []
    running = 0
    since = origin
    for instant, change in sorted(changes):  # at the same instant ends come first
        running += change
        if change > 0 and running == limit:
            since = instant
        elif change < 0 and running == limit - 1:
            full.append((since, instant))
    return cells_touched(origin, cells, full)


@lru_cache(maxsize=4096)
def local_day(day: date, zone: tzinfo) -> tuple[datetime, Clock]:
    """The instant of local midnight, and how the date's cells lie on the clock; one change of the clocks at most."""
    origin, end = day_bounds(day, zone)
    cells = (end - origin) // CELL

    def ahead(cell: int) -> int:
        local = (origin + CELL * cell).astimezone(zone)
        shown = (local.toordinal() - day.toordinal()) * 1440 + local.hour * 60 + local.minute
        return shown // GRID_MINUTES - cell

    jump = next((cell for cell in range(cells) if ahead(cell)), cells)
    return origin, Clock(cells, jump, ahead(jump)) if jump < cells else (
        REGULAR if cells == DAY_CELLS else Clock(cells)
    )


def runs(mask: int, length: int) -> int:
    """The cells from which `length` cells in a row are set."""
    have = 1
    while have < length:
        step = min(have, length - have)
        mask &= mask >> step
        have += step
    return mask


def pack(lanes: Iterable[int]) -> int:
    """Masks side by side in one integer."""
    return int.from_bytes(b"".join([lane.to_bytes(_LANE_BYTES, "little") for lane in lanes]), "little")


def unpack(lanes: int, count: int) -> list[int]:
    """The first `count` masks of what `pack` made."""
    raw = (lanes & ((1 << LANE * count) - 1)).to_bytes(_LANE_BYTES * count, "little")
    return [int.from_bytes(raw[at : at + _LANE_BYTES], "little") for at in range(0, len(raw), _LANE_BYTES)]


def _fold(lanes: int, count: int) -> int:
    """The union of the lanes."""
    while count > 1:
        half = (count + 1) // 2
        lanes |= lanes >> LANE * half
        count = half
    return lanes & _LANE_MASK


@lru_cache(maxsize=4096)
def _ones(count: int, cell: int) -> int:
    """This cell of every lane."""
    return pack([1] * count) << cell


def _cells_up(minutes: int) -> int:
    return -(-minutes // GRID_MINUTES)
