"""Book a course, add sessions to one: all or nothing, judged under lock.

Each verb is one transaction in the frame of `writes.py`: lock the days and the patient, free expired holds, read again,
judge (`judging.py`), place (`placing.py`), tell. The database's constraints stand behind it; what they refuse is
answered like what was found before. What moving (`moving.py`) has in common with booking stands here too.
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
from clinic.errors import DomainError, Invalid, RulesBroken, Stale
from clinic.findings import Finding, Level
from clinic.models import Staff
from clinic.permissions import Verb
from patients.models import Patient
from scheduling import further, gating, judging, openings, placing, writes
from scheduling.holding import HOLD, ask_for_overrides, expire_holds
from scheduling.judging import Signature, Verdict
from scheduling.mails import outbox
from scheduling.models import RUNNING, Course, CourseState, MailKind, ProtocolVersion, Session
from scheduling.proposing import Offer, Proposal, judge, propose
from scheduling.protocols import library
from scheduling.protocols.types import Place

__all__ = [
    "Change",
    "Offer",
    "Proposal",
    "Signature",
    "SlotTaken",
    "add_sessions",
    "book_course",
    "judge",
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


class RowsTaken(Exception):
    """Ends the transaction: these rows belong to another booking."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__()
        self.rows = tuple(rows)


class _HoldInTheWay(Exception):
    """Ends the transaction: the patient's other course was held, and its hold has run out."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a verb did, or in a dry run would do: the sessions made, moved or freed, and what the rules say to it.

    Of a decision they are told apart: `placed` and `freed`, and how many dates are `missing`, which found no place.
    `repeated`: the request had succeeded before, this is its result once more.
    """

    course: Course
    sessions: tuple[Session, ...] = ()
    findings: tuple[Finding, ...] = ()
    repeated: bool = False
    placed: tuple[Session, ...] = ()
    freed: tuple[Session, ...] = ()
    missing: int = 0


def repeated(earlier: Mapping[str, Any]) -> Change:
    """What a request led to when it was carried out, as it stands now."""
    sessions = Session.objects.in_bulk(earlier["sessions"])
    return Change(
        Course.objects.get(pk=earlier["course"]),
        tuple(sessions[pk] for pk in earlier["sessions"]),
        writes.findings_of(earlier),
        repeated=True,
        placed=tuple(sessions[pk] for pk in earlier.get("placed", ())),
        freed=tuple(sessions[pk] for pk in earlier.get("freed", ())),
        missing=earlier.get("missing", 0),
    )


def book_course(
    *,
    actor: Staff,
    patient: Patient,
    protocol: ProtocolVersion,
    places: Sequence[Place],
    override: Signature | None = None,
    hold: bool = False,
    reason: str = "",
    ask: Staff | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Book a whole course, or keep its times until `now` + HOLD; all sessions or none, one event, one mail.

    Locks the days of all sessions, then the patient. Raises Invalid, RoleRefused, RulesBroken (a block, or a finding
    of level override that nobody signed), SlotTaken with fresh plans, RequestReused. A hold lets findings of level
    override pass, and what the screening lacks; it asks a prescriber for the overrides on the worklist, with the
    `reason`: `ask`, or whoever looks first.
    """
    permissions.require(actor, Verb.BOOK)
    places, reason = judging.in_utc(places), reason.strip()
    body = {"actor": actor.pk, "patient": patient.pk, "protocol": protocol.pk, "places": places, "hold": hold}
    body |= {"override": override, "reason": reason, "ask": ask}
    once = writes.Once("book", request_id, body)
    if earlier := once.done():
        return repeated(earlier)
    site = judging.check_places(actor=actor, places=places, site=None, now=now)
    if ask is not None and not (ask.is_prescriber and ask.is_active and ask.sites.filter(pk=site.pk).exists()):
        raise Invalid.at("ask", _("There is no such prescriber at this site."))
    rules = protocol.protocol

    def weigh() -> Verdict:
        verdict = judging.weigh_new(site=site, patient=patient.pk, protocol=rules, course=None, places=places)
        return gating.join(verdict, site=site, patient=patient.pk, protocol=rules, now=now)

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
            raise RowsTaken(verdict.taken)
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
            **({"reason": reason} if hold and reason else {}),
        )
        if hold:
            ask_for_overrides(course, by=actor, reason=reason, ask=ask, now=now)
        else:
            outbox.renew(course=course, sessions=sessions, news=MailKind.BOOKED, now=now, fresh=True)
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
        return answer(work, weigh, plan_again)
    except _HoldInTheWay:
        expire_holds(now=now, patient=patient)
        return answer(work, weigh, plan_again)


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
        known: dict[str, Any] = {"site": site, "patient": fresh.patient_id, "protocol": rules, "course": fresh}
        return gating.join(judging.weigh_new(**known, places=places), **known, now=now)

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        fresh, _mine = placing.lock_course(course, now, also=judging.dates_of(site, rules, places))
        if fresh.held_until is not None and fresh.held_until <= now:
            raise Stale(_("This course is not held any more."))
        verdict = weigh(fresh)
        signed = judging.require_passable(verdict, override, hold=fresh.state == CourseState.HELD)
        if verdict.taken:
            raise RowsTaken(verdict.taken)
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
        further.dates_were_given(fresh, len(sessions), by=actor, now=now)
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

    return answer(work, lambda: weigh(Course.objects.get(pk=course.pk)), plan_again, dry_run=dry_run)


def _not_booked(count: int) -> str:
    message = ngettext(
        "Nothing was booked: %(count)s of the times was taken a moment ago.",
        "Nothing was booked: %(count)s of the times were taken a moment ago.",
        count,
    )
    return message % {"count": count}


def answer(
    work: Callable[[], Change],
    weigh: Callable[[], Verdict],
    plan_again: Callable[[Sequence[int]], Proposal],
    *,
    lost: Callable[[int], str] = _not_booked,
    dry_run: bool = False,
) -> Change:
    """Commit; rows that were found taken, or that the database refused, are answered with what is possible now.

    `lost` says in a sentence that so many of the times are taken.
    """
    try:
        return writes.commit(work, dry_run=dry_run)
    except RowsTaken as error:
        rows = error.rows
    except IntegrityError as error:
        name = writes.constraint_of(error)
        if name not in TAKEN and name not in BROKEN:
            raise
        if name in BROKEN:
            raise RulesBroken(_(BROKEN[name].text), findings=[BROKEN[name]]) from error
        rows = weigh().taken or (0,)
    raise SlotTaken(lost(len(rows)), taken=rows, plans=plan_again(rows).offers)
