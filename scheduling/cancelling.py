"""Give times up: one session, or a whole course."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import TaskKind
from scheduling import judging, placing, writes
from scheduling.booking import Change, repeated
from scheduling.holding import ask_for_overrides
from scheduling.models import OPEN, RUNNING, UNDER_WAY, Course, CourseState, MailKind, Session, SessionState


def cancel_session(
    *,
    actor: Staff,
    session: Session,
    reason: str,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Cancel one session: its time is free, its reminders are withdrawn, the patient is told in one mail.

    Locks the days of the course's sessions, then the patient. The findings say what the course breaks now, such as
    `reach`. Raises Stale when the visit has begun or was freed, Invalid without a reason.
    """
    permissions.require(actor, Verb.BOOK, at=session.course.site)
    reason = _required(reason)
    asked = {"actor": actor.pk, "session": session.pk, "reason": reason, "dry_run": dry_run}
    once = writes.Once("cancel-session", request_id, asked)

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        course, sessions = placing.lock_course(session.course, now)
        fresh = next((mine for mine in sessions if mine.pk == session.pk and mine.state in OPEN), None)
        if fresh is None:
            raise Stale(_("This visit has begun, ended or been cancelled already."))
        findings = judging.weigh_leaving(course, {fresh.pk})
        placing.free([fresh], SessionState.CANCELLED, by=actor, now=now)
        placing.renumber(course)
        placing.record(
            course, "session-cancelled", by=actor, now=now, sessions=[fresh], findings=findings, reason=reason
        )
        placing.tell(course, [fresh], MailKind.CANCELLED, now, {"cancelled": [fresh.pk]})
        ask_for_overrides(course, by=actor, now=now)
        once.remember(findings, course=course.pk, sessions=[fresh.pk])
        return Change(course, (fresh,), findings)

    return writes.commit(work, dry_run=dry_run)


def cancel_course(
    *,
    actor: Staff,
    course: Course,
    reason: str,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """End a course and cancel every session of it that has not begun, told in one mail.

    Locks the days of its sessions, then the patient. Raises Stale when it has ended or a visit is under way,
    Invalid without a reason.
    """
    permissions.require(actor, Verb.BOOK, at=course.site)
    reason = _required(reason)
    asked = {"actor": actor.pk, "course": course.pk, "reason": reason, "dry_run": dry_run}
    once = writes.Once("cancel-course", request_id, asked)

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        fresh, sessions = placing.lock_course(course, now)
        if fresh.state not in RUNNING:
            raise Stale(_("This course has ended already."))
        if any(session.state in UNDER_WAY for session in sessions):
            raise Stale(_("A visit of this course is under way; finish it first."))
        was_held = fresh.state == CourseState.HELD
        left = [session for session in sessions if session.state in OPEN]
        placing.free(left, SessionState.CANCELLED, by=actor, now=now)
        placing.record(fresh, "cancelled", by=actor, now=now, sessions=left, reason=reason)
        if not was_held:
            placing.tell(fresh, left, MailKind.CANCELLED, now, {"cancelled": [session.pk for session in left]})
        placing.end(fresh, CourseState.CANCELLED, now)
        for kind in (TaskKind.OVERRIDE_ASKED, TaskKind.NO_DATES):
            worklist.close_tasks(kind=kind, patient=fresh.patient, by=actor, now=now)
        once.remember(course=fresh.pk, sessions=[session.pk for session in left])
        return Change(fresh, tuple(left))

    return writes.commit(work, dry_run=dry_run)


def _required(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise Invalid.at("reason", _("Say why."))
    return reason
