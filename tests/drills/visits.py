"""Visits whose reminders a drill has sent, and what the outbox has written down about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from patients.models import Patient, Task, TaskKind
from scheduling.mails import outbox
from scheduling.models import Attempt, Course, Mail, MailState, Session
from tests.factories import MONDAY, Clinic, CourseFactory, PatientFactory, SessionFactory, local, make_clinic, protocol

#: The visits' day, when they are entered - later than three days before it - and when all reminders of two days
#: before are due.
WEDNESDAY = MONDAY + timedelta(days=2)
ENTERED = local(MONDAY, "07:00")
ALL_DUE = local(MONDAY, "16:00")
TIMES = ("08:00", "11:20", "14:40")


def book(count: int) -> list[str]:
    """As many patients, each with a course of one visit on WEDNESDAY; returns their addresses."""
    chairs = -(-count // len(TIMES))
    clinic = make_clinic(chairs=chairs, prescribers=-(-chairs // 4), weeks=1)
    starts = [local(WEDNESDAY, TIMES[number // chairs]) for number in range(count)]
    return [session.patient.email for session in book_at(clinic, starts, entered=ENTERED)]


def book_at(clinic: Clinic, starts: Sequence[datetime], *, entered: datetime) -> list[Session]:
    """For each of the times a patient with a course of that one visit, the chairs by turns, and the reminders that a
    booking queues."""
    patients = Patient.objects.bulk_create(PatientFactory.build_batch(len(starts), screened=False))
    version = protocol()
    courses = Course.objects.bulk_create(
        CourseFactory.build(patient=patient, site=clinic.site, protocol=version) for patient in patients
    )
    rows = [number % len(clinic.chairs) for number in range(len(starts))]
    sessions = Session.objects.bulk_create(
        SessionFactory.build(
            course=course,
            chair=clinic.chairs[row],
            prescriber=clinic.prescribers[row // 4],
            starts_at=starts_at,
            number=1,
        )
        for course, starts_at, row in zip(courses, starts, rows, strict=True)
    )
    with transaction.atomic():
        for session in sessions:
            outbox.renew(course=session.course, sessions=[session], news=None, now=entered, fresh=True)
    return sessions


def due(now: datetime) -> int:
    """How many mails wait for their turn that are due by now."""
    return Mail.objects.filter(state=MailState.DUE, due_at__lte=now).count()


def results(now: datetime) -> Counter[tuple[str, str]]:
    """What became of the mails that are due by now: states and reasons."""
    return Counter(Mail.objects.filter(due_at__lte=now).values_list("state", "error"))


def recorded() -> Counter[str]:
    """How often it was written down for each address that a mail was accepted."""
    return Counter(Attempt.objects.filter(state=MailState.SENT).values_list("mail__patient__email", flat=True))


def failures_on_the_worklist() -> Counter[str]:
    """The addresses of patients of whom the desk reads that a mail has failed."""
    lines = Task.objects.filter(kind=TaskKind.FAILED_MAIL, done_at=None)
    return Counter(lines.values_list("patient__email", flat=True))
