"""What a site can still offer for the sessions that are asked for: rules, wishes and free time put together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

from clinic.findings import Level
from scheduling.protocols.masks import CELL, DAY_CELLS, REGULAR, Clock, DayMask, Needs, local_day
from scheduling.protocols.plan_hours import Visit
from scheduling.protocols.plan_task import LONGEST, NEVER, Rules, Task
from scheduling.protocols.progress import default_interval
from scheduling.protocols.types import GRID_MINUTES, Phase, Protocol, Spot, Wishes

#: A phase that begins later than so many days after the date asked for is no answer: said with the first date (P).
START_WITHIN = 28

#: No session is placed later than so many days after the first date, whatever is given.
HORIZON = 400

_CELLS_PER_HOUR = 60 // GRID_MINUTES


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the planner; `planning.propose` says what the fields are."""

    protocol: Protocol
    phase: Phase
    count: int
    days: Sequence[DayMask]
    zone: tzinfo
    earliest: date
    now: datetime
    wishes: Wishes
    standing: Sequence[Spot]
    targets: Sequence[date]
    step: int
    usual: int | None
    start_within: int = START_WITHIN
    strict: bool = True  # keep a gap-min that is a mere warning

    def chain(self) -> list[datetime]:
        """The local starts of the sessions that stand in this phase, in order."""
        return sorted(
            [spot.starts_at.astimezone(self.zone) for spot in self.standing if spot.counts and spot.phase is self.phase]
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """The task for `choose_days`, and what its day numbers stand for.

    `zero` is the ordinal of day 0, `walls` the hours of the sessions that stand, in cells of the wall clock. `before`
    counts the sessions of the phase that are too long past to be in the task.
    """

    task: Task
    zero: int
    masks: Mapping[int, DayMask]
    needs: Needs
    walls: tuple[int, ...]
    before: int

    def visit(self, day: int) -> Visit:
        """A new session on this day."""
        mask, task = self.masks[day], self.task
        return Visit(mask, task.starts[day], task.wished.get(day, 0), mask.starts(self.needs).prescribers)


def scan(request: Request) -> Scan:
    """Where each session of the request can be."""
    chain = request.chain()
    relative = request.phase is Phase.INITIAL
    rules = phase_rules(request, len(chain))
    earliest = request.earliest.toordinal()
    before = 0
    if not relative:
        past = sum(local.toordinal() <= earliest for local in chain)
        before = max(0, past - 1, sum(local.toordinal() < earliest - HORIZON for local in chain))
    kept = [local.toordinal() for local in chain[before:]]
    zero = min([earliest, *kept])
    standing = tuple(sorted({day - zero for day in kept}))
    first_until = earliest - zero + (request.start_within if relative and not chain else HORIZON)
    until = min(earliest - zero + HORIZON, LONGEST)
    if relative:
        until = min(until, (standing[0] if standing else first_until) + rules.span)

    needs = Needs.of(request.protocol.visit)
    starts, wished, masks = _free(request, needs, zero, until)
    _keep_from_standing(request, rules, zero, starts, wished, masks)
    preferred, gaps = _preferred(request, len(chain), zero)
    months, stood = _months(request, zero, starts, standing) if rules.month else ({}, {})
    free_gap = _free_gap(request, rules, starts, zero)
    midnights = _midnights(rules, masks, starts) if free_gap > rules.gap else {}
    task = Task(
        count=request.count,
        rules=rules,
        standing=standing,
        starts=starts,
        wished=wished,
        preferred=preferred,
        gaps=gaps,
        relative=relative,
        first_day=earliest - zero,
        first_until=first_until,
        free_gap=free_gap,
        midnights=midnights,
        months=months,
        stood=stood,
    )
    walls = tuple([(local.hour * 60 + local.minute) // GRID_MINUTES for local in chain])
    return Scan(task, zero, masks, needs, walls, before)


def phase_rules(request: Request, standing: int) -> Rules:
    """The limits of the protocol that bind sessions of the phase, beside so many that stand."""
    limits = request.protocol.limits
    gap, cells, short_gap = 1, 0, 0
    if nearest := limits.get("gap-min"):
        if request.strict or nearest.level is not Level.WARN:
            gap, cells = max(1, nearest.value), _CELLS_PER_HOUR * (nearest.hours or 0)
        else:
            short_gap = nearest.value
    if request.phase is Phase.INITIAL:
        return _initial_rules(request.protocol, gap, cells, short_gap, standing + request.count)
    month = 0
    if request.phase is Phase.MAINTENANCE:
        if most := limits.get("month-max"):
            month = most.value
        if apart := limits.get("month-gap"):
            short_gap = max(short_gap, apart.value)
    return Rules(gap=gap, cells=cells, month=month, short_gap=short_gap)


def _initial_rules(protocol: Protocol, gap: int, cells: int, short_gap: int, sessions: int) -> Rules:
    """The same for an initial phase of so many sessions in all."""
    limits = protocol.limits
    span = limits["span-max"].value if "span-max" in limits else NEVER
    longest, shortest = limits.get("gap-max"), limits.get("span-min")
    last_from, last_to = 0, NEVER
    if sessions >= protocol.initial_min:
        # It may be the whole phase, so it should not be over too early.
        last_from = shortest.value if shortest else 0
    elif "reach" in limits:
        last_to = span - max(gap, short_gap) * (protocol.initial_min - sessions)
    return Rules(
        gap=gap,
        cells=cells,
        span=span,
        short_gap=short_gap,
        long_gap=longest.value if longest else NEVER,
        last_from=last_from,
        last_to=last_to,
    )


def _free(
    request: Request, needs: Needs, zero: int, until: int
) -> tuple[dict[int, int], dict[int, int], dict[int, DayMask]]:
    """The offered starts by day, those of them that meet the wishes, and the days' masks."""
    wishes = request.wishes
    visit = request.protocol.visit
    except_days = {day.toordinal() - zero for day in wishes.except_dates}
    weekdays = wishes.weekdays or range(7)
    hours = (wishes.not_before, wishes.not_after, wishes.home_by)
    home = int(visit.home_after.total_seconds()) // 60
    offered = offered_starts(REGULAR, request.step)
    window = offered & wished_starts(REGULAR, *hours, home)
    today = request.now.astimezone(request.zone).toordinal() - zero
    since = max(today, request.earliest.toordinal() - zero)
    starts: dict[int, int] = {}
    wished: dict[int, int] = {}
    masks: dict[int, DayMask] = {}
    for mask in request.days:
        day = mask.ordinal - zero
        if not since <= day <= until or not (possible := mask.starts(needs).any) or day in except_days:
            continue
        clock = mask.clock
        if clock is REGULAR:
            wanted = possible & window
            possible &= offered
        else:
            possible &= offered_starts(clock, request.step)
            wanted = possible & wished_starts(clock, *hours, home)
        if day == today:
            past = max(0, (request.now - mask.origin) // CELL + 1)
            possible = possible >> past << past
            wanted = wanted >> past << past
        if possible:
            starts[day] = possible
            masks[day] = mask
            if wanted and (day + zero - 1) % 7 in weekdays:
                wished[day] = wanted
    return starts, wished, masks


@lru_cache(maxsize=256)
def offered_starts(clock: Clock, step: int) -> int:
    """The cells that begin at a multiple of `step` minutes on the wall clock."""
    return sum([1 << cell for cell in range(clock.cells) if clock.wall(cell) * GRID_MINUTES % step == 0])


@lru_cache(maxsize=1024)
def wished_starts(
    clock: Clock, not_before: time | None, not_after: time | None, home_by: time | None, home: int
) -> int:
    """The cells in which a visit that takes `home` minutes to the planned discharge meets the wishes, by local time."""
    soonest = _minutes(not_before) if not_before else 0
    latest = _minutes(not_after) if not_after else 2 * 1440
    back = _minutes(home_by) if home_by else 2 * 1440
    mask = 0
    for cell in range(clock.cells):
        shown = clock.wall(cell) * GRID_MINUTES
        discharge, beyond = divmod(home, GRID_MINUTES)
        if soonest <= shown <= latest and clock.wall(cell + discharge) * GRID_MINUTES + beyond <= back:
            mask |= 1 << cell
    return mask


def _minutes(at: time) -> float:
    return at.hour * 60 + at.minute + at.second / 60


def _keep_from_standing(
    request: Request,
    rules: Rules,
    zero: int,
    starts: dict[int, int],
    wished: dict[int, int],
    masks: Mapping[int, DayMask],
) -> None:
    """Take away what is too near to a session that stands, of whatever phase or course."""
    away = timedelta(minutes=GRID_MINUTES * rules.cells)
    nearby = rules.gap + 1 + rules.cells // DAY_CELLS
    for spot in request.standing:
        there = spot.starts_at.astimezone(request.zone).toordinal() - zero
        for day in range(there - nearby, there + nearby + 1):
            if day not in starts:
                continue
            if abs(day - there) < rules.gap:
                left = 0
            else:
                origin = masks[day].origin
                until = (spot.starts_at - away - origin) // CELL
                since = max(0, -((origin - spot.starts_at - away) // CELL))
                left = (1 << until + 1) - 1 if until >= 0 else 0
                left |= -1 << since
            starts[day] &= left
            if not starts[day]:
                del starts[day]
            if day in wished:
                wished[day] &= left
                if not wished[day]:
                    del wished[day]


def _preferred(request: Request, standing: int, zero: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The days preferred for the sessions, and the gaps."""
    protocol = request.protocol
    if request.phase is Phase.INITIAL:
        preferred = protocol.preferred_days
        usual = preferred[-1] - preferred[-2] if len(preferred) > 1 else 7
        while len(preferred) < standing + request.count:
            preferred += (preferred[-1] + usual,)
        return preferred, tuple([later - earlier for earlier, later in pairwise(preferred)])
    taper = request.phase is Phase.TAPER and protocol.taper_interval
    interval = taper or default_interval(protocol)
    aimed = sorted(max(-HORIZON, min(target.toordinal() - zero, LONGEST)) for target in request.targets)
    if not aimed:
        earliest = request.earliest.toordinal() - zero
        aimed = [earliest + interval * index for index in range(request.count)]
    if len(aimed) > 1:
        interval = round((aimed[-1] - aimed[0]) / (len(aimed) - 1))
    return tuple(aimed), (interval,)


def _months(
    request: Request, zero: int, starts: Mapping[int, int], standing: Sequence[int]
) -> tuple[dict[int, int], Counter[int]]:
    """The month of every day that can be used, and how many sessions of the phase stand in each month."""
    months = {}
    for day in (*starts, *standing):
        at = date.fromordinal(day + zero)
        months[day] = at.year * 12 + at.month
    return months, Counter(local.year * 12 + local.month for local in request.chain())


def _free_gap(request: Request, rules: Rules, starts: Mapping[int, int], zero: int) -> int:
    """The days from which on the days alone keep two starts as far apart as `gap-min` wants it in hours."""
    some = 0
    for mask in starts.values():
        some |= mask
    if not rules.cells or not some:
        return rules.gap
    spread = some.bit_length() - (some & -some).bit_length()
    months = {(day.year, day.month) for day in map(date.fromordinal, range(min(starts) + zero, max(starts) + zero, 27))}
    last = date.fromordinal(max(starts) + zero)
    skipped = max(skipped_cells(request.zone, *month) for month in {*months, (last.year, last.month)})
    return max(rules.gap, -(-(rules.cells + spread + skipped) // DAY_CELLS))


def _midnights(rules: Rules, masks: Mapping[int, DayMask], starts: Iterable[int]) -> dict[int, int]:
    """The beginnings of the days in cells of elapsed time, from an instant so early that nothing is too near to it."""
    origin = min(masks[day].origin for day in starts) - CELL * rules.cells
    return {day: (masks[day].origin - origin) // CELL for day in starts}


@lru_cache(maxsize=1024)
def skipped_cells(zone: tzinfo, year: int, month: int) -> int:
    """How many cells the clocks of a zone skip at most on one date of the month."""
    first = date(year, month, 1).toordinal()
    days = [date.fromordinal(first + offset) for offset in range(31)]
    return max(DAY_CELLS - local_day(day, zone)[1].cells for day in days)
