"""Decisions and the job that rolls courses on, at the same moment: no decision is lost, no date is double."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from clinic.errors import Invalid
from clinic.models import Staff
from patients.models import Task, TaskKind
from scheduling import booking, deciding, rolling
from scheduling.models import Course, CourseEvent, CourseState, Session
from scheduling.protocols.types import Phase, Place
from tests.concurrency.test_booking_races import OK, Desks
from tests.concurrency.test_races import assert_sound
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, make_clinic, protocol, went

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 8
DAYS = (0, 3, 7, 10)
EVENING = local(MONDAY + timedelta(days=10), "17:30")


@pytest.fixture
def desks() -> Iterator[Desks]:
    desks = Desks(WRITERS)
    yield desks
    desks.close()


@pytest.fixture
def clinic() -> Clinic:
    """One prescriber, who takes two patients at once, and a chair for everybody."""
    return make_clinic(chairs=WRITERS, prescribers=1, weeks=18)


def given(clinic: Clinic, number: int) -> Course:
    """A course whose four doses were given; the chair is its own, the hours are shared by two."""
    clock = ("08:00", "11:20", "14:40")[number % 3]
    shift = number // 6  # later ones come a day later
    places = [
        Place(local(MONDAY + timedelta(days=day + shift), clock), clinic.chairs[number].pk, clinic.prescriber.pk)
        for day in DAYS
    ]
    course = booking.book_course(
        actor=clinic.desk, patient=PatientFactory.create(), protocol=protocol(), places=places, now=NOW
    ).course
    went(course.sessions.all())
    return course


def decide(actor: Staff, course: Course, decision: str) -> None:
    deciding.decide(actor=actor, course=course, decision=decision, reason="Response", now=EVENING)


def test_everybody_begins_maintenance_at_once_and_no_decision_is_lost(clinic: Clinic, desks: Desks) -> None:
    courses = [given(clinic, number) for number in range(6)]

    answers = desks.press([partial(decide, clinic.prescriber, course, "maintenance") for course in courses])

    assert answers == [OK] * 6
    assert_sound()
    assert set(Course.objects.values_list("phase", flat=True)) == {Phase.MAINTENANCE}
    for course in courses:
        told = CourseEvent.objects.get(course=course, kind="decided").details
        placed = Session.objects.filter(course=course, phase=Phase.MAINTENANCE)
        assert sorted(told["placed"]) == sorted(session.pk for session in placed)
        waits = Task.objects.filter(course=course, kind=TaskKind.NO_DATES, done_at=None).exists()
        assert waits == (told["missing"] > 0)


def test_one_course_decided_on_by_many_gets_its_dates_once(clinic: Clinic, desks: Desks) -> None:
    """The first begins maintenance; to the others it is a change to the interval that is there already."""
    course = given(clinic, 0)
    refused: list[object] = []

    def begin() -> None:
        try:
            decide(clinic.prescriber, course, "maintenance")
        except Invalid as error:
            refused.append(dict(error.fields))

    assert desks.press([begin] * WRITERS) == [OK] * WRITERS
    assert refused == [{"interval_days": ["Nothing would change: this is the interval already."]}] * (WRITERS - 1)
    dates = list(course.sessions.filter(phase=Phase.MAINTENANCE).values_list("local_date", flat=True))
    assert len(dates) == len(set(dates)) == 4
    assert CourseEvent.objects.filter(course=course, kind="decided").count() == 1


def test_a_decision_against_bookings_of_the_same_times_leaves_nothing_half_done(clinic: Clinic, desks: Desks) -> None:
    course = given(clinic, 0)
    day = MONDAY + timedelta(days=31)

    def book(number: int) -> None:
        places = [Place(local(day, "08:00"), clinic.chairs[number].pk, clinic.prescriber.pk)]
        booking.book_course(
            actor=clinic.desk, patient=patients[number], protocol=protocol(), places=places, now=EVENING
        )

    patients = PatientFactory.create_batch(WRITERS - 1)
    acts = [partial(decide, clinic.prescriber, course, "maintenance")]
    answers = desks.press([*acts, *(partial(book, number) for number in range(WRITERS - 1))])

    course.refresh_from_db()
    assert (answers[0], course.phase) == (OK, Phase.MAINTENANCE)
    assert_sound()


def test_courses_that_roll_on_at_once_get_their_dates_once(clinic: Clinic, desks: Desks) -> None:
    course = given(clinic, 0)
    decide(clinic.prescriber, course, "maintenance")
    noon = local(MONDAY + timedelta(days=40), "12:00")

    answers = desks.press([partial(rolling.roll_on, now=noon)] * WRITERS)

    assert answers == [OK] * WRITERS
    dates = list(course.sessions.live().filter(phase=Phase.MAINTENANCE).values_list("local_date", flat=True))
    assert len(dates) == len(set(dates))
    assert CourseEvent.objects.filter(course=course, kind="rolled-on").count() == 1


def test_a_stop_and_the_job_that_rolls_on_leave_a_stopped_course_without_dates(clinic: Clinic, desks: Desks) -> None:
    course = given(clinic, 0)
    decide(clinic.prescriber, course, "maintenance")
    noon = local(MONDAY + timedelta(days=40), "12:00")

    def stop() -> None:
        deciding.decide(actor=clinic.prescriber, course=course, decision="stop", reason="Wish", now=noon)

    answers = desks.press([stop, *[partial(rolling.roll_on, now=noon)] * (WRITERS - 1)])

    course.refresh_from_db()
    assert (answers, course.state) == ([OK] * WRITERS, CourseState.STOPPED)
    assert course.sessions.live().filter(during__startswith__gt=noon).count() == 0
