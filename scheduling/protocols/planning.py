"""Plans for a course: up to three labelled proposals over a site's free time, or what is in the way. Pure.

A plan is chosen in three steps, each of them an exact optimum of what the step before left open:

1. the days, by the label's aim (`plan_days`), most important first:
   - wishes: most sessions that meet the wishes, fewest warnings, fewest days in all by which sessions are off their
     preferred days; the first session's is the first date asked for, the protocol's pattern follows from it;
   - soonest: fewest warnings, the earliest last day, most wishes met, the earliest first day, gaps most like the
     preferred ones. Taper and maintenance have aimed dates: fewest days before those come second, and gaps not at all;
   - even: fewest warnings, gaps most like the preferred ones (squares; a day off in one gap weighs as much as
     beginning a week later), most wishes met;
2. hour and prescriber (`plan_hours`): one hour of the day, one main prescriber, the one with the fewest patients;
3. the chair: where the visit leaves no gap beside other visits, else the chair of the row before, else the first.

A plan keeps every rule above the level of a warning; of warnings it takes no more than its label's aim needs. A
`gap-min` that is itself a warning is broken only where no plan keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, tzinfo
from itertools import islice, pairwise

from clinic.findings import Level
from scheduling.protocols.masks import DayMask
from scheduling.protocols.plan_days import choose_days
from scheduling.protocols.plan_hours import Hour, Visit, choose_hours, least_loaded
from scheduling.protocols.plan_limits import explain, too_many
from scheduling.protocols.plan_scan import Request, Scan, scan
from scheduling.protocols.plan_task import COUNT, SUM, Aim, Choice, warnings
from scheduling.protocols.types import (
    GRID_MINUTES,
    NoPlan,
    Phase,
    Place,
    Plan,
    PlannedSession,
    Protocol,
    Spot,
    Wishes,
)

LABELS = ("wishes", "soonest", "even")

#: Aims of a phase that counts its days from its first session, and of sessions with aimed dates.
_BY_PATTERN: Mapping[str, Aim] = {
    "wishes": Aim(unmet=SUM * COUNT, warn=SUM, off=1, first=1),
    "soonest": Aim(warn=SUM * COUNT**3, last=SUM * COUNT**2, unmet=SUM * COUNT, first=SUM, square=1),
    "even": Aim(warn=SUM * COUNT, square=7 * COUNT, first=COUNT, unmet=1),
}
_BY_DATE: Mapping[str, Aim] = {
    "wishes": Aim(unmet=SUM * COUNT, warn=SUM, off=1),
    "soonest": Aim(warn=SUM * COUNT**2, early=COUNT**2, last=COUNT, unmet=1),
    "even": Aim(warn=SUM * COUNT, square=COUNT, first=COUNT, unmet=1),
}

_NO_WISHES = Wishes()
_ALTERNATIVES = 2


def propose(
    *,
    protocol: Protocol,
    phase: Phase,
    count: int,
    days: Sequence[DayMask],
    zone: tzinfo,
    earliest: date,
    now: datetime,
    wishes: Wishes = _NO_WISHES,
    standing: Sequence[Spot] = (),
    targets: Sequence[date] = (),
    step: int = GRID_MINUTES,
    usual: int | None = None,
    labels: Collection[str] = LABELS,
) -> tuple[Plan, ...] | NoPlan:
    """Plans for `count` new sessions of one phase, from `earliest` on and after `now`; or why there is none.

    `days`: the site's dates, in any order; one that is missing is closed. `zone`: the site's. `standing`: every
    session that stands in the patient's calendar near these dates. Those of this phase that count belong to the
    pattern, and new ones may lie before, between and after them; the others are only kept away from. Rows of a
    plan that stay, when others are to be placed again, are `standing` as well. `targets`: the
    aimed dates of taper and maintenance, as many as sessions are asked for; by default from `earliest` on at the
    protocol's interval. `step`: minutes between offered starts on the clock. `usual`: the course's prescriber.

    Plans come in the order of LABELS, identical ones once, `wishes` beside others only if something is wished.
    Raises ValueError for a count under 1, targets that are not as many, a step off the grid, and a naive time.
    """
    if count < 1 or (targets and len(targets) != count):
        raise ValueError("count: at least one session, and as many targets as sessions")
    if step < 1 or step % GRID_MINUTES:
        raise ValueError(f"step: a multiple of {GRID_MINUTES} minutes")
    if now.tzinfo is None or any(spot.starts_at.tzinfo is None for spot in standing):
        raise ValueError("a time without a zone cannot be planned with")
    request = Request(protocol, phase, count, days, zone, earliest, now, wishes, standing, targets, step, usual)
    if refusal := too_many(request):
        return refusal
    plans = _plans(request, labels)
    gap = protocol.limit("gap-min")
    if not plans and gap and gap.level is Level.WARN:
        plans = _plans(replace(request, strict=False), labels)
    return plans or explain(request)


def _plans(request: Request, labels: Collection[str]) -> tuple[Plan, ...]:
    """The plan of each label, identical ones under the first."""
    wishes = request.wishes
    wished = wishes.weekdays or wishes.not_before or wishes.not_after or wishes.home_by
    wanted = [label for label in LABELS if label in labels]
    if len(wanted) > 1 and not wished:
        wanted = [label for label in wanted if label != "wishes"]
    found = scan(request)
    aims = _BY_PATTERN if found.task.relative else _BY_DATE
    plans: dict[tuple[int, ...], Plan] = {}
    for label in wanted:
        choice = choose_days(found.task, aims[label])
        if choice is None:
            return ()
        if choice.days not in plans:
            plan = Plan(label, _sessions(request, found, choice))
            # Where no wish at all can be met, no plan is called after them.
            if label != "wishes" or len(wanted) == 1 or any(row.meets_wishes for row in plan.sessions):
                plans[choice.days] = plan
    return tuple(plans.values())


def _sessions(request: Request, found: Scan, choice: Choice) -> tuple[PlannedSession, ...]:
    """The rows on these days: hours, prescribers, chairs and alternatives."""
    task = found.task
    numbers = {day: found.before + index for index, day in enumerate(choice.days, start=1)}
    new = [day for day in choice.days if day not in task.standing]
    close = any(later - earlier < task.free_gap for earlier, later in pairwise(new))
    apart = task.rules.cells if close else None
    visits = {day: found.visit(day) for day in new}
    hours = choose_hours(list(visits.values()), standing=found.walls, apart=apart, usual=request.usual)
    chosen = dict(zip(new, hours, strict=True))
    chair = None
    rows = []
    for day, hour in chosen.items():
        place = _place(found, day, hour, chair)
        chair = place.chair
        others = islice(_other_starts(found, choice.days, chosen, day), _ALTERNATIVES)
        rows.append(
            PlannedSession(
                number=numbers[day],
                place=place,
                alternatives=tuple(
                    [
                        _place_with(found, visits.get(other) or found.visit(other), other, cell, place)
                        for other, cell in others
                    ]
                ),
                meets_wishes=bool(task.wished.get(day, 0) >> hour.cell & 1),
            )
        )
    return tuple(rows)


def _place(found: Scan, day: int, hour: Hour, chair: int | None) -> Place:
    mask = found.masks[day]
    return Place(mask.instant(hour.cell), mask.chair_at(found.needs, hour.cell, chair), hour.prescriber)


def _place_with(found: Scan, visit: Visit, day: int, cell: int, place: Place) -> Place:
    """Another start for a row, with its prescriber and on its chair if they are free then."""
    same = visit.prescribers.get(place.prescriber, 0) >> cell & 1
    return _place(found, day, Hour(cell, place.prescriber if same else least_loaded(visit, cell)), place.chair)


def _other_starts(found: Scan, days: Sequence[int], chosen: Mapping[int, Hour], day: int) -> Iterator[tuple[int, int]]:
    """Other starts for the row of this day, as day and cell, that keep every rule beside the other rows and bring no
    warning into a plan without: the nearest first, those of the same day, then one for every other day."""
    task = found.task
    cell = chosen[day].cell
    for other in _nearest(_kept_apart(found, chosen, day, day) & ~(1 << cell), cell):
        yield day, other
    rest = [other for other in days if other != day]
    before = warnings(task, days)
    wall = found.masks[day].clock.wall(cell)
    for other_day in sorted(task.starts, key=lambda number: (abs(number - day), number < day)):
        if other_day in days:
            continue
        after = warnings(task, sorted([*rest, other_day]))
        if after is None or before is None or not after.within(before):
            continue
        for other in islice(_nearest(_kept_apart(found, chosen, day, other_day), wall), 1):
            yield other_day, other


def _kept_apart(found: Scan, chosen: Mapping[int, Hour], day: int, other_day: int) -> int:
    """The possible starts of another day for the row of `day`, as far from the other rows as the hours ask for."""
    task = found.task
    possible = task.starts[other_day]
    if task.free_gap > task.rules.gap:
        apart = task.rules.cells
        for row, hour in chosen.items():
            if row != day:
                start = task.midnights[row] + hour.cell - task.midnights[other_day]
                since, until = max(0, start + apart), start - apart
                possible &= -1 << since | ((1 << until + 1) - 1 if until >= 0 else 0)
    return possible


def _nearest(mask: int, cell: int) -> Iterator[int]:
    """The cells of the mask, the nearest to this one first, of two the later."""
    later, earlier = mask >> cell, mask & ((1 << cell) - 1)
    while later or earlier:
        up = (later & -later).bit_length() - 1
        down = cell - earlier.bit_length() + 1
        if later and (not earlier or up <= down):
            yield cell + up
            later &= later - 1
        else:
            yield cell - down
            earlier ^= 1 << cell - down
