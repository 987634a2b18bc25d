"""Say yes: a held course becomes a booked one, a patient is coming."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Stale
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import TaskKind
from scheduling import gating, judging, placing, writes
from scheduling.booking import Change, repeated
from scheduling.judging import Signature
from scheduling.mails import outbox
from scheduling.models import Course, CourseState, MailKind, Session, SessionState


def confirm_course(
    *,
    actor: Staff,
    course: Course,
    override: Signature | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Turn a held course into a booked one; all is judged again, with what was signed when it was held.

    Locks the days of its sessions, then the patient. Raises Stale when it is not held any more, one of its times is
    past or fits no longer, RulesBroken, RoleRefused, RequestReused.
    """
    permissions.require(actor, Verb.BOOK, at=course.site)
    once = writes.Once("confirm-course", request_id, {"actor": actor.pk, "course": course.pk, "override": override})

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        fresh, sessions = placing.lock_course(course, now)
        if fresh.state != CourseState.HELD or fresh.held_until is None or fresh.held_until <= now:
            raise Stale(_("This course is not held any more."))
        if not sessions:
            raise Stale(_("Nothing is held any more."))
        if any(session.starts_at <= now for session in sessions):
            raise Stale(_("A held time is past; move it first."))
        if any(session.needs_replan for session in sessions):
            raise Stale(_("A held time no longer fits; move it first."))
        verdict = judging.weigh_standing(fresh, sessions)
        if verdict.taken:
            raise Stale(_("The prescriber cannot take all of these patients any more; move a held time first."))
        unsigned = gating.join(
            judging.still_unsigned(fresh, verdict),
            patient=fresh.patient_id,
            site=fresh.site,
            protocol=fresh.protocol.protocol,
            course=fresh,
            now=now,
        )
        signed = judging.require_passable(unsigned, override)
        placing.book(fresh, sessions)
        placing.record(
            fresh,
            "booked",
            by=actor,
            now=now,
            sessions=sessions,
            findings=unsigned.findings,
            signed=signed,
            signature=override,
        )
        worklist.close_tasks(kind=TaskKind.OVERRIDE_ASKED, patient=fresh.patient, by=actor, now=now)
        outbox.renew(course=fresh, sessions=sessions, news=MailKind.BOOKED, now=now, fresh=True)
        once.remember(verdict.findings, course=fresh.pk, sessions=[session.pk for session in sessions])
        return Change(fresh, tuple(sessions), verdict.findings)

    return writes.commit(work)


def confirm_session(*, actor: Staff, session: Session, request_id: UUID | None = None, now: datetime) -> Change:
    """The patient said yes by phone. Saying it twice changes nothing more.

    Locks the session's day, so that boards see it, then the patient. Raises Stale when the session is held, past or
    freed.
    """
    course = session.course
    permissions.require(actor, Verb.BOOK, at=course.site)
    once = writes.Once("confirm-session", request_id, {"actor": actor.pk, "session": session.pk})

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        known = {Session.objects.values_list("local_date", flat=True).get(pk=session.pk)}
        placing.lock(course.site, known, course.patient_id, now)
        fresh = Session.objects.select_related("course").get(pk=session.pk)
        placing.require_locked([fresh], known)
        if fresh.state not in (SessionState.BOOKED, SessionState.CONFIRMED) or fresh.starts_at <= now:
            raise Stale(_("Only a booked visit that is still to come can be confirmed."))
        if fresh.state == SessionState.BOOKED:
            fresh.state, fresh.confirmed_at = SessionState.CONFIRMED, now
            fresh.save(update_fields=["state", "confirmed_at"])
            placing.record(fresh.course, "confirmed", by=actor, now=now, sessions=[fresh])
        once.remember(course=fresh.course_id, sessions=[fresh.pk])
        return Change(fresh.course, (fresh,))

    return writes.commit(work)
