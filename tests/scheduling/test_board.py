"""What the day board reads: what it holds, and in how many queries."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.models import OpeningHours
from scheduling import board
from scheduling.board import SiteDay
from scheduling.models import Day, SessionState
from scheduling.phases import Due
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    ClosureFactory,
    CourseFactory,
    StaffFactory,
    local,
    make_clinic,
)
from tests.scheduling import measure, session

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def test_a_day_of_a_site_is_found_in_one_query(clinic: Clinic) -> None:
    tuesday = MONDAY + timedelta(days=1)
    Day.objects.update_or_create(site=clinic.site, date=tuesday, defaults={"version": 7})
    with CaptureQueriesContext(connection) as taken:
        found = board.site_day(actor=clinic.desk, day=tuesday, now=NOW)

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
    found = board.site_day(actor=clinic.desk, now=NOW)

    assert found is not None
    assert found.date == today


def test_a_site_at_which_one_does_not_work_is_not_shown(clinic: Clinic) -> None:
    stranger = StaffFactory.create()

    assert board.site_day(actor=stranger, now=NOW) is None
    assert board.site_day(actor=stranger, site=clinic.site.pk, now=NOW) is None


def shown_of(clinic: Clinic, day: date = MONDAY, now: datetime = NOW) -> board.Board:
    found = board.site_day(actor=clinic.desk, day=day, now=now)
    assert found is not None
    return board.board(found, now=now)


def test_the_board_holds_what_is_in_the_chairs_and_nothing_else(clinic: Clinic) -> None:
    late = session(clinic, CourseFactory.create(site=clinic.site), 0, starts_at=local(MONDAY, "13:00"))
    early = session(clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.DISCHARGED)
    session(clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.CANCELLED)
    session(clinic, CourseFactory.create(site=clinic.site), 1)

    shown = shown_of(clinic)
    assert [(row.chair, row.sessions) for row in shown.chairs] == [
        (chair, [early, late] if chair == clinic.chairs[0] else []) for chair in clinic.chairs
    ]
    assert [visit.session for visit in shown.visits] == [early, late]


def test_a_chair_out_of_use_is_shown_while_it_has_visits(clinic: Clinic) -> None:
    session(clinic, CourseFactory.create(site=clinic.site), 0)
    for chair in clinic.chairs[:2]:
        chair.active = False
        chair.save(update_fields=["active"])

    assert [row.chair for row in shown_of(clinic).chairs] == [clinic.chairs[0], *clinic.chairs[2:]]


def test_the_hours_of_a_day_are_those_that_closures_leave(clinic: Clinic) -> None:
    OpeningHours.objects.create(site=clinic.site, weekday=0, opens="19:00", closes="20:00")
    noon = ClosureFactory.create(site=clinic.site, during=(local(MONDAY, "12:00"), local(MONDAY, "13:00")))
    broken = ClosureFactory.create(site=clinic.site, chair=clinic.chairs[0])

    shown = shown_of(clinic)
    assert sorted(shown.opening) == [
        (local(MONDAY, "08:00"), local(MONDAY, "12:00")),
        (local(MONDAY, "13:00"), local(MONDAY, "18:00")),
        (local(MONDAY, "19:00"), local(MONDAY, "20:00")),
    ]
    assert (set(shown.closures), shown.closed) == ({noon, broken}, False)


def test_the_next_open_day_passes_over_weekends_and_closures(clinic: Clinic) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY + timedelta(days=7), days=2)

    assert shown_of(clinic, MONDAY + timedelta(days=5)).next_open == MONDAY + timedelta(days=9)


def test_only_a_closed_day_looks_for_the_next_open_one(clinic: Clinic) -> None:
    assert shown_of(clinic).next_open is None


def test_the_last_rounds_are_those_of_visits_that_are_running_and_not_voided(clinic: Clinic) -> None:
    going = session(clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.MONITORING)
    over = session(
        clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.DISCHARGED, chair=clinic.chairs[1]
    )
    measure(over, local(MONDAY, "12:00"))
    for clock, systolic in (("11:00", 150), ("11:15", 140), ("11:30", 130)):
        measure(going, local(MONDAY, clock), systolic=systolic)
    voided = {"voided_at": NOW, "voided_by": clinic.nurse}
    measure(going, local(MONDAY, "11:45"), systolic=120, **voided)

    first, second = shown_of(clinic, now=local(MONDAY, "11:50")).visits
    assert first.last is not None
    assert (first.last.taken_at, first.last.systolic, second.last) == (local(MONDAY, "11:30"), 130, None)
    assert first.is_due("vitals") == Due("vitals", local(MONDAY, "11:45"), overdue=True)


def test_who_runs_over_lets_those_who_follow_in_the_chair_wait(clinic: Clinic) -> None:
    late = {"dose_started_at": local(MONDAY, "09:00"), "dose_ended_at": local(MONDAY, "09:40")}
    for clock, more in (("08:00", {"state": SessionState.MONITORING, **late}), ("11:20", {}), ("14:40", {})):
        session(clinic, CourseFactory.create(site=clinic.site), 0, starts_at=local(MONDAY, clock), **more)

    visits = list(shown_of(clinic, now=local(MONDAY, "11:00")).visits)
    minutes = [(one.overrun // MINUTE, one.delay // MINUTE) for one in visits]
    assert minutes == [(30, 0), (0, 30), (0, 30)]
    assert [one.times.starts_at for one in visits] == [local(MONDAY, clock) for clock in ("08:00", "11:50", "15:10")]
