"""The reads behind the screens: what they hold, and in how many queries."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.models import OpeningHours
from patients import worklist
from patients.models import TaskKind
from scheduling import queries
from scheduling.models import Course, Day, Session, SessionState
from scheduling.queries import Due, SiteDay
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    ClosureFactory,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    StaffFactory,
    local,
    make_clinic,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic()


def session(clinic: Clinic, course: Course, day: int, **more: Any) -> Session:
    """A session at nine, so many days after MONDAY, in the first chair with the first prescriber."""
    known = {
        "chair": clinic.chairs[0],
        "prescriber": clinic.prescriber,
        "starts_at": local(MONDAY + timedelta(days=day)),
    }
    return SessionFactory.create(course=course, **{**known, **more})


@pytest.mark.parametrize(
    ("state", "what", "clock"),
    [
        (SessionState.HELD, "arrival", "09:00"),
        (SessionState.BOOKED, "arrival", "09:00"),
        (SessionState.CONFIRMED, "arrival", "09:00"),
        (SessionState.CHECKED_IN, "dose", "09:30"),
        (SessionState.GIVING, "dose-end", "10:10"),
        (SessionState.MONITORING, "discharge", "12:10"),
        (SessionState.READY, "discharge", "12:10"),
    ],
)
def test_what_is_due_follows_from_the_state(state: SessionState, what: str, clock: str, clinic: Clinic) -> None:
    visit = session(clinic, CourseFactory.create(site=clinic.site), 0, state=state)
    at = local(MONDAY, clock)

    assert queries.due(visit, at) == (Due(what, at, overdue=False),)
    assert queries.due(visit, at + timedelta(seconds=1)) == (Due(what, at, overdue=True),)


@pytest.mark.parametrize(
    "state",
    [state for state in SessionState if state.value in "discharged cancelled no-show not-dosed left-early expired"],
)
def test_nothing_is_due_once_a_visit_is_over(state: SessionState, clinic: Clinic) -> None:
    visit = session(clinic, CourseFactory.create(site=clinic.site), 0, state=state)

    assert queries.due(visit, NOW) == ()


def test_a_day_of_a_site_is_found_in_one_query(clinic: Clinic) -> None:
    tuesday = MONDAY + timedelta(days=1)
    Day.objects.update_or_create(site=clinic.site, date=tuesday, defaults={"version": 7})
    with CaptureQueriesContext(connection) as taken:
        found = queries.site_day(actor=clinic.desk, day=tuesday, now=NOW)

    assert (found, len(taken)) == (SiteDay(clinic.site, tuesday, 7), 1)


@pytest.mark.parametrize(
    ("zone", "today"),
    [
        ("America/New_York", date(2027, 2, 1)),
        ("Pacific/Kiritimati", date(2027, 2, 2)),
        ("Pacific/Apia", date(2027, 2, 2)),
    ],
)
def test_today_is_the_sites(zone: str, today: date) -> None:
    clinic = make_clinic(chairs=1, prescribers=1, weeks=1, zone=zone)
    found = queries.site_day(actor=clinic.desk, now=NOW)

    assert found is not None
    assert found.date == today


def test_a_site_at_which_one_does_not_work_is_not_shown(clinic: Clinic) -> None:
    stranger = StaffFactory.create()

    assert queries.site_day(actor=stranger, now=NOW) is None
    assert queries.site_day(actor=stranger, site=clinic.site.pk, now=NOW) is None


def board(clinic: Clinic, day: date = MONDAY) -> queries.Board:
    found = queries.site_day(actor=clinic.desk, day=day, now=NOW)
    assert found is not None
    return queries.board(found, now=NOW)


def test_the_board_holds_what_is_in_the_chairs_and_nothing_else(clinic: Clinic) -> None:
    late = session(clinic, CourseFactory.create(site=clinic.site), 0, starts_at=local(MONDAY, "13:00"))
    early = session(clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.DISCHARGED)
    session(clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.CANCELLED)
    session(clinic, CourseFactory.create(site=clinic.site), 1)

    shown = board(clinic)
    assert [(row.chair, row.sessions) for row in shown.chairs] == [
        (chair, [early, late] if chair == clinic.chairs[0] else []) for chair in clinic.chairs
    ]
    assert [visit.session for visit in shown.visits] == [early, late]


def test_a_chair_out_of_use_is_shown_while_it_has_visits(clinic: Clinic) -> None:
    session(clinic, CourseFactory.create(site=clinic.site), 0)
    for chair in clinic.chairs[:2]:
        chair.active = False
        chair.save(update_fields=["active"])

    assert [row.chair for row in board(clinic).chairs] == [clinic.chairs[0], *clinic.chairs[2:]]


def test_the_hours_of_a_day_are_those_that_closures_leave(clinic: Clinic) -> None:
    OpeningHours.objects.create(site=clinic.site, weekday=0, opens="19:00", closes="20:00")
    noon = ClosureFactory.create(site=clinic.site, during=(local(MONDAY, "12:00"), local(MONDAY, "13:00")))
    broken = ClosureFactory.create(site=clinic.site, chair=clinic.chairs[0])

    shown = board(clinic)
    assert sorted(shown.opening) == [
        (local(MONDAY, "08:00"), local(MONDAY, "12:00")),
        (local(MONDAY, "13:00"), local(MONDAY, "18:00")),
        (local(MONDAY, "19:00"), local(MONDAY, "20:00")),
    ]
    assert (set(shown.closures), shown.closed) == ({noon, broken}, False)


def test_the_next_open_day_passes_over_weekends_and_closures(clinic: Clinic) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY + timedelta(days=7), days=2)

    assert queries.next_open_day(clinic.site, MONDAY + timedelta(days=4)) == MONDAY + timedelta(days=9)


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
