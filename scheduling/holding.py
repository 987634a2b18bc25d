"""Times that are kept for a while: what a prescriber still has to sign, and what ends when the hold runs out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from clinic.findings import Level
from clinic.models import Staff
from patients import worklist
from patients.models import Patient, Task, TaskKind
from scheduling import gating, judging, placing, writes
from scheduling.models import Course, CourseState, SessionState

#: How long times are kept while something is missing (P).
HOLD = timedelta(hours=24)


def ask_for_overrides(course: Course, *, by: Staff, reason: str = "", ask: Staff | None = None, now: datetime) -> None:
    """Keep the worklist's line of a held course in step with the rules that a prescriber still has to pass over.

    `reason` says why they should be, `ask` is the prescriber who is asked; both stay with the line from then on.
    """
    if course.state != CourseState.HELD:
        return
    details: dict[str, Any] = {"reason": reason} if reason else {}
    if ask is not None:
        details |= {"asked": ask.pk, "asked_name": ask.short_name}
    lines = Task.objects.filter(kind=TaskKind.OVERRIDE_ASKED, course=course).order_by("-since", "-pk")
    details = {**(lines.values_list("details", flat=True).first() or {}), **details}
    held = list(course.sessions.filter(state=SessionState.HELD).order_by("during__startswith"))
    verdict = judging.still_unsigned(course, judging.weigh_standing(course, held))
    known: dict[str, Any] = {"site": course.site, "patient": course.patient_id, "protocol": course.protocol.protocol}
    unsigned = gating.join(verdict, **known, course=course, now=now).at(Level.OVERRIDE)
    worklist.close_tasks(kind=TaskKind.OVERRIDE_ASKED, patient=course.patient, by=by, now=now)
    if unsigned:
        rules = sorted({finding.rule for finding in unsigned})
        worklist.open_task(
            kind=TaskKind.OVERRIDE_ASKED,
            patient=course.patient,
            course=course,
            details={**details, "rules": rules},
            now=now,
        )


def expire_holds(*, now: datetime, patient: Patient | None = None) -> int:
    """End every course whose hold has run out and free its times; each in a transaction of its own. Returns how many.

    Locks the days of each course, then its patient.
    """
    expired = Course.objects.filter(state=CourseState.HELD, held_until__lte=now).select_related("site")
    if patient is not None:
        expired = expired.filter(patient=patient)

    def expire(course: Course) -> bool:
        fresh, _live = placing.lock_course(course, now)
        if fresh.state != CourseState.HELD or fresh.held_until is None or fresh.held_until > now:
            return False
        # Some may have expired before, when others locked their days.
        sessions = list(fresh.sessions.filter(state__in=(SessionState.HELD, SessionState.EXPIRED)))
        placing.free(
            [session for session in sessions if session.state == SessionState.HELD],
            SessionState.EXPIRED,
            by=None,
            now=now,
        )
        placing.need_no_time(sessions, by=None, now=now)
        placing.record(fresh, "hold-expired", by=None, now=now, sessions=sessions)
        placing.end(fresh, CourseState.CANCELLED, now)
        worklist.close_tasks(kind=TaskKind.OVERRIDE_ASKED, patient=fresh.patient, now=now)
        return True

    return sum(writes.commit(lambda course=course: expire(course)) for course in expired)  # type: ignore[misc]  # a default binds each course
