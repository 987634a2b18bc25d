"""Book a course, add sessions to one, move one: all or nothing, judged under lock.

Each verb is one transaction in the frame of `writes.py`: lock the days and the patient, free expired holds, read again,
judge (`judging.py`), place (`placing.py`), tell. The database's constraints stand behind it; what they refuse is
answered like what was found before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import permissions
from clinic.errors import DomainError, RulesBroken, Stale
from clinic.findings import Finding, Level
from clinic.models import Staff
from clinic.permissions import Verb
from patients.models import Patient
from scheduling import judging, openings, placing, reminders, writes
from scheduling.holding import HOLD, ask_for_overrides, expire_holds
from scheduling.judging import Signature, Verdict
from scheduling.models import OPEN, RUNNING, Course, CourseState, MailKind, ProtocolVersion, Session
from scheduling.proposing import Offer, Proposal, judge, propose
from scheduling.protocols import library
from scheduling.protocols.types import Place, Wanted

__all__ = [
    "Change",
    "Offer",
    "Proposal",
    "Signature",
    "SlotTaken",
    "add_sessions",
    "book_course",
    "judge",
    "move_session",
    "propose",
]

#: Constraints that a lost race can break although nothing was in the way under lock: writers past the application.
TAKEN = frozenset({"session_chair_free", "session_patient_free", "session_one_a_day", "session_prescriber_limit"})
BROKEN = {
    "session_prescriber_on_shift": Finding("doctor", Level.BLOCK, openings.NO_DOCTOR),
    "session_chair_active": Finding("hours", Level.BLOCK, openings.OUT_OF_ORDER),
    "course_one_running": judging.second_course(library.STANDARD)[0],
}


class SlotTaken(DomainError):
    """Another booking has some of the times. `taken` are the indexes of those rows, `plans` what is possible now."""

    code = "slot_taken"
    status = 409

    def __init__(self, message: str, *, taken: Sequence[int], plans: Sequence[Offer]) -> None:
        super().__init__(message, taken=list(taken), plans=list(plans))
        self.taken = tuple(taken)
        self.plans = tuple(plans)


class _RowsTaken(Exception):
    """Ends the transaction: these rows belong to another booking."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__()
        self.rows = tuple(rows)


class _HoldInTheWay(Exception):
    """Ends the transaction: the patient's other course was held, and its hold has run out."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a verb did, or in a dry run would do: the sessions made, moved or freed, and what the rules say to it.

    `repeated`: the request had succeeded before, this is its result once more.
    """

    course: Course
    sessions: tuple[Session, ...] = ()
    findings: tuple[Finding, ...] = ()
    repeated: bool = False


def repeated(earlier: Mapping[str, Any]) -> Change:
    """What a request led to when it was carried out, as it stands now."""
    return Change(
        Course.objects.get(pk=earlier["course"]),
        tuple(Session.objects.filter(pk__in=earlier["sessions"]).order_by("during__startswith")),
        writes.findings_of(earlier),
        repeated=True,
    )


def book_course(
    *,
    actor: Staff,
    patient: Patient,
    protocol: ProtocolVersion,
    places: Sequence[Place],
    override: Signature | None = None,
    hold: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Book a whole course, or keep its times until `now` + HOLD; all sessions or none, one event, one mail.

    Locks the days of all sessions, then the patient. Raises Invalid, RoleRefused, RulesBroken (a block, or a finding
    of level override that nobody signed), SlotTaken with fresh plans, RequestReused. A hold lets findings of level
    override pass and asks a prescriber for them on the worklist.
    """
    permissions.require(actor, Verb.BOOK)
    places = judging.in_utc(places)
    asked = {"actor": actor.pk, "patient": patient.pk, "protocol": protocol.pk, "places": places, "hold": hold}
    once = writes.Once("book", request_id, {**asked, "override": override})
    if earlier := once.done():
        return repeated(earlier)
    site = judging.check_places(actor=actor, places=places, site=None, now=now)
    rules = protocol.protocol

    def weigh() -> Verdict:
        return judging.weigh_new(site=site, patient=patient.pk, protocol=rules, course=None, places=places)

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        placing.lock(site, judging.dates_of(site, rules, places), patient.pk, now)
        other = Course.objects.filter(patient=patient, state__in=RUNNING).first()
        if other is not None and other.held_until is not None and other.held_until <= now:
            raise _HoldInTheWay
        verdict = weigh()
        if other is not None:
            verdict = replace(verdict, findings=(*judging.second_course(rules), *verdict.findings))
        signed = judging.require_passable(verdict, override, hold=hold)
        if verdict.taken:
            raise _RowsTaken(verdict.taken)
        course = Course.objects.create(
            patient=patient,
            site=site,
            protocol=protocol,
            state=CourseState.HELD if hold else CourseState.ACTIVE,
            held_until=now + HOLD if hold else None,
            created_at=now,
        )
        sessions = placing.place(course, rules, places, verdict.phases)
        placing.record(
            course,
            "held" if hold else "booked",
            by=actor,
            now=now,
            sessions=sessions,
            findings=verdict.findings,
            signed=signed,
            signature=override,
        )
        if hold:
            ask_for_overrides(course, by=actor, now=now)
        else:
            reminders.renew(course=course, sessions=sessions, news=MailKind.BOOKED, now=now, fresh=True)
        once.remember(verdict.findings, course=course.pk, sessions=[session.pk for session in sessions])
        return Change(course, tuple(sessions), verdict.findings)

    def plan_again(rows: Sequence[int]) -> Proposal:
        return propose(
            actor=actor,
            site=site,
            patient=patient,
            protocol=protocol,
            count=len(places),
            earliest=min(judging.dates_of(site, rules, places)),
            fixed=[place for row, place in enumerate(places) if row not in rows],
            now=now,
        )

    try:
        return _answer(work, weigh, plan_again)
    except _HoldInTheWay:
        expire_holds(now=now, patient=patient)
        return _answer(work, weigh, plan_again)


def add_sessions(
    *,
    actor: Staff,
    course: Course,
    places: Sequence[Place],
    override: Signature | None = None,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Add sessions to a running course: a make-up, a fifth and sixth, maintenance. All or none, told in one mail.

    Locks the days of the course and of the new sessions, then the patient. Findings name the rows by index. Raises
    Stale when a hold has run out, and as `book_course`.
    """
    permissions.require(actor, Verb.BOOK)
    places = judging.in_utc(places)
    site, rules = course.site, course.protocol.protocol
    asked = {"actor": actor.pk, "course": course.pk, "places": places, "override": override, "dry_run": dry_run}
    once = writes.Once("add", request_id, asked)
    if earlier := once.done():
        return repeated(earlier)
    judging.check_places(actor=actor, places=places, site=site, now=now)

    def weigh(fresh: Course) -> Verdict:
        return judging.weigh_new(site=site, patient=fresh.patient_id, protocol=rules, course=fresh, places=places)

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        fresh, _mine = placing.lock_course(course, now, also=judging.dates_of(site, rules, places))
        if fresh.held_until is not None and fresh.held_until <= now:
            raise Stale(_("This course is not held any more."))
        verdict = weigh(fresh)
        signed = judging.require_passable(verdict, override, hold=fresh.state == CourseState.HELD)
        if verdict.taken:
            raise _RowsTaken(verdict.taken)
        sessions = placing.place(fresh, rules, places, verdict.phases)
        placing.renumber(fresh, sessions)
        placing.record(
            fresh,
            "added",
            by=actor,
            now=now,
            sessions=sessions,
            findings=verdict.findings,
            signed=signed,
            signature=override,
        )
        placing.tell(fresh, sessions, MailKind.CHANGED, now, {"added": [session.pk for session in sessions]})
        ask_for_overrides(fresh, by=actor, now=now)
        once.remember(verdict.findings, course=fresh.pk, sessions=[session.pk for session in sessions])
        return Change(fresh, tuple(sessions), verdict.findings)

    def plan_again(rows: Sequence[int]) -> Proposal:
        return propose(
            actor=actor,
            site=site,
            patient=course.patient,
            protocol=course.protocol,
            course=course,
            count=len(places),
            earliest=min(judging.dates_of(site, rules, places)),
            fixed=[place for row, place in enumerate(places) if row not in rows],
            now=now,
        )

    return _answer(work, lambda: weigh(Course.objects.get(pk=course.pk)), plan_again, dry_run=dry_run)


def move_session(
    *,
    actor: Staff,
    session: Session,
    place: Place | Wanted,
    override: Signature | None = None,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Give a session another time, chair or prescriber; another start has to be confirmed again and is told by mail.

    Locks the days of the course and of the new time, then the patient; what `place` leaves open is read under lock.
    Findings name sessions by id. Raises Stale when the visit has begun or was freed, and as `book_course`.
    """
    permissions.require(actor, Verb.BOOK)
    course = session.course
    site, rules = course.site, course.protocol.protocol
    wanted = Wanted(place.starts_at, place.chair, place.prescriber)
    asked = {"actor": actor.pk, "session": session.pk, "place": wanted, "override": override, "dry_run": dry_run}
    once = writes.Once("move", request_id, asked)
    if earlier := once.done():
        return repeated(earlier)
    new_dates = set()
    if wanted.starts_at is not None:
        judging.check_start(wanted.starts_at, now)
        new_dates = {wanted.starts_at.astimezone(site.zone).date()}

    def target(where: Session) -> Place:
        return judging.in_utc([wanted.over(judging.place_of(where))])[0]

    def weigh() -> Verdict:
        fresh = Session.objects.select_related("course").get(pk=session.pk)
        return judging.weigh_move(session=fresh, site=site, protocol=rules, place=target(fresh))

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        fresh_course, sessions = placing.lock_course(course, now, also=new_dates)
        fresh = next((mine for mine in sessions if mine.pk == session.pk and mine.state in OPEN), None)
        if fresh is None:
            raise Stale(_("This visit has begun, ended or been cancelled; it cannot be moved."))
        old, new = judging.place_of(fresh), target(fresh)
        judging.check_places(actor=actor, places=[new], site=site, now=now)
        if old == new and not fresh.needs_replan:
            once.remember(course=fresh_course.pk, sessions=[fresh.pk])
            return Change(fresh_course, (fresh,))
        verdict = judging.weigh_move(session=fresh, site=site, protocol=rules, place=new)
        signed = judging.require_passable(verdict, override, hold=fresh_course.state == CourseState.HELD)
        if verdict.taken:
            raise _RowsTaken(verdict.taken)
        placing.move(fresh, rules, new)
        placing.need_no_time([fresh], by=actor, now=now)
        placing.renumber(fresh_course, [fresh])
        moved = {"session": fresh.pk, "from": placing.as_json(old), "to": placing.as_json(new)}
        placing.record(
            fresh_course,
            "moved",
            by=actor,
            now=now,
            sessions=[fresh],
            findings=verdict.findings,
            signed=signed,
            signature=override,
            moved=[moved],
        )
        placing.tell(fresh_course, [fresh], MailKind.CHANGED, now, {"moved": [moved]})
        ask_for_overrides(fresh_course, by=actor, now=now)
        once.remember(verdict.findings, course=fresh_course.pk, sessions=[fresh.pk])
        return Change(fresh_course, (fresh,), verdict.findings)

    def plan_again(rows: Sequence[int]) -> Proposal:
        return propose(
            actor=actor,
            site=site,
            patient=course.patient,
            protocol=course.protocol,
            course=course,
            count=1,
            moving=session,
            earliest=min(new_dates, default=session.local_date),
            now=now,
        )

    return _answer(work, weigh, plan_again, dry_run=dry_run)


def _answer(
    work: Callable[[], Change],
    weigh: Callable[[], Verdict],
    plan_again: Callable[[Sequence[int]], Proposal],
    *,
    dry_run: bool = False,
) -> Change:
    """Commit; rows that were found taken, or that the database refused, are answered with what is possible now."""
    try:
        return writes.commit(work, dry_run=dry_run)
    except _RowsTaken as error:
        rows = error.rows
    except IntegrityError as error:
        name = writes.constraint_of(error)
        if name not in TAKEN and name not in BROKEN:
            raise
        if name in BROKEN:
            raise RulesBroken(_(BROKEN[name].text), findings=[BROKEN[name]]) from error
        rows = weigh().taken or (0,)
    message = ngettext(
        "Nothing was booked: %(count)s of the times was taken a moment ago.",
        "Nothing was booked: %(count)s of the times were taken a moment ago.",
        len(rows),
    )
    raise SlotTaken(message % {"count": len(rows)}, taken=rows, plans=plan_again(rows).offers)
