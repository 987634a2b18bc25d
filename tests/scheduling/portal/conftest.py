"""A patient with a course, the mails of it, and what their links open."""

from __future__ import annotations

import pytest

from patients.models import Patient
from scheduling.models import Course, Mail, MailKind
from tests.factories import Clinic, PatientFactory, make_clinic
from tests.scheduling.views import book


@pytest.fixture
def clinic(db: None) -> Clinic:
    return make_clinic()


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return PatientFactory.create(first_name="Eleanor", last_name="Vance", email="eleanor@example.org")


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    """Six visits at nine in the first chair, by the pattern 0, 3, 7, 10, 14, 17 from MONDAY."""
    return book(clinic, patient)


@pytest.fixture
def reminder(course: Course) -> Mail:
    """The mail two days before the second visit, on Thursday 4 February."""
    session = course.sessions.in_order()[1]
    return Mail.objects.get(session=session, kind=MailKind.TWO_DAYS)


@pytest.fixture
def news(course: Course) -> Mail:
    """The mail with all dates."""
    return Mail.objects.get(course=course, kind=MailKind.BOOKED)
