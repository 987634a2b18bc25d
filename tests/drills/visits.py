"""Visits whose reminders a drill has sent, and what the outbox has written down about them."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from itertools import islice, product

from django.db import transaction

from patients.models import Patient, Task, TaskKind
from scheduling.mails import outbox
from scheduling.models import Attempt, Course, Mail, MailState, Session
from tests.factories import MONDAY, CourseFactory, PatientFactory, SessionFactory, local, make_clinic, protocol

#: The visits' day, when they are entered - later than three days before it - and when all reminders of two days
#: before are due.
WEDNESDAY = MONDAY + timedelta(days=2)
ENTERED = local(MONDAY, "07:00")
ALL_DUE = local(MONDAY, "16:00")
TIMES = ("08:00", "11:20", "14:40")


def book(count: int, *, day: date = WEDNESDAY, entered: datetime = ENTERED) -> list[str]:
    """As many patients, each with a course of one visit on that day, and the reminders that a booking queues; returns
    their addresses."""
    chairs = -(-count // len(TIMES))
    clinic = make_clinic(chairs=chairs, prescribers=-(-chairs // 4), weeks=2)
    patients = Patient.objects.bulk_create(PatientFactory.build_batch(count, screened=False))
    version = protocol()
    courses = Course.objects.bulk_create(
        CourseFactory.build(patient=patient, site=clinic.site, protocol=version) for patient in patients
    )
    places = islice(product(TIMES, enumerate(clinic.chairs)), count)
    sessions = Session.objects.bulk_create(
        SessionFactory.build(
            course=course, chair=chair, prescriber=clinic.prescribers[row // 4], starts_at=local(day, clock), number=1
        )
        for course, (clock, (row, chair)) in zip(courses, places, strict=True)
    )
    with transaction.atomic():
        for session in sessions:
            outbox.renew(course=session.course, sessions=[session], news=None, now=entered, fresh=True)
    return [patient.email for patient in patients]


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
