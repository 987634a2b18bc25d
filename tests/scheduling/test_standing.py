"""How far patients are with the course under way, and what those without mail have to be told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patients.models import Task
from scheduling import standing
from scheduling.models import Course, Session, SessionState
from scheduling.standing import Standing, Telling
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, make_clinic, went
from tests.scheduling.views import book

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1)


@pytest.fixture
def course(clinic: Clinic) -> Course:
    return book(clinic, PatientFactory.create(email=""))


def test_visits_given_and_planned_are_counted_and_the_next_one_is_told(course: Course) -> None:
    first, second, *_ = course.sessions.in_order()
    went(Session.objects.filter(pk=first.pk))
    Session.objects.filter(pk=second.pk).update(state=SessionState.NO_SHOW, freed_at=NOW)

    assert standing.standings([course.patient], now=NOW + timedelta(days=4)) == {
        course.patient_id: Standing(course, given=1, planned=5, coming=4, next_at=local(MONDAY + timedelta(days=7)))
    }


def test_who_is_in_no_course_stands_nowhere(clinic: Clinic, course: Course) -> None:
    free = PatientFactory.create()
    Course.objects.update(state="completed", ended_at=NOW)

    assert standing.standings([free, course.patient], now=NOW) == {}


def test_the_visits_to_come_are_told_until_somebody_has_done_it(course: Course) -> None:
    free, sessions = PatientFactory.create(email=""), tuple(course.sessions.in_order())
    task = Task.objects.get()
    before = standing.to_tell([course.patient, free], now=NOW + timedelta(days=1))
    Task.objects.update(done_at=NOW)

    assert before == {course.patient_id: Telling(sessions[1:], task), free.pk: Telling((), None)}
    assert standing.to_tell([course.patient], now=NOW) == {course.patient_id: Telling(sessions, None)}
