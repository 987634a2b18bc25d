"""The outbox: mails are rows, queued in the commit that makes them necessary and withdrawn in the one that makes them
wrong; `drain.py` sends what is due and says what is promised of it.

To a patient to whom no mail can go - no address, no consent, mails come back - nothing is queued. What that patient
should have been told is written down as failed, with the reason, and makes a line on the worklist: it has to be told
by phone. Once mails can go, `catch_up` tells it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import Patient, TaskKind
from scheduling import writes
from scheduling.mails import letters, links
from scheduling.mails.gathering import NEWS, REMINDERS
from scheduling.mails.letters import EXPECTED
from scheduling.models import (
    Attempt,
    Course,
    CourseState,
    Evaluation,
    EvaluationState,
    Mail,
    MailKind,
    MailState,
    Session,
    SessionState,
)
from scheduling.protocols import reminder_times

#: A patient who was missed hears of it when the wrong tap could no longer be taken back (`visits/stepping.UNDO_FOR`),
#: and not once the next day is over (P).
MISSED_AFTER = timedelta(minutes=5)
MISSED_FOR = timedelta(hours=24)

#: So long it makes sense to ask a patient to call (P).
CALL_FOR = timedelta(days=7)

#: Why the mails of a visit no longer stand, by what became of it; in every other state the patient has come.
_GONE = {
    **dict.fromkeys((SessionState.HELD, *EXPECTED), letters.MOVED),
    **dict.fromkeys((SessionState.CANCELLED, SessionState.EXPIRED), letters.FREED_VISIT),
    SessionState.NO_SHOW: letters.NOT_COME,
}
_ENDED = {
    EvaluationState.DONE: letters.HAS_COME,
    EvaluationState.NO_SHOW: letters.NOT_COME,
    EvaluationState.CANCELLED: letters.EVALUATION_CANCELLED,
}


def renew(
    *,
    course: Course,
    sessions: Sequence[Session],
    news: MailKind | None,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> None:
    """Bring the outbox in line with sessions that were made, moved or freed; belongs into the writer's transaction.

    Withdraws their reminders that no longer stand and queues those that do, none for a time that is past; queues one
    mail of kind `news` about the course instead of news that has not gone out. `details` says what happened:
    `moved` (`{"session", "from": {"starts_at"}}`), `added` and `cancelled` (ids). `fresh`: nothing was queued
    for the course before. At most two statements, one more for a line on the worklist, waiting for no lock, when
    patient and site of the course are at hand.
    """
    details = dict(details or {})
    starts = {session.pk: session.starts_at for session in sessions}
    known = [datetime.fromisoformat(move["from"]["starts_at"]) for move in details.get("moved", ())]
    if not fresh:
        _withdraw(course, sessions, told_anew=news is not None, now=now)
    mails = [mail for session in sessions if session.state in EXPECTED for mail in _reminders(course, session, now)]
    if news is not None:
        mails.append(
            Mail(
                kind=news,
                course=course,
                times_version=course.times_version,
                due_at=now,
                expires_at=max([*starts.values(), *known], default=None),
                details=details,
            )
        )
    _queue(course.patient, mails, now)


def missed(*, course: Course, session: Session, now: datetime) -> None:
    """Queue what a patient hears who has not come, after `renew` has withdrawn the rest; belongs into the writer's
    transaction, under the lock of the day. An undone no-show takes it back by `renew`."""
    turn = Mail.objects.filter(session=session, kind=MailKind.MISSED, times_version=session.times_version).count()
    due = letters.quiet_hours(course.site).after(now + MISSED_AFTER)
    mail = Mail(
        kind=MailKind.MISSED,
        course=course,
        session=session,
        times_version=session.times_version,
        turn=turn,
        due_at=due,
        expires_at=due + MISSED_FOR,
    )
    _queue(course.patient, [mail], now)


def renew_evaluation(*, evaluation: Evaluation, now: datetime, turn: int = 0) -> None:
    """Bring the outbox in line with an evaluation that was booked or has ended: withdraws what is due and no longer
    stands, queues the news of a booking or a cancellation (its `turn`, when it is told again) and the reminders that
    are not past. Belongs into the writer's transaction; three statements at most."""
    booked = evaluation.state == EvaluationState.BOOKED
    if not booked:
        due = Mail.objects.filter(evaluation=evaluation, state=MailState.DUE).exclude(kind=MailKind.CALL_US)
        _give_up(due, Value(_ENDED[EvaluationState(evaluation.state)]), now)
    news = MailKind.BOOKED if booked else MailKind.CANCELLED
    mails = []
    if booked or evaluation.state == EvaluationState.CANCELLED:
        mails = [Mail(kind=news, times_version=1, turn=turn, due_at=now, expires_at=evaluation.starts_at)]
    if booked:
        reminders = reminder_times.reminders(
            starts_at=evaluation.starts_at,
            quiet=letters.quiet_hours(evaluation.site),
            now=now,
            kinds=reminder_times.PLAIN,
        )
        mails += [Mail(kind=kind, times_version=1, due_at=due, expires_at=end) for kind, due, end in reminders]
    for mail in mails:
        mail.evaluation = evaluation
    _queue(evaluation.patient, mails, now)


def offer(*, course: Course, session: Session, turn: int, now: datetime, expires_at: datetime) -> None:
    """Queue the mail that tells a patient of the other times of this `turn` that are offered for a visit, worth sending
    until `expires_at`. Belongs into the writer's transaction. Raises Invalid when no mail can go to the patient."""
    require_reachable(course.patient)
    mail = Mail(
        kind=MailKind.OFFER,
        course=course,
        session=session,
        times_version=session.times_version,
        turn=turn,
        due_at=now,
        expires_at=expires_at,
    )
    _queue(course.patient, [mail], now)


def call_us(
    *, actor: Staff, patient: Patient, course: Course | None = None, request_id: UUID | None = None, now: datetime
) -> Mail:
    """Ask a patient by mail to call; without a `course`, the latest or the evaluation to come says where. Can be asked
    again, once for each request. Locks the patient.

    Raises RoleRefused, Invalid when no mail can go to the patient or there is nothing to call about, RequestReused.
    """
    about: Course | Evaluation | None = course
    if about is None:
        to_come = Evaluation.objects.filter(patient=patient, state=EvaluationState.BOOKED, during__startswith__gt=now)
        about = (
            Course.objects.filter(patient=patient).select_related("site").order_by("-pk").first()
            or to_come.select_related("site").order_by("during__startswith").first()
        )
    if about is None:
        raise Invalid.at("patient", _("Nothing is booked for this patient; please call."))
    permissions.require(actor, Verb.BOOK, at=about.site)
    subject = {"evaluation": about} if isinstance(about, Evaluation) else {"course": about}

    def act() -> Mail:
        writes.lock_patient(patient.pk)
        fresh = Patient.objects.get(pk=patient.pk)
        require_reachable(fresh)
        asked = Mail.objects.filter(kind=MailKind.CALL_US, session=None, **subject)
        mail = Mail(
            kind=MailKind.CALL_US,
            times_version=1 if isinstance(about, Evaluation) else about.times_version,
            turn=asked.count(),
            due_at=now,
            expires_at=now + CALL_FOR,
            details={"by": actor.pk},
            **subject,
        )
        _queue(fresh, [mail], now)
        return asked.get(turn=mail.turn)

    asked = {"actor": actor, "patient": patient, **subject}
    mail, _again = writes.carry_out_once("call-us", request_id, asked, act, lambda pk: Mail.objects.get(pk=pk), now=now)
    return mail


def require_reachable(patient: Patient) -> None:
    """Raise Invalid, with the reason, when no mail can go to a patient."""
    if hindrance := letters.withheld(patient):
        reason = _(hindrance.reason)
        raise Invalid.at("patient", _("%(reason)s Please call.") % {"reason": reason})


def catch_up(*, patient: Patient, now: datetime) -> None:
    """Queue what was not queued while no mail could go to a patient: reminders of the visits to come, and the dates and
    changes of which no mail has told; takes the line off the worklist. Does nothing while no mail can go, or twice."""
    if letters.withheld(patient):
        return
    with transaction.atomic():
        # A patient has one running course at most.
        course = Course.objects.filter(patient=patient, state=CourseState.ACTIVE).select_related("site").first()
        if course is not None:
            course.patient = patient
            _catch_up(course, now)
        to_come = Evaluation.objects.filter(patient=patient, state=EvaluationState.BOOKED, during__startswith__gt=now)
        for evaluation in to_come.select_related("site"):  # one, hardly ever two
            evaluation.patient = patient
            told = list(Mail.objects.filter(evaluation=evaluation, kind=MailKind.BOOKED).order_by("pk"))
            renew_evaluation(
                evaluation=evaluation, turn=len(told) if told and told[-1].state == MailState.FAILED else 0, now=now
            )
        worklist.close_tasks(kind=TaskKind.NO_ADDRESS, patient=patient, now=now)


def _catch_up(course: Course, now: datetime) -> None:
    sessions = list(Session.objects.filter(course=course, state__in=EXPECTED, during__startswith__gt=now))
    told = list(Mail.objects.filter(course=course, kind__in=NEWS).order_by("pk").values_list("state", flat=True))
    mails = [mail for session in sessions for mail in _reminders(course, session, now)]
    if sessions and (not told or told[-1] == MailState.FAILED):
        mails.append(
            Mail(
                kind=MailKind.CHANGED if MailState.SENT in told else MailKind.BOOKED,
                course=course,
                times_version=course.times_version,
                turn=len(told),
                due_at=now,
                expires_at=max(session.starts_at for session in sessions),
            )
        )
    _queue(course.patient, mails, now)


def _withdraw(course: Course, sessions: Sequence[Session], *, told_anew: bool, now: datetime) -> None:
    stands = Q(session__state__in=EXPECTED, times_version=F("session__times_version")) & ~Q(kind=MailKind.MISSED)
    stands |= Q(session__state=SessionState.NO_SHOW, kind=MailKind.MISSED)
    stale = Q(session__in=sessions) & ~stands
    if told_anew:
        stale |= Q(kind__in=NEWS)
    _give_up(Mail.objects.filter(stale, course=course, state=MailState.DUE), _why(sessions), now)


def _why(sessions: Sequence[Session]) -> Case:
    """Why mails of these visits, or news of their course, no longer stand; a visit that is still expected has moved."""
    by_reason: dict[str, list[int]] = {}
    for session in sessions:
        by_reason.setdefault(_GONE.get(SessionState(session.state), letters.HAS_COME), []).append(session.pk)
    cases = [When(session__in=ids, then=Value(reason)) for reason, ids in by_reason.items()]
    return Case(When(kind=MailKind.MISSED, then=Value(letters.NOT_MISSED)), *cases, default=Value(letters.REPLACED))


def _give_up(due: QuerySet[Mail], why: Case | Value, now: datetime) -> None:
    """Withdraw these mails. One that a drain holds is not waited for: it is looked at again before it goes out; one
    that has gone out, as is noted, is left to the next drain."""
    due = due.exclude(Exists(Attempt.objects.filter(mail=OuterRef("pk"), state=MailState.SENT)))
    free = due.select_for_update(skip_locked=True, of=("self",), no_key=True)
    Mail.objects.filter(pk__in=free.values("pk")).update(state=MailState.WITHDRAWN, settled_at=now, error=why)


def _reminders(course: Course, session: Session, now: datetime) -> list[Mail]:
    quiet = letters.quiet_hours(course.site)
    return [
        Mail(
            course=course,
            session=session,
            kind=kind,
            times_version=session.times_version,
            due_at=due,
            expires_at=end,
        )
        for kind, due, end in reminder_times.reminders(starts_at=session.starts_at, quiet=quiet, now=now)
    ]


def _queue(patient: Patient, mails: Sequence[Mail], now: datetime) -> None:
    """Write these mails, but those that are there already; what cannot go out is told to the desk."""
    hindrance = letters.withheld(patient)
    if hindrance:
        mails = [mail for mail in mails if mail.kind not in REMINDERS]
    for mail in mails:
        mail.patient, mail.created_at, mail.try_at = patient, now, mail.due_at
        mail.link_hash = links.digest(links.token(mail.seed))
        if subject := mail.session or mail.evaluation:
            mail.about_at = subject.starts_at
        if hindrance:
            mail.state, mail.error, mail.settled_at = hindrance.state, hindrance.reason, now
    Mail.objects.bulk_create(mails, ignore_conflicts=True)
    if hindrance and mails:
        worklist.open_task(
            kind=hindrance.line,
            patient=patient,
            course=mails[0].course,
            details=letters.explained(hindrance),
            now=now,
        )
