"""In which phase a visit is, and what is due about it next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduling import phases
from scheduling.models import SessionState
from scheduling.phases import Due
from scheduling.visits.charts import as_vitals
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, local
from tests.scheduling import measure, session

pytestmark = pytest.mark.django_db


def dues(*told: tuple[str, str], overdue: bool) -> tuple[Due, ...]:
    return tuple(Due(what, local(MONDAY, clock), overdue) for what, clock in told)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (SessionState.HELD, [("arrival", "09:00")]),
        (SessionState.BOOKED, [("arrival", "09:00")]),
        (SessionState.CONFIRMED, [("arrival", "09:00")]),
        (SessionState.CHECKED_IN, [("vitals", "09:30"), ("dose", "09:30")]),
        (SessionState.GIVING, [("vitals", "09:40"), ("dose-end", "10:10")]),
        (SessionState.MONITORING, [("vitals", "09:40"), ("discharge", "12:10")]),
        (SessionState.READY, [("vitals", "09:40"), ("discharge", "12:10")]),
    ],
)
def test_what_is_due_follows_from_the_state(state: SessionState, told: list[tuple[str, str]], clinic: Clinic) -> None:
    visit = session(clinic, CourseFactory.create(site=clinic.site), 0, state=state)

    assert phases.visit_of(visit, now=local(MONDAY, "09:00")).due == dues(*told, overdue=False)
    assert phases.visit_of(visit, now=local(MONDAY, "12:11")).due == dues(*told, overdue=True)


@pytest.mark.parametrize(
    "state",
    [state for state in SessionState if state.value in "discharged cancelled no-show not-dosed left-early expired"],
)
def test_nothing_is_due_once_a_visit_is_over(state: SessionState, clinic: Clinic) -> None:
    visit = session(clinic, CourseFactory.create(site=clinic.site), 0, state=state)

    assert phases.visit_of(visit, now=NOW).due == ()


def test_the_dose_is_due_when_the_chair_is_free(clinic: Clinic) -> None:
    visit = session(clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.CHECKED_IN)
    shown = phases.visit_of(visit, free_from=local(MONDAY, "09:24"), now=local(MONDAY, "09:10"))

    assert shown.is_due("dose") == Due("dose", local(MONDAY, "09:54"), overdue=False)
    assert (shown.delay, shown.overrun, shown.home_from) == (
        timedelta(minutes=24),
        timedelta(),
        local(MONDAY, "12:34"),
    )


@pytest.mark.parametrize(("began", "over"), [("09:34", 0), ("09:35", 5)])
def test_less_than_five_minutes_are_lost_in_the_turn_over(began: str, over: int, clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    visit = session(clinic, course, 0, state=SessionState.GIVING, dose_started_at=local(MONDAY, began))

    assert phases.visit_of(visit, now=local(MONDAY, "09:40")).overrun == timedelta(minutes=over)


def test_what_is_missing_is_said_while_the_patient_is_monitored(clinic: Clinic) -> None:
    visit = session(clinic, CourseFactory.create(site=clinic.site), 0, state=SessionState.MONITORING)
    now = local(MONDAY, "12:12")
    before = phases.visit_of(visit, now=now)
    after = phases.visit_of(visit, [as_vitals(measure(visit, local(MONDAY, "12:00")))], now=now)

    assert [found.rule for found in before.missing] == ["bp-leave", "sedation", "escort"]
    assert [found.rule for found in after.missing] == ["escort"]


def test_the_prescriber_who_leaves_before_the_patient_is_told(clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    visit = session(clinic, course, 0, state=SessionState.GIVING, dose_started_at=local(MONDAY, "10:30"))
    now = local(MONDAY, "10:40")
    early, late = local(MONDAY, "13:00"), local(MONDAY, "13:10")

    assert phases.visit_of(visit, off_from=early, now=now).alone_from == early
    assert phases.visit_of(visit, off_from=late, now=now).alone_from is None
