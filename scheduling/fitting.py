"""Where a session that stands could go instead, and which later ones have to go with it. Reads only; `moving.py` moves.

What the calendar says to a place comes from the masks of `openings.py`, what the schedule says from `judging.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import combinations, groupby, islice

from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.findings import Finding, Level, worst
from clinic.models import Staff
from clinic.permissions import Verb
from scheduling import judging, openings
from scheduling.judging import LONGEST_AHEAD
from scheduling.models import OPEN, Session
from scheduling.protocols import planning
from scheduling.protocols.masks import DayMask, Needs
from scheduling.protocols.plan_scan import offered_starts
from scheduling.protocols.types import GRID_MINUTES, NoPlan, Phase, Place, Protocol, Spot, Wanted

#: Days that one look at the calendar spans at most (P).
MOST_DAYS = 42

#: Sets of later sessions that are tried before all of them are (P): every set of up to eight sessions is among them.
MOST_SETS = 255

#: Days behind a session without an end to keep to within which another date is looked for (P).
SLACK = 28


@dataclass(frozen=True, slots=True)
class Cascade:
    """Which later sessions have to move with one, and where to. `findings`, by the ids of sessions, are of the course
    as it would stand then; `none` says why no such moves help, which leaves `moves` empty and what one move alone
    breaks as the findings."""

    moves: tuple[tuple[Session, Place], ...]
    findings: tuple[Finding, ...]
    none: NoPlan | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A session can start in this chair at every step from `first` to `last`, both included, with this prescriber:
    its own where that is possible. `level` is the worst that the rules would say, None when they say nothing."""

    date: date
    chair: int
    prescriber: int
    first: datetime
    last: datetime
    level: Level | None

    def starts(self, step: timedelta) -> Iterator[datetime]:
        """Every one of them; `step` is the site's."""
        start = self.first
        while start <= self.last:
            yield start
            start += step


def possible_starts(
    *, actor: Staff, session: Session, first: date, last: date, prescriber: int | None = None, now: datetime
) -> tuple[Window, ...]:
    """Where a session could go from `first` to `last`, by date, chair and time, as far as no rule blocks it; with
    `prescriber` only with that one. Its own time counts as free. Ten queries, whatever the span.

    Raises RoleRefused, Invalid for a span that ends before it begins or has more than MOST_DAYS days, Stale when the
    visit has begun or was freed.
    """
    permissions.require(actor, Verb.BOOK, at=session.course.site)
    return windows(session, first=first, last=last, prescriber=prescriber, now=now)


def windows(
    session: Session, *, first: date, last: date, prescriber: int | None = None, now: datetime
) -> tuple[Window, ...]:
    """The same for whoever may ask already: the patient behind the link of a mail. Raises Invalid and Stale."""
    if not first <= last <= first + timedelta(days=MOST_DAYS - 1):
        raise Invalid.at("last", _("At most %(most)s days at once.") % {"most": MOST_DAYS})
    if session.state not in OPEN:
        raise Stale(_("This visit has begun, ended or been cancelled; it cannot be moved."))
    course = session.course
    site, rules = course.site, course.protocol.protocol
    ended = judging.course_findings(rules, course, Phase(session.phase))
    if any(finding.rule == "stopped" for finding in ended):
        return ()
    needs = Needs.of(rules.visit)
    verdicts = _Verdicts.of(session, rules)
    found: list[Window] = []
    for mask in openings.day_masks(site, first, last, leaving=[session]):
        starts = mask.starts(needs)
        able = starts.any if prescriber is None else starts.prescribers.get(prescriber, 0)
        offered = []
        for cell in _bits(offered_starts(mask.clock, site.start_step)):
            at = mask.instant(cell)
            possible = able >> cell & 1 and now + openings.LEAD <= at <= now + LONGEST_AHEAD
            level, blocked = verdicts.at(mask.date, at) if possible else (None, True)
            with_whom = _prescriber(mask, starts.prescribers, cell, prescriber or session.prescriber_id)
            offered.append((cell, at, None if blocked else (with_whom, level)))
        for chair, lane in starts.lanes.items():
            free = starts.chairs[2] >> lane
            runs = groupby(offered, key=lambda one, free=free: one[2] if free >> one[0] & 1 else None)  # type: ignore[misc]  # a default binds each chair
            for kind, run in runs:
                if kind is not None:
                    held = list(run)
                    found.append(Window(mask.date, chair, kind[0], held[0][1], held[-1][1], kind[1]))
    return tuple(found)


def few(starts: Sequence[datetime], aim: datetime, most: int) -> tuple[datetime, ...]:
    """At most so many of a day's starts, over the whole day: that nearest to an hour, first, last, middle."""
    if len(starts) <= most:
        return tuple(starts)
    nearest = min(starts, key=lambda start: abs(start - aim))
    chosen = dict.fromkeys([nearest, starts[0], starts[-1], starts[len(starts) // 2], *starts[1:]])
    return tuple(sorted(list(chosen)[:most]))


def _prescriber(mask: DayMask, able: Mapping[int, int], cell: int, own: int) -> int:
    """The session's own prescriber where possible, else the one with the fewest patients of the date; 0 for nobody."""
    if able.get(own, 0) >> cell & 1:
        return own
    others = [other for other, cells in able.items() if cells >> cell & 1]
    return min(others, key=lambda other: mask.load.get(other, 0), default=0)


@dataclass(slots=True)
class _Verdicts:
    """What the schedule rules say to a session at other times: once for every stretch in which they say the same.

    On one date only distances in hours tell starts apart; `turns` are the instants at which a distance reaches the
    hours of `gap-min`, or what it is now.
    """

    session: Session
    rules: Protocol
    standing: Sequence[Spot]
    turns: Sequence[datetime]
    known: dict[tuple[date, int], tuple[Level | None, bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, rules: Protocol) -> _Verdicts:
        standing = judging.spots_of(judging.standing_of(session.patient_id), session.course, by_id=True)
        gap = rules.limit("gap-min")
        hours = timedelta(hours=gap.hours or 0) if gap else timedelta()
        turns = set()
        for spot in standing:
            if spot.ref != session.pk:
                for apart in (hours, abs(spot.starts_at - session.starts_at)):
                    # At the exact distance a start still keeps it: before the other session, and after it.
                    turns |= {spot.starts_at - apart + timedelta.resolution, spot.starts_at + apart}
        return cls(session, rules, standing, sorted(turns))

    def at(self, day: date, instant: datetime) -> tuple[Level | None, bool]:
        """The worst level, and whether it is a block."""
        stretch = (day, bisect_right(self.turns, instant))
        if stretch not in self.known:
            found = judging.new_findings(
                protocol=self.rules,
                zone=self.session.course.site.zone,
                standing=self.standing,
                spots=[Spot(self.session.pk, instant, Phase(self.session.phase))],
                leaving={self.session.pk},
            )
            level = worst(found)
            self.known[stretch] = (level, level is Level.BLOCK)
        return self.known[stretch]


def cascade(*, actor: Staff, session: Session, place: Place | Wanted, now: datetime) -> Cascade | None:
    """Which later sessions of the course have to move, and where to, so that `session` in `place` breaks no rule that
    blocks or needs an override: as few as possible, then with as few warnings and as near to their old dates as
    possible. None when it breaks none as it is.

    Earlier sessions stay, and those that lie behind `place` stay behind it. The days are the planner's optimum; the
    hours are the nearest to the old ones. Raises RoleRefused, and Invalid for a place that cannot be meant.
    """
    permissions.require(actor, Verb.BOOK)
    course = session.course
    wanted = Wanted(place.starts_at, place.chair, place.prescriber)
    (target,) = judging.in_utc([wanted.over(judging.place_of(session))])
    judging.check_places(actor=actor, places=[target], site=course.site, now=now)
    alone = judging.weigh_moves(course, [(session, target)])
    if not alone.taken and not _grave(alone.findings):
        return None
    open_ones = Session.objects.filter(course=course, state__in=OPEN).exclude(pk=session.pk).in_order()
    later = list(open_ones.filter(during__startswith__gt=max(now, session.starts_at)))
    for other in later:
        other.course = course
    search = _Search(session, target, later, now)
    if reason := search.hopeless():
        return Cascade((), alone.findings, reason)
    moves = search.fewest()
    if isinstance(moves, NoPlan):
        return Cascade((), alone.findings, moves)
    verdict = judging.weigh_moves(course, [(session, target), *moves])
    return Cascade(tuple(moves), verdict.findings)


def _grave(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is not Level.WARN]


class _Search:
    """The search for the fewest sessions that have to move with one."""

    def __init__(self, session: Session, target: Place, later: Sequence[Session], now: datetime) -> None:
        self.session, self.target, self.later, self.now = session, target, later, now
        self.course = session.course
        self.site, self.rules = self.course.site, self.course.protocol.protocol
        self.spot = Spot(session.pk, target.starts_at, Phase(session.phase))
        self.standing = judging.spots_of(judging.standing_of(session.patient_id), self.course, by_id=True)
        self.needs = Needs.of(self.rules.visit)
        self.masks: dict[date, DayMask] = {}

    def hopeless(self) -> NoPlan | None:
        """What is in the way even without all later sessions: another booking, the site's hours, earlier sessions."""
        verdict = judging.weigh(
            site=self.site,
            protocol=self.rules,
            places=[self.target],
            spots=[self.spot],
            standing=self.standing,
            leaving={self.session.pk, *(other.pk for other in self.later)},
        )
        if verdict.taken:
            return NoPlan("taken", judging.TAKEN)
        grave = _grave(verdict.findings)
        return NoPlan(grave[0].rule, grave[0].text, values=grave[0].values) if grave else None

    def fewest(self) -> list[tuple[Session, Place]] | NoPlan:
        """The smallest set of moves that helps, of equal ones that which moves least; else what is in the way."""
        self._read_days()
        best: list[tuple[Session, Place]] | None = None
        none: NoPlan | None = None
        for moving in self._sets():
            if best is not None and len(moving) > len(best):
                break
            if _grave(self._new([self.spot], moving)):
                continue
            found = self._plan(moving)
            if isinstance(found, NoPlan):
                none = found
            elif best is None or _distance(found) < _distance(best):
                best = found
        if best is not None:
            return best
        assert none is not None  # noqa: S101 all later sessions are the last set, and without them nothing is grave
        return none

    def _sets(self) -> Iterator[tuple[Session, ...]]:
        sets = (chosen for size in range(1, len(self.later)) for chosen in combinations(self.later, size))
        yield from islice(sets, MOST_SETS)
        yield tuple(self.later)

    def _new(self, spots: Sequence[Spot], moving: Collection[Session]) -> list[Finding]:
        return judging.new_findings(
            protocol=self.rules,
            zone=self.site.zone,
            standing=self.standing,
            spots=spots,
            leaving={self.session.pk, *(other.pk for other in moving)},
        )

    def _read_days(self) -> None:
        """The free time from the first to the last date that can matter; all that may move has left it."""
        dates = [self._date(self.target), *(other.local_date for other in self.later)]
        span = self.rules.limit("span-max")
        last = max(dates) + timedelta(days=max(SLACK, span.value if span else 0))
        first = max(min(dates), self.now.astimezone(self.site.zone).date())
        found = openings.day_masks(self.site, first, last, leaving=[self.session, *self.later])
        self.masks = {mask.date: mask for mask in found}

    def _date(self, place: Place) -> date:
        return place.starts_at.astimezone(self.site.zone).date()

    def _plan(self, moving: Sequence[Session]) -> list[tuple[Session, Place]] | NoPlan:
        """Where these go, phase by phase, the others staying."""
        gone = {self.session.pk, *(other.pk for other in moving)}
        spots = [*(spot for spot in self.standing if spot.ref not in gone), self.spot]
        moves: list[tuple[Session, Place]] = []
        for phase in Phase:
            group = [other for other in moving if other.phase == phase]
            if group:
                found = self._plan_phase(phase, group, spots)
                if isinstance(found, NoPlan):
                    return found
                moves += found
                spots += _spots(found)
        nearer = [(other, self._nearest(other, place)) for other, place in moves]
        # The hours of gap-min keep sessions apart that the days alone do not.
        return moves if _grave(self._new([self.spot, *_spots(nearer)], moving)) else nearer

    def _plan_phase(
        self, phase: Phase, group: Sequence[Session], spots: Sequence[Spot]
    ) -> list[tuple[Session, Place]] | NoPlan:
        behind = all(other.starts_at > self.target.starts_at for other in group)
        earliest = self._date(self.target) if behind else min(other.local_date for other in group)
        rules = self.rules
        if phase is Phase.INITIAL:
            # The pattern that is aimed at is the one that was booked.
            kept = [
                spot.starts_at.astimezone(self.site.zone).date()
                for spot in spots
                if spot.counts and spot.phase is phase
            ]
            days = sorted([*kept, *(other.local_date for other in group)])
            rules = replace(rules, preferred_days=tuple((day - days[0]).days for day in days))
        found = planning.propose(
            protocol=rules,
            phase=phase,
            count=len(group),
            days=list(self.masks.values()),
            zone=self.site.zone,
            earliest=earliest,
            now=self.now,
            standing=spots,
            targets=[] if phase is Phase.INITIAL else [max(other.local_date, earliest) for other in group],
            step=self.site.start_step,
            usual=group[0].prescriber_id,
            labels=("wishes",),
        )
        if isinstance(found, NoPlan):
            return found
        return [(other, row.place) for other, row in zip(group, found[0].sessions, strict=True)]

    def _nearest(self, other: Session, planned: Place) -> Place:
        """The place on the planned date that is nearest to what the session has: hour, then prescriber, then chair."""
        mask = self.masks[self._date(planned)]
        starts = mask.starts(self.needs)
        local = other.starts_at.astimezone(self.site.zone)
        wall = (local.hour * 60 + local.minute) // GRID_MINUTES
        possible = _bits(starts.any & offered_starts(mask.clock, self.site.start_step))
        cells = [cell for cell in possible if mask.instant(cell) > self.now]
        cell = min(cells, key=lambda cell: abs(mask.clock.wall(cell) - wall))
        prescriber = _prescriber(mask, starts.prescribers, cell, other.prescriber_id)
        chair = other.chair_id
        if chair not in starts.lanes or not starts.chairs[2] >> starts.lanes[chair] + cell & 1:
            chair = mask.chair_at(self.needs, cell)
        return Place(mask.instant(cell), chair, prescriber)


def _spots(moves: Sequence[tuple[Session, Place]]) -> list[Spot]:
    return [Spot(session.pk, place.starts_at, Phase(session.phase)) for session, place in moves]


def _distance(moves: Sequence[tuple[Session, Place]]) -> timedelta:
    return sum((abs(place.starts_at - other.starts_at) for other, place in moves), timedelta())


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1
