"""What time brings: a test for each line, when it is opened and when it goes by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients import worklist
from patients.models import Patient, Score, Task, TaskKind
from scheduling import deciding, lapses
from scheduling.models import Course, Session, SessionState, VisitRecord
from tests.factories import MONDAY, Clinic, CourseFactory, PatientFactory, local, protocol, went
from tests.scheduling import session


def at(day: int, clock: str = "08:00") -> datetime:
    """A time of the course: day 0 is its first visit, at nine."""
    return local(MONDAY + timedelta(days=day), clock)


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    return CourseFactory.create(patient=patient, site=clinic.site)


def phq9(patient: Patient, taken_at: datetime, total: int = 15) -> Score:
    return Score.objects.create(patient=patient, instrument="phq9", total=total, taken_at=taken_at, at=taken_at)


def given(clinic: Clinic, course: Course, *days: int, phase: str = "initial") -> list[Session]:
    """Visits that took place as planned, each after a PHQ-9."""
    made = [session(clinic, course, day, phase=phase) for day in days]
    went(Session.objects.filter(pk__in=[one.pk for one in made]))
    for one in made:
        phq9(course.patient, one.starts_at)
    return made


def lines(now: datetime) -> list[tuple[str, str, str]]:
    """The open lines after a look at this time: kind, key, text."""
    lapses.review(now=now)
    return [(task.kind, task.key, worklist.text_of(task)) for task in Task.objects.filter(done_at=None).order_by("pk")]


def kinds(now: datetime) -> list[str]:
    return [kind for kind, _key, _text in lines(now)]


def test_a_course_in_order_brings_nothing(clinic: Clinic, course: Course) -> None:
    phq9(course.patient, at(-1))
    for day in (0, 3, 7, 10, 14, 17):
        session(clinic, course, day)

    assert lines(at(-1)) == []
    assert not Task.objects.exists()


def test_the_baseline_is_asked_for_two_days_before_the_first_dose(clinic: Clinic, course: Course) -> None:
    first = session(clinic, course, 2)
    for day in (4, 7, 9):
        session(clinic, course, day)
    phq9(course.patient, first.starts_at - timedelta(days=7, minutes=1))

    assert lines(first.starts_at - timedelta(days=2, minutes=1)) == []
    assert lines(first.starts_at - timedelta(days=2)) == [
        ("score-overdue", f"session-{first.pk}", "The PHQ-9 of session 1 is missing.")
    ]
    phq9(course.patient, first.starts_at - timedelta(days=1))
    assert lines(first.starts_at - timedelta(hours=12)) == []


def test_a_dose_without_a_score_since_the_dose_before_is_overdue(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0)
    second = session(clinic, course, 3)
    for day in (7, 10):
        session(clinic, course, day)
    went(Session.objects.filter(pk=second.pk))

    assert lines(at(3, "13:00")) == [("score-overdue", f"session-{second.pk}", "The PHQ-9 of session 2 is missing.")]
    phq9(course.patient, at(4))
    assert lines(at(4)) == []


def test_a_week_without_a_score_after_a_dose_is_overdue(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0)
    for day in (9, 11, 14):
        session(clinic, course, day)
    began = course.sessions.get(number=1).dose_started_at
    assert began is not None

    assert kinds(began + timedelta(days=7, minutes=-1)) == []
    assert kinds(began + timedelta(days=7)) == ["score-overdue"]


def test_in_maintenance_two_weeks_without_a_score_are_overdue(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7, 10)
    Course.objects.update(phase="maintenance", interval_days=21)
    session(clinic, course, 29, phase="maintenance")

    assert kinds(at(24)) == []
    assert kinds(at(24, "10:00")) == ["score-overdue"]


def test_what_somebody_has_taken_off_does_not_come_again_for_the_same_reason(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0)
    for day in (9, 11, 14):
        session(clinic, course, day)
    assert kinds(at(8)) == ["score-overdue"]
    worklist.acknowledge(actor=clinic.nurse, task=Task.objects.get(), now=at(8))

    assert kinds(at(8, "09:00")) == []


def test_a_month_without_a_session_is_said_in_its_last_week_and_after_it(clinic: Clinic, course: Course) -> None:
    """The initial phase ends on 11 February, so March is the first month that owes a session."""
    given(clinic, course, 0, 3, 7, 10)
    Course.objects.update(phase="maintenance", interval_days=21)
    later = session(clinic, course, 45, phase="maintenance")  # 18 March
    phq9(course.patient, at(26))

    assert kinds(at(27)) == []
    Session.objects.filter(pk=later.pk).update(state=SessionState.CANCELLED, freed_at=at(27))
    phq9(course.patient, at(40))
    assert kinds(at(27)) == ["no-dates"]
    assert kinds(at(51)) == ["no-dates"]  # 24 March
    assert lines(at(52))[1:] == [("month-empty", "2027-03", "There is no maintenance session in March 2027.")]
    phq9(course.patient, at(59))
    assert kinds(at(60)) == ["no-dates", "month-empty"]


def test_a_booking_in_the_month_after_an_empty_one_is_an_answer(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0)
    Course.objects.update(phase="maintenance", interval_days=21)
    for day in (31, 50):
        phq9(course.patient, at(day))
    session(clinic, course, 52, phase="maintenance")  # 25 March

    assert kinds(at(51)) == []


def test_a_protocol_without_month_rules_owes_no_month(clinic: Clinic, patient: Patient) -> None:
    spray = CourseFactory.create(patient=patient, site=clinic.site, protocol=protocol("esketamine-trd-us"))
    given(clinic, spray, 0)
    Course.objects.update(phase="maintenance", interval_days=14)
    phq9(patient, at(55))

    assert "month-empty" not in kinds(at(56))


def test_a_minimum_out_of_reach_is_said_with_its_figures(clinic: Clinic, course: Course) -> None:
    """Three of four are given by day 10; the fourth is possible up to day 21."""
    given(clinic, course, 0, 3, 7)
    phq9(course.patient, at(18))

    assert kinds(at(21)) == ["no-dates"]
    assert lines(at(22)) == [
        (
            "reach",
            f"{course.pk}-3",
            "3 sessions stand, 4 are the minimum; day 21 comes too soon for more.",
        )
    ]
    Course.objects.update(phase="maintenance", interval_days=21)
    session(clinic, course, 24, phase="maintenance")
    assert kinds(at(22)) == []


def test_a_course_without_dates_is_found_while_it_owes_some(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7, 10)
    phq9(course.patient, at(11))

    assert lines(at(11)) == [("no-dates", "", "No visit is booked: find dates for what comes next.")]
    session(clinic, course, 14)
    assert lines(at(11)) == []


def test_a_visit_under_way_is_a_date(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7)
    last = session(clinic, course, 10)
    went(Session.objects.filter(pk=last.pk), SessionState.MONITORING)
    phq9(course.patient, last.starts_at)

    assert kinds(last.ends_at) == []


def test_a_phase_that_was_given_waits_for_a_decision(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7, 10, 14, 17)

    assert lines(at(18)) == [
        ("phase-end", "given-6", "The initial phase has been given: decide how the course goes on.")
    ]
    Course.objects.update(phase="maintenance", interval_days=21)
    assert kinds(at(18)) == ["no-dates"]


def test_a_phase_waits_until_a_decision_says_how_it_goes_on(clinic: Clinic, course: Course) -> None:
    """Another dose, or a pause that is over, says nothing of what comes after the phase."""
    given(clinic, course, 0, 3, 7, 10, 14, 17)
    assert kinds(at(18)) == ["phase-end"]

    def decide(decision: str, **told: Any) -> list[str]:
        deciding.decide(
            actor=clinic.prescriber, course=course, decision=decision, reason="As discussed.", now=at(18), **told
        )
        return kinds(at(18))

    assert decide("change-dose", dose=Decimal("0.6")) == ["phase-end"]
    assert decide("pause") == []
    assert decide("go-on") == ["phase-end"]
    assert "phase-end" not in decide("maintenance")


def test_a_course_whose_pause_is_over_is_found(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7, 10)
    Course.objects.update(state="paused", paused_until=MONDAY + timedelta(days=30))

    assert lines(at(29)) == []
    assert lines(at(30)) == [("no-dates", "", "No visit is booked: find dates for what comes next.")]
    Course.objects.update(paused_until=MONDAY + timedelta(days=40))
    assert lines(at(30)) == []


def test_a_record_that_is_open_again_is_asked_for_again(clinic: Clinic, course: Course) -> None:
    phq9(course.patient, at(-1))
    running = session(clinic, course, 0)
    for day in (3, 7, 10):
        session(clinic, course, day)
    over = running.ends_at + timedelta(hours=2)
    assert kinds(over) == ["open-record"]
    Task.objects.update(done_at=over, done_by=clinic.nurse)

    assert kinds(over) == ["open-record"]


def test_a_score_that_has_asked_for_the_decision_is_enough(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7, 10, 14, 17)
    worklist.open_task(kind=TaskKind.PHASE_END, patient=course.patient, course=course, key="score-1", now=at(18))

    assert lines(at(18)) == [
        ("phase-end", "score-1", "The initial phase has been given: decide how the course goes on.")
    ]


def test_a_record_that_is_open_two_hours_after_the_visit_is_said(clinic: Clinic, course: Course) -> None:
    phq9(course.patient, at(-1))
    running = session(clinic, course, 0)
    for day in (3, 7, 10):
        session(clinic, course, day)
    went(Session.objects.filter(pk=running.pk), SessionState.MONITORING)
    over = running.ends_at + timedelta(hours=2)

    assert lines(over - timedelta(minutes=1)) == []
    assert lines(over) == [
        ("open-record", f"session-{running.pk}", "The visit is over and its record is not finished.")
    ]
    went(Session.objects.filter(pk=running.pk))
    assert lines(over) == []


def test_a_visit_of_which_nobody_knows_whether_it_was_is_said(clinic: Clinic, course: Course) -> None:
    phq9(course.patient, at(-1))
    awaited = session(clinic, course, 0)
    for day in (3, 7, 10):
        session(clinic, course, day)

    assert lines(awaited.ends_at + timedelta(hours=2)) == [
        (
            "open-record",
            f"session-{awaited.pk}",
            "The time of this visit is over: write down whether the patient came.",
        )
    ]


def test_esketamines_form_is_due_within_seven_days(clinic: Clinic, patient: Patient) -> None:
    spray = CourseFactory.create(patient=patient, site=clinic.site, protocol=protocol("esketamine-trd-us"))
    (visit,) = given(clinic, spray, 0)
    for day in (3, 7, 10, 14, 17, 21, 24):
        session(clinic, spray, day)
    record = VisitRecord.objects.create(session=visit, changed={}, checked_in_by=clinic.nurse)

    assert lines(at(1)) == [
        ("open-form", f"session-{visit.pk}", "The monitoring form has to be sent by 8 February 2027.")
    ]
    record.form_sent_at, record.form_sent_by = at(1), clinic.nurse
    record.save(update_fields=["form_sent_at", "form_sent_by"])
    assert lines(at(1)) == []


def test_a_patient_without_an_address_is_told_by_phone(clinic: Clinic) -> None:
    silent = CourseFactory.create(patient=PatientFactory.create(email=""), site=clinic.site)
    phq9(silent.patient, at(-1))
    for day in (0, 3, 7, 10):
        session(clinic, silent, day)

    assert kinds(at(-1)) == ["no-address"]
    worklist.acknowledge(actor=clinic.desk, task=Task.objects.get(), now=at(-1))
    assert kinds(at(-1)) == []


@pytest.mark.parametrize("state", ["paused", "stopped", "completed"])
def test_a_course_that_is_not_active_lacks_nothing(state: str, clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7)
    assert kinds(at(30)) == ["score-overdue", "reach"]
    Course.objects.update(state=state, ended_at=None if state == "paused" else at(30))

    assert kinds(at(30)) == []


def test_lines_that_only_a_running_course_brings_go_with_its_end(clinic: Clinic, course: Course) -> None:
    for kind in (TaskKind.RELAPSE, TaskKind.NO_BENEFIT, TaskKind.PHASE_END, TaskKind.WORSE, TaskKind.ITEM_9):
        worklist.open_task(kind=kind, patient=course.patient, course=course, key="score-1", now=at(0))
    Course.objects.update(state="stopped", ended_at=at(1))

    assert kinds(at(1)) == ["worse", "item-9"]


def test_looking_twice_changes_nothing_and_one_course_can_be_looked_at_alone(clinic: Clinic, course: Course) -> None:
    given(clinic, course, 0, 3, 7)
    other = CourseFactory.create(patient=PatientFactory.create(), site=clinic.site)
    lapses.review(now=at(9), course=course)
    first = list(Task.objects.values_list("pk", "kind", "course", "done_at"))
    lapses.review(now=at(9, "09:00"), course=course)

    assert [row[1:] for row in first] == [("no-dates", course.pk, None)]
    assert list(Task.objects.values_list("pk", "kind", "course", "done_at")) == first
    lapses.review(now=at(9))
    assert sorted(Task.objects.values_list("course", flat=True)) == sorted([course.pk, other.pk])


@pytest.mark.parametrize("courses", [1, 12])
def test_the_number_of_queries_does_not_grow_with_the_courses(courses: int, clinic: Clinic) -> None:
    for number in range(courses):
        one = CourseFactory.create(patient=PatientFactory.create(), site=clinic.site)
        session(clinic, one, number % 5, chair=clinic.chairs[number % 6], prescriber=clinic.prescribers[number % 2])
    with CaptureQueriesContext(
        connection,
    ) as counted:
        lapses.review(now=at(30))

    assert Task.objects.count() >= courses
    assert len([query for query in counted if "SAVEPOINT" not in query["sql"]]) == 8
