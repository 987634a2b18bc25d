"""Book a course, add sessions to one, move one: all or nothing, judged under lock.

Each verb is one transaction in the frame of `writes.py`: lock the days and the patient, free expired holds, read again,
judge (`judging.py`), place (`placing.py`), tell. The database's constraints stand behind it; what they refuse is
answered like what was found before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import permissions
from clinic.errors import DomainError, RulesBroken, Stale
from clinic.findings import Finding, Level, gettext_noop
from clinic.models import Site, Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import Patient, TaskKind
from scheduling import judging, placing, reminders, writes
from scheduling.judging import Signature, Verdict
from scheduling.models import OPEN, RUNNING, Course, CourseState, MailKind, ProtocolVersion, Session
from scheduling.proposing import Offer, Proposal, propose
from scheduling.protocols.types import Phase, Place

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

#: How long times are kept while something is missing (P).
HOLD = timedelta(hours=24)

#: Constraints that a lost race can break although nothing was in the way under lock: writers past the application.
TAKEN = frozenset({"session_chair_free", "session_patient_free", "session_one_a_day", "session_prescriber_limit"})
BROKEN = {
    "session_prescriber_on_shift": Finding(
        "doctor",
        Level.BLOCK,
        gettext_noop("The prescriber is not on shift from the start of the dose to discharge."),
    ),
    "course_one_running": Finding(
        "one-course", Level.BLOCK, gettext_noop("The patient has another running course."), "2 courses", "1 course"
    ),
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
    verdict = judging.weigh_new(site=site, patient=patient.pk, protocol=protocol.protocol, course=course, places=places)
    taken = [
        Finding("taken", Level.BLOCK, gettext_noop("This time belongs to another booking."), sessions=(row,))
        for row in verdict.taken
    ]
    return (*taken, *verdict.findings)


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
    site = judging.check_places(actor=actor, places=places, site=None, now=now)
    rules = protocol.protocol
    asked = {"actor": actor.pk, "patient": patient.pk, "protocol": protocol.pk, "places": places, "hold": hold}
    once = writes.Once("book", request_id, {**asked, "override": override})

    def weigh() -> Verdict:
        return judging.weigh_new(site=site, patient=patient.pk, protocol=rules, course=None, places=places)

    def work() -> Change:
        if earlier := once.earlier(now):
            return Change(Course.objects.get(pk=earlier["course"]), repeated=True)
        placing.lock(site, judging.dates_of(site, rules, places), patient.pk, now)
        other = Course.objects.filter(patient=patient, state__in=RUNNING).first()
        if other is not None and other.held_until is not None and other.held_until <= now:
            raise _HoldInTheWay
        verdict = weigh()
        if other is not None:
            verdict = Verdict((BROKEN["course_one_running"], *verdict.findings), verdict.taken)
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
        sessions = placing.place(course, rules, places, [Phase.INITIAL] * len(places))
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
        if not hold:
            reminders.renew(course=course, sessions=sessions, news=MailKind.BOOKED, now=now, fresh=True)
        elif open_rules := sorted({finding.rule for finding in verdict.at(Level.OVERRIDE) if finding not in signed}):
            worklist.open_task(
                kind=TaskKind.OVERRIDE_ASKED, patient=patient, course=course, details={"rules": open_rules}, now=now
            )
        once.remember(course=course.pk)
        return Change(course, tuple(sessions), verdict.findings)

    def plan_again(rows: Sequence[int]) -> Proposal:
        return propose(
            actor=actor,
            site=site,
            patient=patient,
            protocol=protocol,
            count=len(places),
            fixed=[place for row, place in enumerate(places) if row not in rows],
            now=now,
        )

    try:
        return _answer(work, weigh, plan_again)
    except _HoldInTheWay:
        from scheduling.cancelling import expire_holds  # it frees through the same hands, so it imports this module

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

    Locks the days of the new sessions, then the patient. Findings name the rows by index. Raises as `book_course`.
    """
    permissions.require(actor, Verb.BOOK)
    places = judging.in_utc(places)
    site, rules = course.site, course.protocol.protocol
    judging.check_places(actor=actor, places=places, site=site, now=now)
    asked = {"actor": actor.pk, "course": course.pk, "places": places, "override": override}
    once = writes.Once("add", request_id, asked)

    def weigh() -> Verdict:
        fresh = Course.objects.get(pk=course.pk)
        return judging.weigh_new(site=site, patient=fresh.patient_id, protocol=rules, course=fresh, places=places)

    def work() -> Change:
        if earlier := once.earlier(now):
            again = Session.objects.filter(pk__in=earlier["sessions"]).order_by("during__startswith")
            return Change(Course.objects.get(pk=earlier["course"]), tuple(again), repeated=True)
        placing.lock(site, judging.dates_of(site, rules, places), course.patient_id, now)
        fresh = Course.objects.select_related("site", "protocol", "patient").get(pk=course.pk)
        verdict = weigh()
        signed = judging.require_passable(verdict, override)
        if verdict.taken:
            raise _RowsTaken(verdict.taken)
        phases = judging.phases_of(fresh, rules, places, judging.standing_of(fresh.patient_id))
        sessions = placing.place(fresh, rules, places, phases)
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
        once.remember(course=fresh.pk, sessions=[session.pk for session in sessions])
        return Change(fresh, tuple(sessions), verdict.findings)

    def plan_again(rows: Sequence[int]) -> Proposal:
        return propose(
            actor=actor,
            site=site,
            patient=course.patient,
            protocol=course.protocol,
            course=course,
            count=len(places),
            fixed=[place for row, place in enumerate(places) if row not in rows],
            now=now,
        )

    return _answer(work, weigh, plan_again, dry_run=dry_run)


def move_session(
    *,
    actor: Staff,
    session: Session,
    place: Place,
    override: Signature | None = None,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Give a session another time, chair or prescriber; a confirmation is asked for again, the change told by mail.

    Locks the days of the old and the new time, then the patient. Findings name sessions by id. Raises Stale when the
    visit has begun or was freed, and as `book_course`.
    """
    permissions.require(actor, Verb.BOOK)
    (place,) = judging.in_utc([place])
    course = session.course
    site, rules = course.site, course.protocol.protocol
    judging.check_places(actor=actor, places=[place], site=site, now=now)
    asked = {"actor": actor.pk, "session": session.pk, "place": place, "override": override}
    once = writes.Once("move", request_id, asked)

    def weigh() -> Verdict:
        return judging.weigh_move(session=session, site=site, protocol=rules, place=place)

    def work() -> Change:
        if earlier := once.earlier(now):
            again = Session.objects.select_related("course").get(pk=earlier["session"])
            return Change(again.course, (again,), repeated=True)
        known = Session.objects.values_list("local_date", flat=True).get(pk=session.pk)
        dates = {known, *judging.dates_of(site, rules, [place])}
        placing.lock(site, dates, course.patient_id, now)
        fresh = Session.objects.select_related("course__site", "course__patient").get(pk=session.pk)
        placing.require_locked([fresh], dates)
        if fresh.state not in OPEN:
            raise Stale(_("This visit has begun, ended or been cancelled; it cannot be moved."))
        old = Place(fresh.starts_at, fresh.chair_id, fresh.prescriber_id)
        if old == place and not fresh.needs_replan:
            once.remember(session=fresh.pk)
            return Change(fresh.course, (fresh,))
        verdict = weigh()
        signed = judging.require_passable(verdict, override)
        if verdict.taken:
            raise _RowsTaken(verdict.taken)
        placing.move(fresh, rules, place)
        placing.renumber(fresh.course, [fresh])
        moved = {"session": fresh.pk, "from": placing.as_json(old), "to": placing.as_json(place)}
        placing.record(
            fresh.course,
            "moved",
            by=actor,
            now=now,
            sessions=[fresh],
            findings=verdict.findings,
            signed=signed,
            signature=override,
            moved=[moved],
        )
        placing.tell(fresh.course, [fresh], MailKind.CHANGED, now, {"moved": [moved]})
        worklist.close_tasks(
            kind=TaskKind.NEEDS_TIME, patient=fresh.course.patient, key=str(fresh.pk), by=actor, now=now
        )
        once.remember(session=fresh.pk)
        return Change(fresh.course, (fresh,), verdict.findings)

    def plan_again(rows: Sequence[int]) -> Proposal:
        return propose(
            actor=actor,
            site=site,
            patient=course.patient,
            protocol=course.protocol,
            course=course,
            count=1,
            moving=session,
            earliest=place.starts_at.astimezone(site.zone).date(),
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
        if name in BROKEN:
            finding = BROKEN[name]
            raise RulesBroken(_(finding.text), findings=[finding]) from error
        if name not in TAKEN:
            raise
        verdict = weigh()
        rows = verdict.taken or tuple(sorted({row for finding in verdict.findings for row in finding.sessions})) or (0,)
    message = ngettext(
        "Nothing was booked: %(count)s of the times was taken a moment ago.",
        "Nothing was booked: %(count)s of the times were taken a moment ago.",
        len(rows),
    )
    raise SlotTaken(message % {"count": len(rows)}, taken=rows, plans=plan_again(rows).offers)
