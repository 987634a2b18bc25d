"""The outbox: mails are rows, queued in the commit that makes them necessary and withdrawn in the one that makes them
wrong; `drain.py` sends what is due and says what is promised of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from patients import worklist
from patients.models import Patient, TaskKind
from scheduling.mails import links
from scheduling.mails.letters import EXPECTED
from scheduling.models import Course, CourseState, Mail, MailKind, MailState, Session
from scheduling.protocols import reminder_times


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
    `moved` (`{"session", "from": {"starts_at"}}`), `added` and `cancelled` (ids); a move that keeps its time is no
    news. `fresh`: nothing was queued for the course before. A patient without an address makes a line on the worklist
    instead. At most two statements, waiting for no lock, when patient and site of the course are at hand.
    """
    details = dict(details or {})
    starts = {session.pk: session.starts_at for session in sessions}
    known = [datetime.fromisoformat(move["from"]["starts_at"]) for move in details.get("moved", ())]
    if details.keys() == {"moved"} and known == [starts[move["session"]] for move in details["moved"]]:
        news = None
    if not fresh:
        _withdraw(course, sessions, told_anew=news is not None)
    mails = [mail for session in sessions if session.state in EXPECTED for mail in _reminders(course, session, now)]
    if news is not None:
        mails.append(
            Mail(
                kind=news,
                times_version=course.times_version,
                due_at=now,
                expires_at=max([*starts.values(), *known], default=None),
                details=details,
            )
        )
    if mails and not course.patient.email:
        worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=course.patient, course=course, now=now)
        return
    for mail in mails:
        mail.patient_id, mail.course_id = course.patient_id, course.pk
        mail.created_at, mail.try_at = now, mail.due_at
        mail.link_hash = links.digest(links.token(mail.seed))
    Mail.objects.bulk_create(mails, ignore_conflicts=True)


def catch_up(*, patient: Patient, now: datetime) -> None:
    """Queue what was not queued while a patient had no address: reminders of the sessions to come, the dates of a
    course of which no mail has told; takes the line off the worklist. Does nothing without an address, or twice."""
    if not patient.email:
        return
    with transaction.atomic():
        # A patient has one running course at most.
        course = Course.objects.filter(patient=patient, state=CourseState.ACTIVE).select_related("site").first()
        if course is not None:
            course.patient = patient
            sessions = list(Session.objects.filter(course=course, state__in=EXPECTED, during__startswith__gt=now))
            told = not sessions or Mail.objects.filter(course=course, session=None).exists()
            renew(course=course, sessions=sessions, news=None if told else MailKind.BOOKED, now=now, fresh=True)
        worklist.close_tasks(kind=TaskKind.NO_ADDRESS, patient=patient, now=now)


def _withdraw(course: Course, sessions: Sequence[Session], *, told_anew: bool) -> None:
    stale = Q(session__in=sessions) & ~Q(session__state__in=EXPECTED, times_version=F("session__times_version"))
    if told_anew:
        stale |= Q(session=None)
    due = Mail.objects.filter(stale, course=course, state=MailState.DUE)
    # One that is being sent is not waited for.
    free = due.select_for_update(skip_locked=True, of=("self",), no_key=True)
    Mail.objects.filter(pk__in=free.values("pk")).update(state=MailState.WITHDRAWN)


def _reminders(course: Course, session: Session, now: datetime) -> list[Mail]:
    """A reminder is worth sending until the next one is due, the last one until the session starts."""
    times = reminder_times.reminders(starts_at=session.starts_at, zone=course.site.zone, now=now)
    ends = [*(due for _, due in times), session.starts_at][1:]
    return [
        Mail(session=session, kind=kind, times_version=session.times_version, due_at=due, expires_at=end)
        for (kind, due), end in zip(times, ends, strict=True)
    ]
