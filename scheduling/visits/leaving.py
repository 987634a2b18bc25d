"""The ways out of a visit: discharge, which says what is missing and when it can be, and the others, which are
recorded with their reason. After any of them the record is closed: only addenda are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import permissions
from clinic.errors import Invalid, RulesBroken
from clinic.findings import Finding, by_severity
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import TaskKind
from scheduling import judging, placing, writes
from scheduling.booking import Change
from scheduling.judging import Signature, Verdict
from scheduling.mails import outbox
from scheduling.models import Course, Session, SessionState, VisitRecord
from scheduling.protocols import visit_safety
from scheduling.protocols.visit_safety import OBSERVED_FOR
from scheduling.visits import charts, stepping
from scheduling.visits.stepping import Escort

#: What is looked at before somebody goes home (P); every point of a checklist has to be true.
CHECKLIST = {
    "oriented": gettext_lazy("Awake and oriented"),
    "walks": gettext_lazy("Walks without help"),
    "nausea": gettext_lazy("No nausea that needs treatment"),
    "line": gettext_lazy("Line out, site dry; or spray done"),
    "told": gettext_lazy("Knows: no driving until the next day, after sleep"),
}

#: Drug was given and the patient is still here.
DOSED_AND_HERE = (SessionState.GIVING, SessionState.MONITORING, SessionState.READY)
OBSERVED = (SessionState.MONITORING, SessionState.READY)


def discharge(
    *,
    actor: Staff,
    session: Session,
    checklist: Mapping[str, bool],
    seen_by: Staff | None,
    escort: Escort | None = None,
    override: Signature | None = None,
    at: datetime | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The patient goes home; signed by the actor, seen by a second person. `escort` replaces who was named before.

    Locks the session's day, then the patient. Raises RulesBroken with everything that is missing, and in its details
    `earliest`, when the patient may go at the earliest; Invalid without a checklist or for an open point of it; Stale
    while the dose is not over, and when the patient has left.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    asked = {"checklist": dict(checklist), "seen": seen_by and seen_by.pk, "escort": escort, "override": override}
    once = stepping.once_of("discharge", request_id, actor, session, at=at, **asked)

    def act(fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, OBSERVED)
        left = stepping.moment(at, after=fresh.dose_ended_at, now=now)
        if any(round_.taken_at > left for round_ in charts.rounds_of(fresh)):  # what speaks against it would not count
            raise Invalid.at("at", _("Something was measured since; void it first."))
        record = stepping.record_of(fresh)
        if escort is not None:
            record.escort_name, record.escort_phone = escort.name.strip(), escort.phone.strip()
        found = _weigh_discharge(fresh, record, now=left)
        try:
            signed = judging.require_passable(Verdict(found), override)
        except RulesBroken as refusal:
            refusal.details["earliest"] = visit_safety.earliest_discharge(charts.times_of(fresh))
            raise
        if not checklist or not all(checklist.values()):
            raise Invalid.at("checklist", _("Every point of the checklist has to be looked at."))
        record.checklist, record.signed_by = dict(checklist), actor
        record.seen_by = stepping.require_second(seen_by, actor, fresh, "seen_by")
        record.save(update_fields=["checklist", "signed_by", "seen_by", "escort_name", "escort_phone"])
        stepping.step(fresh, SessionState.DISCHARGED, now=now, left_at=left)
        placing.record(
            fresh.course,
            "discharged",
            by=actor,
            now=now,
            sessions=[fresh],
            findings=found,
            signed=signed,
            signature=override,
            **stepping.noted({"step_at": left, "seen_by": record.seen_by.pk}),
        )
        _close(fresh, by=actor, now=now)
        return found

    return stepping.take(once, session, act, now=now)


def _weigh_discharge(session: Session, record: VisitRecord, *, now: datetime) -> tuple[Finding, ...]:
    rounds = [round_ for round_ in charts.rounds_of(session) if round_.taken_at <= now]
    facts = replace(charts.facts_of(session, record, rounds, now=now), escort=record.escort_name)
    return by_severity(visit_safety.at_discharge(facts, now=now))


def leave_early(
    *,
    actor: Staff,
    session: Session,
    reason: str,
    at: datetime | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The patient leaves against advice before the two hours are over. Drug was given: the session counts.

    Locks the session's day, then the patient. Raises Invalid without a reason, Stale before the dose and when the
    patient has left. A dose that still ran ends then.
    """
    return _leave("left-early", SessionState.LEFT_EARLY, actor, session, reason, at, request_id, now)


def transfer(
    *,
    actor: Staff,
    session: Session,
    reason: str,
    at: datetime | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The patient is handed to emergency care. As `leave_early` otherwise."""
    return _leave("transferred", SessionState.TRANSFERRED, actor, session, reason, at, request_id, now)


def _leave(
    kind: str,
    state: SessionState,
    actor: Staff,
    session: Session,
    reason: str,
    at: datetime | None,
    request_id: UUID | None,
    now: datetime,
) -> Change:
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    once = stepping.once_of(kind, request_id, actor, session, reason=reason.strip(), at=at)

    def act(fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, DOSED_AND_HERE)
        why = stepping.require_reason(reason)
        left = stepping.moment(at, after=fresh.dose_ended_at or fresh.dose_started_at, now=now)
        record = stepping.record_of(fresh)
        record.exit_reason, record.signed_by = why, actor
        record.save(update_fields=["exit_reason", "signed_by"])
        ended = fresh.dose_ended_at or left
        stepping.step(fresh, state, now=now, dose_ended_at=ended, left_at=left)
        details = stepping.noted({"step_at": left})
        placing.record(fresh.course, kind, by=actor, now=now, sessions=[fresh], reason=why, **details)
        _close(fresh, by=actor, now=now)
        return ()

    return stepping.take(once, session, act, now=now)


def not_dosed(
    *,
    actor: Staff,
    session: Session,
    reason: str,
    at: datetime | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The patient came and gets no dose today: the time is free, the session does not count and may be made up.

    Locks the days of the course's sessions, then the patient. The findings say what the course breaks now, such as
    `reach`. Raises Invalid without a reason, Stale unless the patient is checked in and the dose has not begun.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    once = stepping.once_of("not-dosed", request_id, actor, session, reason=reason.strip(), at=at)

    def act(course: Course, fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, [SessionState.CHECKED_IN])
        why = stepping.require_reason(reason)
        left = stepping.moment(at, after=fresh.checked_in_at, now=now)
        record = stepping.record_of(fresh)
        record.exit_reason, record.signed_by = why, actor
        record.save(update_fields=["exit_reason", "signed_by"])
        findings = judging.weigh_leaving(course, {fresh.pk})
        placing.free([fresh], SessionState.NOT_DOSED, by=actor, now=now, left_at=left, stepped_at=now)
        placing.renumber(course)
        details = stepping.noted({"step_at": left})
        placing.record(
            course, "not-dosed", by=actor, now=now, sessions=[fresh], findings=findings, reason=why, **details
        )
        outbox.renew(course=course, sessions=[fresh], news=None, now=now)
        _close(fresh, by=actor, now=now)
        return findings

    return stepping.take_in_course(once, session, act, now=now)


def _close(session: Session, *, by: Staff, now: datetime) -> None:
    """Close the record: lines that ask for it go, and the monitoring form of a dose of esketamine is asked for."""
    patient, key = session.course.patient, stepping.record_key(session)
    worklist.close_tasks(kind=TaskKind.OPEN_RECORD, patient=patient, key=key, by=by, now=now)
    worklist.close_tasks(kind=TaskKind.REVIEW, patient=patient, key=str(session.pk), by=by, now=now)
    due = visit_safety.form_due_on(session.course.protocol.protocol.drug, session.local_date)
    if due is not None and session.dose_started_at is not None:
        worklist.open_task(
            kind=TaskKind.OPEN_FORM,
            patient=patient,
            course=session.course,
            key=key,
            details={"due": due.isoformat()},
            now=now,
        )


def mark_ready(*, now: datetime) -> int:
    """Let every visit be ready whose patient may go home, and observed again whose patient may not any more. Returns
    how many changed. Beat calls it every minute; only a visit that changes locks its day, in its own transaction."""
    visits = charts.observed(now=now)
    ready = charts.may_leave(visits, now=now)
    changing = [visit for visit in visits if (visit.pk in ready) != (visit.state == SessionState.READY)]
    return sum(writes.commit(partial(_settle_again, visit, now)) for visit in changing)


def _settle_again(session: Session, now: datetime) -> bool:
    return settle(stepping.locked(session, now), now=now)


def settle(session: Session, *, now: datetime) -> bool:
    """Under lock: set monitoring or ready by what the rules of discharge say; tells whether it changed."""
    if session.state not in OBSERVED:
        return False
    over = session.dose_ended_at is not None and session.dose_ended_at + OBSERVED_FOR <= now
    ready = over and session.pk in charts.may_leave([session], now=now)
    state = SessionState.READY if ready else SessionState.MONITORING
    if session.state == state:
        return False
    session.state = state
    session.save(update_fields=["state"])
    return True
