"""Propose times for a course: up to three plans over what the site has free, or what is in the way. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from clinic import permissions
from clinic.findings import Finding, Level, gettext_noop
from clinic.models import Site, Staff
from clinic.permissions import Verb
from patients.models import Patient
from scheduling import judging, openings
from scheduling.models import RUNNING, Course, ProtocolVersion, Session
from scheduling.protocols import planning, progress
from scheduling.protocols.types import NoPlan, Phase, Place, Plan, PlannedSession, Protocol, Spot, Wishes

#: Days ahead that are looked at first, and when there is no plan in them, for the first date at which there is one (P).
NEAR = 84
FAR = 250

_NO_WISHES = Wishes()
_DECIDE = gettext_noop("The planned sessions stand; maintenance waits for a clinician's decision.")
_RUNNING = gettext_noop("The patient has another running course.")
_FULL = gettext_noop("All %(count)s sessions stand already.")


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
    moving: Session | None = None,
    now: datetime,
) -> Proposal:
    """Plans of `count` sessions from `earliest` on, `fixed` ones among them; for a running course what it lacks.

    Without a course a new one is planned; without a phase the one that comes next; without a count as many as the
    protocol plans, in maintenance those of three months. `moving` is a session that is to have another time.
    Raises RoleRefused.
    """
    permissions.require(actor, Verb.BOOK)
    rules = protocol.protocol
    today = now.astimezone(site.zone).date()
    first = max(earliest or today, today)
    standing = [session for session in judging.standing_of(patient.pk) if moving is None or session.pk != moving.pk]
    mine = [session for session in standing if course is not None and session.course_id == course.pk]
    wanted = _phase_wanted(rules, course, phase, moving, mine)
    refused = _refusal(rules, patient, course, wanted)
    if wanted is None or refused is not None:
        return Proposal(none=refused)
    in_phase = [session for session in mine if session.phase == wanted]
    targets = _targets(rules, course, wanted, mine, first)
    if moving is not None and wanted is not Phase.INITIAL:
        targets = [max(moving.local_date, first)]
    if count is None:
        count = len(targets) if targets else progress.remaining_initial(rules, len(in_phase))
    missing = count - len(fixed)
    spots = [
        *judging.spots_of(standing, course, by_id=False),
        *(Spot(row, place.starts_at, wanted) for row, place in enumerate(fixed)),
    ]
    if missing < 1:
        if fixed:
            return Proposal(offers=(_offer(rules, site, course, wanted, mine, standing, (), fixed, "soonest"),))
        return Proposal(none=NoPlan("initial-max", _FULL, values={"count": len(in_phase)}))
    found: tuple[Plan, ...] | NoPlan = ()
    for ahead in (NEAR, FAR):
        found = planning.propose(
            protocol=rules,
            phase=wanted,
            count=missing,
            days=openings.day_masks(site, first, first + timedelta(days=ahead)),
            zone=site.zone,
            earliest=first,
            now=now,
            wishes=wishes,
            standing=spots,
            targets=_nearest(targets, fixed, site, missing),
            step=site.start_step,
            usual=_usual(mine),
        )
        if not isinstance(found, NoPlan) or found.first_possible is not None:
            break
    if isinstance(found, NoPlan):
        return Proposal(none=found)
    return Proposal(
        tuple(_offer(rules, site, course, wanted, mine, standing, plan.sessions, fixed, plan.label) for plan in found)
    )


def _phase_wanted(
    rules: Protocol, course: Course | None, phase: Phase | None, moving: Session | None, mine: Sequence[Session]
) -> Phase | None:
    if moving is not None:
        return Phase(moving.phase)
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


def _refusal(rules: Protocol, patient: Patient, course: Course | None, wanted: Phase | None) -> NoPlan | None:
    """What is in the way of any plan, whatever the calendar says."""
    if course is None:
        running = Course.objects.filter(patient=patient, state__in=RUNNING).exists()
        return NoPlan("one-course", _RUNNING) if running else None
    if wanted is None:
        return NoPlan("phase-decided", _DECIDE)
    blocks = [finding for finding in judging.course_findings(rules, course, wanted) if finding.level == Level.BLOCK]
    return NoPlan(blocks[0].rule, blocks[0].text, values=blocks[0].values) if blocks else None


def _targets(rules: Protocol, course: Course | None, wanted: Phase, mine: Sequence[Session], first: date) -> list[date]:
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


def _nearest(targets: Sequence[date], fixed: Sequence[Place], site: Site, missing: int) -> list[date]:
    """As many aimed dates as sessions are missing: those that no fixed row is near to, continued at their interval."""
    left = list(targets)
    for place in fixed:
        if left:
            day = place.starts_at.astimezone(site.zone).date()
            left.remove(min(left, key=lambda aimed: abs(aimed - day)))
    if not left:
        return []
    step = left[-1] - left[-2] if len(left) > 1 else timedelta(days=7)
    while len(left) < missing:
        left.append(left[-1] + step)
    return left[:missing]


def _usual(mine: Sequence[Session]) -> int | None:
    """The prescriber whom the patient knows from the latest session."""
    return mine[-1].prescriber_id if mine else None


def _offer(
    rules: Protocol,
    site: Site,
    course: Course | None,
    phase: Phase,
    mine: Sequence[Session],
    standing: Sequence[Session],
    planned: Sequence[PlannedSession],
    fixed: Sequence[Place],
    label: str,
) -> Offer:
    """The rows of a plan and the fixed ones in order of time, numbered with the sessions of the phase that stand."""
    rows = sorted(
        [*planned, *(PlannedSession(0, place) for place in fixed)], key=lambda planned: planned.place.starts_at
    )
    starts = sorted(
        [session.starts_at for session in mine if session.phase == phase] + [row.place.starts_at for row in rows]
    )
    numbered = tuple(replace(row, number=starts.index(row.place.starts_at) + 1) for row in rows)
    found = judging.new_findings(
        protocol=rules,
        zone=site.zone,
        standing=judging.spots_of(standing, course, by_id=False),
        spots=[Spot(index, row.place.starts_at, phase) for index, row in enumerate(numbered)],
    )
    return Offer(label, numbered, judging.only_indexes(judging.ordered(found)))
