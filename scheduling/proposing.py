"""Propose times for a course: up to three plans over what the site has free, or what is in the way. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from clinic import permissions
from clinic.findings import Finding, Level, by_severity, gettext_noop
from clinic.models import Site, Staff
from clinic.permissions import Verb
from patients.models import Patient
from scheduling import gating, judging, openings
from scheduling.judging import Standing
from scheduling.models import RUNNING, Course, ProtocolVersion, Session
from scheduling.protocols import planning, progress
from scheduling.protocols.types import NoPlan, Phase, Place, Plan, PlannedSession, Protocol, Spot, Wishes

#: Days ahead that are looked at first, and when there is no plan in them, for the first date at which there is one (P).
NEAR = 84
FAR = 250

#: Days behind the last aimed date that are looked at: as far as two maintenance sessions are meant to be apart.
SLACK = 28

#: How late the first possible date of a taper or maintenance session is looked for (P).
LATER = 120

_NO_WISHES = Wishes()
_MOST = {Phase.INITIAL: "initial-max", Phase.TAPER: "initial-max", Phase.MAINTENANCE: "month-max"}
_DECIDE = gettext_noop("The planned sessions stand; maintenance waits for a clinician's decision.")
_NEW = gettext_noop("A course begins with its initial phase.")
_OVER = gettext_noop("The course has no such phase to come.")
_FULL = gettext_noop("All %(count)s sessions of the phase stand already.")


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan with what the rules say to it; `sessions` of a finding are indexes of its rows."""

    label: str
    sessions: tuple[PlannedSession, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Up to three offers, or why there is none."""

    offers: tuple[Offer, ...] = ()
    none: NoPlan | None = None


def propose(
    *,
    actor: Staff,
    site: Site,
    patient: Patient,
    protocol: ProtocolVersion,
    course: Course | None = None,
    phase: Phase | None = None,
    count: int | None = None,
    earliest: date | None = None,
    wishes: Wishes = _NO_WISHES,
    fixed: Sequence[Place] = (),
    moving: Sequence[Session] = (),
    now: datetime,
) -> Proposal:
    """Plans of `count` sessions from `earliest` on, `fixed` ones among them; for a running course what it lacks.

    Without a course a new one is planned; without a phase the one that comes next; without a count as many as the
    protocol plans, in maintenance those of three months. `moving` are sessions of one phase that are to have other
    times; those they have now count as free. Raises RoleRefused, and Invalid for fixed places that cannot be meant.
    """
    permissions.require(actor, Verb.BOOK, at=site)
    rules = protocol.protocol
    fixed = judging.in_utc(fixed)
    if fixed:
        judging.check_places(actor=actor, places=fixed, site=site, now=now)
    today = now.astimezone(site.zone).date()
    leaving = {session.pk for session in moving}
    standing = [session for session in judging.standing_of(patient.pk) if session.pk not in leaving]
    mine = [session for session in standing if course is not None and session.course_id == course.pk]
    # What is added to a course that stands does not begin it, unless somebody asks for that.
    begun = min((session.local_date for session in mine), default=today)
    first = max(earliest or begun, today)
    wanted = _phase_wanted(rules, course, phase, moving, mine)
    refused = _refusal(rules, patient, course, wanted, now)
    if wanted is None or refused is not None:
        return Proposal(none=refused)
    in_phase = [session for session in mine if session.phase == wanted]
    targets = _targets(rules, course, wanted, mine, first)
    if moving:
        count = len(moving)
        aimed = sorted(max(session.local_date, first) for session in moving)
        targets = [] if wanted is Phase.INITIAL else aimed
    elif count is None:
        count = progress.remaining_initial(rules, len(in_phase)) if wanted is Phase.INITIAL else len(targets)
    missing = count - len(fixed)
    if count < 1:
        return Proposal(none=NoPlan(_MOST[wanted], _FULL, values={"count": len(in_phase)}))
    if wanted is not Phase.INITIAL:
        interval = _interval(rules, course, wanted)
        after = max((session.local_date + interval for session in mine), default=first)
        targets = _nearest(targets or [max(after, first)], fixed, site, missing, interval)
    gates = () if moving else gating.findings(patient=patient.pk, site=site, protocol=rules, course=course, now=now)
    frame = _Frame(rules, site, course, wanted, tuple(mine), tuple(standing), fixed, frozenset(leaving), gates)
    if missing < 1:
        return Proposal(offers=(frame.offer("soonest", ()),))
    spots = [
        *judging.spots_of(standing, course, by_id=False),
        *(Spot(row, place.starts_at, wanted) for row, place in enumerate(fixed)),
    ]

    def plan(ahead: int, later: int = 0) -> tuple[Plan, ...] | NoPlan:
        begin = first + timedelta(days=later)
        return planning.propose(
            protocol=rules,
            phase=wanted,
            count=missing,
            days=openings.day_masks(site, first, first + timedelta(days=ahead), leaving=moving),
            zone=site.zone,
            earliest=begin,
            now=now + openings.LEAD,
            wishes=wishes,
            standing=spots,
            targets=[max(day, begin) for day in targets],
            step=site.start_step,
            usual=_usual(mine),
        )

    found = plan(max([NEAR, *((day - first).days + SLACK for day in targets)]))
    if isinstance(found, NoPlan) and found.first_possible is None:
        found = plan(FAR)
    if not isinstance(found, NoPlan):
        return Proposal(tuple(frame.offer(plan.label, plan.sessions) for plan in found))
    if found.first_possible is None and wanted is not Phase.INITIAL:
        # These phases have no end to keep to: the first week from which there is a plan.
        later = next((days for days in range(7, LATER, 7) if not isinstance(plan(FAR, days), NoPlan)), None)
        found = replace(found, first_possible=first + timedelta(days=later) if later else None)
    return Proposal(none=found)


def judge(
    *,
    actor: Staff,
    site: Site,
    patient: Patient,
    protocol: ProtocolVersion,
    course: Course | None = None,
    places: Sequence[Place],
    now: datetime,
) -> tuple[Finding, ...]:
    """What the rules say to edited rows, without writing or locking; `sessions` of a finding are indexes of rows.

    A row that another booking has is told by a finding `taken`. Raises Invalid as the verbs do.
    """
    permissions.require(actor, Verb.BOOK)
    places = judging.in_utc(places)
    judging.check_places(actor=actor, places=places, site=site, now=now)
    known: dict[str, Any] = {"site": site, "patient": patient.pk, "protocol": protocol.protocol, "course": course}
    verdict = gating.join(judging.weigh_new(**known, places=places), **known, now=now)
    return (*map(judging.taken_finding, verdict.taken), *verdict.findings)


def _phase_wanted(
    rules: Protocol, course: Course | None, phase: Phase | None, moving: Sequence[Session], mine: Sequence[Standing]
) -> Phase | None:
    if moving:
        return Phase(moving[0].phase)
    if phase is not None:
        return phase
    if course is None:
        return Phase.INITIAL
    return progress.next_phase(
        rules,
        initial=sum(session.phase == Phase.INITIAL for session in mine),
        taper=sum(session.phase == Phase.TAPER for session in mine),
        decided=course.phase == Phase.MAINTENANCE,
    )


def _refusal(
    rules: Protocol, patient: Patient, course: Course | None, wanted: Phase | None, now: datetime
) -> NoPlan | None:
    """What is in the way of any plan, whatever the calendar says."""
    if course is None:
        running = Course.objects.filter(patient=patient, state__in=RUNNING).exclude(held_until__lte=now).exists()
        found = judging.second_course(rules) if running else ()
        if wanted is not Phase.INITIAL:
            return NoPlan("phase-decided", _NEW)
    elif wanted is None:
        return NoPlan("phase-decided", _DECIDE)
    else:
        found = judging.course_findings(rules, course, wanted)
        over = course.phase == Phase.MAINTENANCE and wanted is not Phase.MAINTENANCE
        if over or (wanted is Phase.TAPER and not rules.taper_sessions):
            return NoPlan("phase-decided", _OVER)
    blocks = [finding for finding in found if finding.level == Level.BLOCK]
    return NoPlan(blocks[0].rule, blocks[0].text, values=blocks[0].values) if blocks else None


def _targets(
    rules: Protocol, course: Course | None, wanted: Phase, mine: Sequence[Standing], first: date
) -> list[date]:
    """The aimed dates of taper and maintenance; none for an initial phase, which has its pattern."""
    if wanted is Phase.INITIAL:
        return []
    dates = [session.local_date for session in mine]
    last = max(dates, default=first)
    in_phase = [session.local_date for session in mine if session.phase == wanted]
    if wanted is Phase.TAPER:
        aimed = progress.taper_dates(rules, first=min(dates, default=first), last=last, counted=len(in_phase))
        return [max(day, first) for day in aimed]
    interval = course.interval_days if course is not None else None
    start = max(first, progress.maintenance_from(rules, first=min(dates, default=first)))
    return list(progress.maintenance_dates(rules, last=last, earliest=start, interval=interval, standing=in_phase))


def _interval(rules: Protocol, course: Course | None, wanted: Phase) -> timedelta:
    """How far apart sessions of the phase are aimed to be."""
    if wanted is Phase.TAPER:
        return timedelta(days=rules.taper_interval)
    decided = course.interval_days if course is not None else None
    return timedelta(days=decided or progress.default_interval(rules))


def _nearest(
    targets: Sequence[date], fixed: Sequence[Place], site: Site, missing: int, interval: timedelta
) -> list[date]:
    """As many aimed dates as sessions are missing: those that no fixed row is near to, continued at the interval."""
    left = list(targets)
    end = left[-1]
    for place in fixed:
        if left:
            day = place.starts_at.astimezone(site.zone).date()
            left.remove(min(left, key=lambda aimed: abs(aimed - day)))
    while len(left) < missing:
        end += interval
        left.append(end)
    return left[:missing]


def _usual(mine: Sequence[Standing]) -> int | None:
    """The prescriber whom the patient knows from the latest session."""
    return mine[-1].prescriber_id if mine else None


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all offers of a proposal share: the sessions that stand, the rows that stay, the sessions that leave, and
    what the patient's screening says."""

    rules: Protocol
    site: Site
    course: Course | None
    phase: Phase
    mine: tuple[Standing, ...]
    standing: tuple[Standing, ...]
    fixed: tuple[Place, ...]
    leaving: frozenset[int]
    gates: tuple[Finding, ...]

    def offer(self, label: str, planned: Sequence[PlannedSession]) -> Offer:
        """The rows of a plan and the fixed ones by time, numbered with the sessions of the phase that stand."""
        rows = sorted(
            [*planned, *(PlannedSession(0, place) for place in self.fixed)], key=lambda row: row.place.starts_at
        )
        before = [session.starts_at for session in self.mine if session.phase == self.phase]
        numbered = tuple(
            replace(row, number=index + sum(start <= row.place.starts_at for start in before))
            for index, row in enumerate(rows, start=1)
        )
        places = [row.place for row in numbered]
        found = [
            *self.gates,
            *self._calendar(places),
            *judging.new_findings(
                protocol=self.rules,
                zone=self.site.zone,
                standing=judging.spots_of(self.standing, self.course, by_id=False),
                spots=[Spot(index, place.starts_at, self.phase) for index, place in enumerate(places)],
            ),
        ]
        return Offer(label, numbered, judging.only_indexes(by_severity(found)))

    def _calendar(self, places: Sequence[Place]) -> list[Finding]:
        """What the site says to rows that stay; those that the planner placed are free."""
        if not self.fixed:
            return []
        return judging.calendar_findings(
            site=self.site,
            protocol=self.rules,
            places={index: place for index, place in enumerate(places) if place in self.fixed},
            leaving=self.leaving,
        )
