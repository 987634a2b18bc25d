"""Further dates for a course: what it lacks, and which of it finds a place. Reads and plans, writes nothing.

A proposal (`proposing.py`) is a choice that somebody makes, all or nothing. Here nobody looks on: as many dates as
keep every rule are found, and what finds no place is said.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from clinic.models import Site, Staff
from patients import worklist
from patients.models import Task, TaskKind
from scheduling import judging, openings
from scheduling.judging import Standing
from scheduling.models import Course, Session
from scheduling.protocols import planning, progress
from scheduling.protocols.masks import DayMask
from scheduling.protocols.types import NoPlan, Phase, Place, PlannedSession, Protocol, Spot

#: Nobody is given a date sooner than so many days ahead without being asked: the mail has to be read, a driver found,
#: and the first reminder goes out two days before (P).
NOTICE = timedelta(days=2)

#: How far from its aimed date a session may stand, in days; between close ones half their distance (P).
ASIDE = 7

#: Names the desk's line about dates that were wanted and found no place; one without dates at all has another.
KEY = "wanted"

#: Days in which an initial phase is looked for beside its span, as proposals do (P).
NEAR = 84


@dataclass(frozen=True, slots=True)
class Need:
    """Sessions of one phase that a course lacks: so many, at aimed dates where the phase has such.

    Fewer than `least` of them are no beginning: then none is placed.
    """

    phase: Phase
    count: int
    targets: tuple[date, ...] = ()
    least: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """The places that were found, in order of time, with their phases; and how much of each need found none."""

    places: tuple[Place, ...] = ()
    phases: tuple[Phase, ...] = ()
    missing: tuple[Need, ...] = ()

    @property
    def lacks(self) -> int:
        """How many sessions found no place."""
        return sum(need.count for need in self.missing)


def first_date(site: Site, now: datetime) -> date:
    """The first date that is given without asking."""
    return now.astimezone(site.zone).date() + NOTICE


def lacking(
    rules: Protocol,
    mine: Sequence[Standing | Session],
    *,
    decided: bool,
    interval: int | None,
    first: date,
    settled: date | None = None,
) -> tuple[Need, ...]:
    """What a course with these live sessions lacks from `first` on.

    `decided`: it is in maintenance, which is planned for three months at the `interval`, after what is left of a taper;
    else what the plan of its initial phase owes, and after that its taper. `settled`: of the dates up to this one
    nothing is lacking.
    """
    dates = [session.local_date for session in mine]
    of = {phase: [session.local_date for session in mine if session.phase == phase] for phase in Phase}
    begun, last = min(dates, default=first), max([*dates, *([settled] if settled else [])], default=first)
    if decided:
        begins = progress.maintenance_from(rules, first=begun)
        taper = progress.taper_dates(rules, first=begun, last=last, counted=len(of[Phase.TAPER]))
        before = tuple(day for day in taper if first <= day < begins)
        aimed = progress.maintenance_dates(
            rules,
            last=max([last, *before]),
            earliest=max(first, begins),
            interval=interval,
            standing=of[Phase.MAINTENANCE],
        )
        wanted = (Need(Phase.TAPER, len(before), before), Need(Phase.MAINTENANCE, len(aimed), aimed))
        return tuple(need for need in wanted if need.count)
    if owed := progress.remaining_initial(rules, len(of[Phase.INITIAL])):
        return (Need(Phase.INITIAL, owed),)
    aimed = progress.taper_dates(rules, first=begun, last=last, counted=len(of[Phase.TAPER]))
    aimed = tuple(max(day, first + timedelta(days=rules.taper_interval * step)) for step, day in enumerate(aimed))
    return (Need(Phase.TAPER, len(aimed), aimed),) if aimed else ()


def find(
    *,
    site: Site,
    patient: int,
    course: Course | None,
    rules: Protocol,
    needs: Sequence[Need],
    leaving: Collection[Session] = (),
    interval: int | None = None,
    now: datetime,
) -> Found:
    """Places for as much of the needs as keeps every rule, from two days ahead on.

    `course` is whose sessions count, None for one that begins; `leaving` are sessions that give up their times. Four
    queries, four more where days have changed. Locks nothing: the verb judges what is found again under lock.
    """
    if not needs:
        return Found()
    gone = {session.pk for session in leaving}
    standing = [session for session in judging.standing_of(patient) if session.pk not in gone]
    first = first_date(site, now)
    last = max([first + timedelta(days=NEAR), *(day + timedelta(days=ASIDE) for need in needs for day in need.targets)])
    search = _Search(
        rules=rules,
        site=site,
        days=openings.day_masks(site, first, last, leaving=leaving),
        spots=judging.spots_of(standing, course, by_id=False),
        usual=standing[-1].prescriber_id if standing else None,
        first=first,
        now=now + openings.LEAD,
    )
    missing = []
    for need in needs:
        left = search.series(need) if need.phase is Phase.INITIAL else search.one_by_one(need, interval)
        if left.count:
            missing.append(left)
    rows = sorted(search.rows, key=lambda row: row[0].starts_at)
    return Found(tuple(place for place, _ in rows), tuple(phase for _, phase in rows), tuple(missing))


class _Search:
    """What has been found so far; every place found stands beside the next."""

    def __init__(
        self,
        *,
        rules: Protocol,
        site: Site,
        days: Sequence[DayMask],
        spots: Sequence[Spot],
        usual: int | None,
        first: date,
        now: datetime,
    ) -> None:
        self.rules, self.site, self.days, self.usual, self.first, self.now = rules, site, days, usual, first, now
        self.spots = list(spots)
        self.rows: list[tuple[Place, Phase]] = []

    def series(self, need: Need) -> Need:
        """An initial phase, by its pattern: as many of its sessions as fit. Returns what is left of the need."""
        for count in range(need.count, max(need.least, 1) - 1, -1):
            if planned := self._plan(need.phase, count, self.days, self.first):
                self._keep(planned, need.phase)
                return replace(need, count=need.count - count)
        return need

    def one_by_one(self, need: Need, interval: int | None) -> Need:
        """Sessions with aimed dates, each near its own. Returns those that found no place."""
        apart = self.rules.taper_interval if need.phase is Phase.TAPER else interval
        aside = timedelta(days=max(1, min(ASIDE, (apart or progress.default_interval(self.rules)) // 2)))
        left = []
        for target in need.targets:
            near = [mask for mask in self.days if abs(mask.date - target) <= aside]
            begin = max(self.first, target - aside)
            if planned := self._plan(need.phase, 1, near, begin, [target]):
                self._keep(planned, need.phase)
            else:
                left.append(target)
        return replace(need, count=len(left), targets=tuple(left))

    def _plan(
        self, phase: Phase, count: int, days: Sequence[DayMask], begin: date, targets: Sequence[date] = ()
    ) -> tuple[PlannedSession, ...]:
        """The plan nearest to the pattern or the aimed dates; nothing where there is none."""
        found = planning.propose(
            protocol=self.rules,
            phase=phase,
            count=count,
            days=days,
            zone=self.site.zone,
            earliest=begin,
            now=self.now,
            standing=self.spots,
            targets=targets,
            step=self.site.start_step,
            usual=self.usual,
            labels=("wishes",),
        )
        return () if isinstance(found, NoPlan) or not found else found[0].sessions

    def _keep(self, planned: Sequence[PlannedSession], phase: Phase) -> None:
        for row in planned:
            self.rows.append((row.place, phase))
            self.spots.append(Spot(len(self.rows), row.place.starts_at, phase))


def ask_for_dates(course: Course, missing: Sequence[Need], *, now: datetime) -> None:
    """Put the course on the desk's list with what found no place; a line that is there says the more of both."""
    if not missing:
        return
    need = missing[0]
    count = sum(one.count for one in missing)
    line = _line(course)
    details = {
        "phase": need.phase,
        "count": count,
        "dates": [day.isoformat() for one in missing for day in one.targets],
    }
    if line is None:
        worklist.open_task(
            kind=TaskKind.NO_DATES, patient=course.patient, course=course, key=KEY, details=details, now=now
        )
    elif line.details.get("count", 0) < count:
        line.details = details
        line.save(update_fields=["details"])


def is_asked_for(course: Course, missing: Sequence[Need]) -> bool:
    """Whether the desk's list says already that so many dates found no place. One query."""
    line = _line(course)
    return line is not None and line.details.get("count", 0) >= sum(one.count for one in missing)


def _line(course: Course) -> Task | None:
    return Task.objects.filter(kind=TaskKind.NO_DATES, patient=course.patient_id, key=KEY, done_at=None).first()


def dates_were_given(course: Course, count: int, *, by: Staff | None, now: datetime) -> None:
    """So many further sessions of a course stand: the line that asks for them goes, or asks for fewer."""
    line = Task.objects.filter(kind=TaskKind.NO_DATES, course=course, key=KEY, done_at=None).first()
    if line is None or not count:
        return
    left = line.details.get("count", 0) - count
    if left > 0:
        line.details["count"], line.details["dates"] = left, line.details.get("dates", [])[count:]
        line.save(update_fields=["details"])
    else:
        line.done_at, line.done_by = now, by
        line.save(update_fields=["done_at", "done_by"])
