"""The reads behind the screens: what they hold, and in how many queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients import worklist
from patients.models import TaskKind
from scheduling import queries
from scheduling.models import Course, SessionState
from tests.factories import (
    NOW,
    Clinic,
    CourseFactory,
    PatientFactory,
)
from tests.scheduling import session

pytestmark = pytest.mark.django_db


def rules(course: Course) -> list[tuple[str, tuple[int, ...]]]:
    found = queries.findings_of([queries.courses().get(pk=course.pk)])[course.pk]
    return [(finding.rule, finding.sessions) for finding in found]


def test_findings_of_a_course_name_its_sessions(clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    first, second, last = (session(clinic, course, day) for day in (0, 1, 10))

    assert rules(course) == [("gap-min", (first.pk, second.pk)), ("gap-max", (second.pk, last.pk))]


def test_a_session_of_another_course_is_too_close_but_does_not_count(clinic: Clinic) -> None:
    patient = PatientFactory.create()
    old = CourseFactory.create(site=clinic.site, patient=patient, state="completed")
    before = [session(clinic, old, day, state=SessionState.DISCHARGED) for day in (0, 3, 7, 10)]
    course = CourseFactory.create(site=clinic.site, patient=patient)
    mine = [session(clinic, course, day) for day in (11, 14, 18, 21)]

    assert rules(course) == [("gap-min", (before[-1].pk, mine[0].pk))]


def test_a_phase_that_is_over_is_judged_as_closed(clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    given = [session(clinic, course, day, state=SessionState.DISCHARGED) for day in (0, 3, 7)]
    open_phase = rules(course)
    Course.objects.update(phase="maintenance")

    assert open_phase == []
    assert rules(course) == [("initial-min", tuple(visit.pk for visit in given))]


def test_what_was_cancelled_is_not_judged(clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site, state="cancelled")
    for day in (0, 1):
        session(clinic, course, day, state=SessionState.CANCELLED)

    assert rules(course) == []


@pytest.mark.parametrize("count", [1, 5])
def test_a_patients_page_takes_seven_queries(count: int, clinic: Clinic) -> None:
    patient = PatientFactory.create()
    courses = [
        CourseFactory.create(site=clinic.site, patient=patient, state="active" if not number else "completed")
        for number in range(count)
    ]
    for number, course in enumerate(courses):
        session(clinic, course, 7 * number)
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, course=courses[0], now=NOW)

    with CaptureQueriesContext(connection) as taken:
        shown = queries.patient_page(patient)
        sessions = [visit for course in shown.courses for visit in course.sessions.all()]

    assert (len(sessions), shown.running, len(shown.tasks), shown.mails) == (count, courses[0], 1, ())
    assert len(taken) == 7
