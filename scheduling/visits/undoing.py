"""Take back a wrong tap: the last step of a visit, for five minutes, recorded like every other step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Stale
from clinic.findings import Finding
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import TaskKind
from scheduling import placing, writes
from scheduling.booking import BROKEN, TAKEN, Change
from scheduling.mails import outbox
from scheduling.models import RUNNING, UNDER_WAY, Course, Session, SessionState
from scheduling.visits import charts, leaving, stepping
from scheduling.visits.stepping import CLOSED, UNDO_FOR

#: The steps that gave up the planned time.
_FREED = (SessionState.NO_SHOW, SessionState.NOT_DOSED)
#: The states that a step of a visit leads to; whoever runs visits takes it back.
_STEPS = (*UNDER_WAY, *CLOSED)


def undo_until(session: Session) -> datetime | None:
    """Until when the last step can be undone, None when there is none."""
    since = session.freed_at if session.state == SessionState.NO_SHOW else session.stepped_at
    return None if since is None else since + UNDO_FOR


def can_undo(session: Session, now: datetime) -> bool:
    """The last step was written down in the last five minutes."""
    until = undo_until(session)
    return until is not None and now <= until


def undo(*, actor: Staff, session: Session, request_id: UUID | None = None, now: datetime) -> Change:
    """Take back the last step: the state before it, without what was written down with it; the event of the step
    stays and one of the undoing follows.

    A no-show and a visit without a dose come back when their time is still free. Locks the session's day, for these
    the days of the course, then the patient. Raises Stale when nothing can be undone any more: too late, undone
    already, measured since, the time given to somebody else.
    """
    state = Session.objects.values_list("state", flat=True).get(pk=session.pk)
    permissions.require(actor, Verb.RUN_VISIT if state in _STEPS else Verb.NO_SHOW, at=session.course.site)
    once = stepping.once_of("undo", request_id, actor, session)
    try:
        if state in _FREED:
            return stepping.take_in_course(
                once, session, lambda course, fresh: _restore(course, fresh, actor, now), now=now
            )
        return stepping.take(once, session, lambda fresh: _undo(fresh, actor, now), now=now)
    except IntegrityError as error:
        if writes.constraint_of(error) not in TAKEN | BROKEN.keys():
            raise
        raise Stale(_("The time of this visit has been given to somebody else.")) from error


def _require_undoable(session: Session, now: datetime) -> None:
    until = undo_until(session)
    if until is None:
        raise Stale(_("There is no step to undo."))
    if now > until:
        raise Stale(_("A step can be undone for five minutes; this was longer ago."))


def _restore(course: Course, session: Session, actor: Staff, now: datetime) -> Sequence[Finding]:
    """Let a visit that gave up its time have it again."""
    if session.state not in _FREED:
        raise Stale(_("There is no step to undo."))
    _require_undoable(session, now)
    if course.state not in RUNNING:
        raise Stale(_("This course has ended."))
    undone = session.state
    if undone == SessionState.NOT_DOSED:
        session.state = SessionState.CHECKED_IN
    else:
        session.state = SessionState.CONFIRMED if session.confirmed_at else SessionState.BOOKED
    session.freed_at = session.left_at = session.stepped_at = None
    session.save(update_fields=["state", "freed_at", "left_at", "stepped_at"])
    _clear(session, undone)
    if undone == SessionState.NOT_DOSED:
        record = stepping.record_of(session)
        if record.reviewed_at is None:
            stepping.ask_for_review(session, record.changed, now=now)
    placing.renumber(course, [session])
    placing.record(course, "undone", by=actor, now=now, sessions=[session], step=undone)
    outbox.renew(course=course, sessions=[session], news=None, now=now)
    return ()


def _undo(session: Session, actor: Staff, now: datetime) -> Sequence[Finding]:
    _require_undoable(session, now)
    undone = session.state
    times: dict[str, datetime | None] = {}
    match undone:
        case SessionState.CHECKED_IN:
            if session.course.state not in RUNNING:  # nobody is awaited for a course that was stopped meanwhile
                raise Stale(_("This course has ended."))
            if charts.rounds_of(session):
                raise Stale(_("Something was measured since; void it first."))
            session.state = SessionState.CONFIRMED if session.confirmed_at else SessionState.BOOKED
            times["checked_in_at"] = None
        case SessionState.GIVING:
            session.state, times["dose_started_at"] = SessionState.CHECKED_IN, None
        case SessionState.MONITORING | SessionState.READY:
            session.state, times["dose_ended_at"] = SessionState.GIVING, None
        case SessionState.DISCHARGED | SessionState.LEFT_EARLY | SessionState.TRANSFERRED:
            times["left_at"] = None
            session.state = SessionState.MONITORING
            if stepping.record_of(session).ended_by_id is None:  # the dose still ran
                session.state, times["dose_ended_at"] = SessionState.GIVING, None
        case _:
            raise Stale(_("There is no step to undo."))
    for name, at in times.items():
        setattr(session, name, at)
    session.stepped_at = None
    session.save(update_fields=["state", "stepped_at", *times])
    _clear(session, undone)
    leaving.settle(session, now=now)
    placing.record(session.course, "undone", by=actor, now=now, sessions=[session], step=undone)
    patient, key = session.course.patient, stepping.record_key(session)
    if undone == SessionState.CHECKED_IN:
        worklist.close_tasks(kind=TaskKind.REVIEW, patient=patient, key=str(session.pk), by=actor, now=now)
    worklist.close_tasks(kind=TaskKind.OPEN_FORM, patient=patient, key=key, by=actor, now=now)
    return ()


#: What each step wrote into the record, and what stood there before.
_WRITTEN: dict[str, dict[str, object]] = {
    SessionState.GIVING: {
        "drug": "",
        "lot": "",
        "mg": None,
        "mg_per_kg": None,
        "started_by": None,
        "confirmed_by": None,
    },
    SessionState.MONITORING: {"mg_given": None, "waste_mg": None, "waste_witness": None, "ended_by": None},
    SessionState.DISCHARGED: {"checklist": {}, "signed_by": None, "seen_by": None},
    SessionState.LEFT_EARLY: {"exit_reason": "", "signed_by": None},
}
_WRITTEN[SessionState.READY] = _WRITTEN[SessionState.MONITORING]
_WRITTEN[SessionState.TRANSFERRED] = _WRITTEN[SessionState.NOT_DOSED] = _WRITTEN[SessionState.LEFT_EARLY]


def _clear(session: Session, undone: str) -> None:
    """Take out of the record what the undone step has written; its event keeps it."""
    if undone not in _WRITTEN:
        return
    record = stepping.record_of(session)
    for name, before in _WRITTEN[undone].items():
        setattr(record, name, before)
    record.save(update_fields=list(_WRITTEN[undone]))
