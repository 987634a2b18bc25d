"""Maintenance has dates for three months ahead, week after week, and nobody has to ask for them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Screening, Task, TaskKind
from scheduling import cancelling, deciding, rolling
from scheduling.models import Course, CourseState, Day, Mail, MailKind, PhaseChoice, Session, SessionState
from tests.factories import (
    MONDAY,
    Clinic,
    ClosureFactory,
    CourseFactory,
    SessionFactory,
    local,
    make_clinic,
    protocol,
    went,
)

pytestmark = pytest.mark.django_db

NOW = local(MONDAY, "09:00")


@pytest.fixture
def clinic(db: None) -> Clinic:
    return make_clinic(first=day(-56), weeks=48)


def maintained(clinic: Clinic, *days: int, interval: int = 21, code: str = "iv-ketamine-standard") -> Course:
    """A course in maintenance with visits so many days from MONDAY, and one eight weeks before it."""
    course = CourseFactory.create(
        site=clinic.site, phase=PhaseChoice.MAINTENANCE, interval_days=interval, protocol=protocol(code)
    )
    for number, ahead in enumerate((-56, *days), start=1):
        SessionFactory.create(
            course=course,
            number=number,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(day(ahead)),
        )
    went(course.sessions.filter(number=1))
    return course


def day(ahead: int) -> date:
    return MONDAY + timedelta(days=ahead)


def dates(course: Course) -> list[date]:
    return list(course.sessions.live().exclude(number=1).in_order().values_list("local_date", flat=True))


def lines() -> list[tuple[str, int]]:
    return [(task.kind, task.details["count"]) for task in Task.objects.filter(done_at=None)]


def test_dates_are_added_until_three_months_ahead_at_the_interval_told_in_one_mail(clinic: Clinic) -> None:
    course = maintained(clinic, 7, 28)

    placed = rolling.roll_on(now=NOW)

    assert placed == 2
    assert dates(course) == [day(7), day(28), day(49), day(70)]
    assert list(course.sessions.live().in_order().values_list("number", flat=True)) == [1, 2, 3, 4, 5]
    assert [(event.kind, event.by) for event in course.events.all()] == [("rolled-on", None)]
    assert list(Mail.objects.filter(session=None).values_list("kind", flat=True)) == [MailKind.CHANGED]


def test_it_does_nothing_the_second_time(clinic: Clinic) -> None:
    course = maintained(clinic, 7)
    rolling.roll_on(now=NOW)
    before = dates(course)

    assert rolling.roll_on(now=NOW + timedelta(hours=1)) == 0
    assert dates(course) == before


def test_over_half_a_year_no_month_has_more_than_two_and_none_is_empty(clinic: Clinic) -> None:
    course = maintained(clinic, 7, interval=14)
    for week in range(24):
        rolling.roll_on(now=NOW + timedelta(weeks=week))

    found = dates(course)
    months = {(one.year, one.month) for one in found}
    assert {month: sum((one.year, one.month) == month for one in found) <= 2 for month in months} == dict.fromkeys(
        months, True
    )
    assert all((later - earlier).days <= 31 for earlier, later in pairwise(found))
    assert found[-1] > day(24 * 7 + 60)


def test_the_spray_goes_on_weekly_without_month_rules(clinic: Clinic) -> None:
    course = maintained(clinic, 4, interval=7, code="esketamine-trd-us")

    rolling.roll_on(now=NOW)

    assert [(later - earlier).days for earlier, later in pairwise(dates(course))] == [7] * 12


def test_a_date_that_was_cancelled_is_not_given_again(clinic: Clinic) -> None:
    course = maintained(clinic, 7, 28, 49, 70)
    last = course.sessions.get(number=5)
    cancelling.cancel_session(actor=clinic.desk, session=last, reason="On holiday", now=NOW)

    rolling.roll_on(now=NOW)

    assert dates(course) == [day(7), day(28), day(49)]


def test_what_a_decision_freed_is_given_again_once_the_course_goes_on(clinic: Clinic) -> None:
    course = maintained(clinic, 7, 28, 49, 70)
    went(course.sessions.filter(number=2))
    then = local(day(8), "10:00")
    deciding.decide(actor=clinic.prescriber, course=course, decision="pause", reason="Away", now=then)
    assert (rolling.roll_on(now=then), dates(course)) == (0, [day(7)])
    deciding.decide(actor=clinic.prescriber, course=course, decision="go-on", reason="Back", now=then)

    assert dates(course) == [day(7), day(28), day(49), day(70), day(91)]


def test_what_finds_no_place_is_asked_for_once_it_is_near_and_looked_for_again(clinic: Clinic) -> None:
    course = maintained(clinic, 7)
    closed = ClosureFactory.create(site=clinic.site, day=day(21), days=200)

    rolling.roll_on(now=NOW)
    asked = lines()
    rolling.roll_on(now=NOW + timedelta(hours=1))
    again = lines()
    closed.delete()
    rolling.roll_on(now=NOW + timedelta(hours=2))

    assert asked == again == [(TaskKind.NO_DATES, 1)]
    assert (dates(course), lines()) == ([day(7), day(28), day(49), day(70)], [])


def test_a_look_that_finds_nothing_new_lets_no_open_board_look_again(clinic: Clinic) -> None:
    maintained(clinic, 7)
    ClosureFactory.create(site=clinic.site, day=day(21), days=200)
    rolling.roll_on(now=NOW)
    versions = list(Day.objects.order_by("pk").values_list("pk", "version"))

    rolling.roll_on(now=NOW + timedelta(hours=1))

    assert list(Day.objects.order_by("pk").values_list("pk", "version")) == versions


def test_far_dates_without_shifts_trouble_nobody() -> None:
    clinic = make_clinic(first=day(-56), weeks=15)
    course = maintained(clinic, 7, 28)

    rolling.roll_on(now=NOW)

    assert (dates(course), lines()) == ([day(7), day(28), day(46)], [])


def test_a_patient_who_may_not_be_treated_any_more_gets_no_dates(clinic: Clinic) -> None:
    course = maintained(clinic, 7)
    latest = Screening.objects.get(patient=course.patient)
    Screening.objects.create(
        patient=course.patient, version=2, answers=latest.answers, decision="declined", by=clinic.prescriber, at=NOW
    )

    assert (rolling.roll_on(now=NOW), dates(course)) == (0, [day(7)])
    assert lines() == [(TaskKind.NO_DATES, 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"phase": PhaseChoice.INITIAL},
        {"state": CourseState.PAUSED},
        {"state": CourseState.STOPPED, "ended_at": NOW},
    ],
)
def test_only_active_maintenance_rolls_on(clinic: Clinic, change: dict[str, object]) -> None:
    course = maintained(clinic, 7)
    Course.objects.filter(pk=course.pk).update(**change)

    assert (rolling.roll_on(now=NOW), dates(course)) == (0, [day(7)])


@pytest.mark.parametrize("at", ["07:59", "20:00", "23:30"])
def test_nobody_is_mailed_at_night(clinic: Clinic, at: str) -> None:
    maintained(clinic, 7)

    assert rolling.roll_on(now=local(MONDAY, at)) == 0


@pytest.mark.parametrize("many", [1, 12])
def test_courses_that_lack_nothing_take_two_queries_together(clinic: Clinic, many: int) -> None:
    for number in range(many):
        course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE, interval_days=21)
        chair = clinic.chairs[number % 6]
        for ahead in (0, 21, 42, 63, 84):
            clock = "09:00" if number < 6 else "13:00"
            SessionFactory.create(
                course=course,
                chair=chair,
                prescriber=clinic.prescribers[number % 2],
                starts_at=local(day(ahead), clock),
            )

    with CaptureQueriesContext(connection) as queries:
        assert rolling.roll_on(now=NOW) == 0

    assert len(queries) == 2


def test_visits_that_took_place_are_counted_in_their_month(clinic: Clinic) -> None:
    course = maintained(clinic, 1, 15)
    went(Session.objects.filter(course=course), SessionState.DISCHARGED)

    rolling.roll_on(now=local(day(15), "17:00"))

    assert dates(course)[2] >= date(2027, 3, 1)
