"""A clinician decides how a course goes on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.models import Staff
from clinic.permissions import Verb
from scheduling import judging, placing, writes
from scheduling.booking import Change, repeated
from scheduling.judging import Signature
from scheduling.models import OPEN, UNDER_WAY, Course, CourseState, MailKind, PhaseChoice, SessionState
from scheduling.protocols.progress import default_interval
from scheduling.protocols.types import Phase

MAINTENANCE = "maintenance"

#: Longest interval that still is maintenance (P).
LONGEST_INTERVAL = 90


def decide(
    *,
    actor: Staff,
    course: Course,
    decision: str,
    reason: str,
    interval_days: int | None = None,
    override: Signature | None = None,
    dry_run: bool = False,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Begin maintenance every `interval_days` days, or change its interval: the initial phase is closed with the
    sessions in which drug was given, those still to come are cancelled, told in one mail.

    Locks the days of the course's sessions, then the patient. Raises Invalid for another decision, without a reason
    or with an interval outside 1 to LONGEST_INTERVAL days, Stale when the course is not active or a visit is under
    way, RulesBroken when the phase closes below its minimum and nobody signed `initial-min` (D).
    """
    permissions.require(actor, Verb.DECIDE, at=course.site)
    reason = reason.strip()
    rules = course.protocol.protocol
    interval = default_interval(rules) if interval_days is None else interval_days
    if decision != MAINTENANCE:
        raise Invalid.at("decision", _("Only maintenance can be decided here."))
    if not 1 <= interval <= LONGEST_INTERVAL:
        raise Invalid.at("interval_days", _("An interval has 1 to %(longest)s days.") % {"longest": LONGEST_INTERVAL})
    asked = {
        "actor": actor.pk,
        "course": course.pk,
        "reason": reason,
        "interval": interval,
        "override": override,
        "dry_run": dry_run,
    }
    once = writes.Once("decide-maintenance", request_id, asked)

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        fresh, sessions = placing.lock_course(course, now)
        if fresh.state != CourseState.ACTIVE:
            raise Stale(_("Only an active course can be decided on."))
        if any(session.state in UNDER_WAY for session in sessions):
            raise Stale(_("A visit of this course is under way; finish it first."))
        verdict = judging.weigh_closing(fresh, sessions)
        signed = judging.require_passable(verdict, override)
        if not reason:
            raise Invalid.at("reason", _("Say why."))
        left = [
            session
            for session in sessions
            if session.state in OPEN and session.phase != Phase.MAINTENANCE and session.starts_at > now
        ]
        fresh.phase, fresh.interval_days = PhaseChoice.MAINTENANCE, interval
        fresh.save(update_fields=["phase", "interval_days"])
        placing.free(left, SessionState.CANCELLED, by=actor, now=now)
        placing.record(
            fresh,
            "decided",
            by=actor,
            now=now,
            sessions=left,
            findings=verdict.findings,
            signed=signed,
            signature=override,
            decision=decision,
            reason=reason,
            interval_days=interval,
        )
        if left:
            placing.tell(fresh, left, MailKind.CANCELLED, now, {"cancelled": [session.pk for session in left]})
        once.remember(verdict.findings, course=fresh.pk, sessions=[session.pk for session in left])
        return Change(fresh, tuple(left), verdict.findings)

    return writes.commit(work, dry_run=dry_run)
