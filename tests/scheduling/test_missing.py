"""What is missing of a visit to come: in which state, from when to when, and what counts for the questionnaire."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Patient, Score
from scheduling import missing
from scheduling.missing import Missing
from scheduling.models import Course, Reply, Session, SessionState, VisitRecord
from tests.factories import MONDAY, Clinic, CourseFactory, PatientFactory, local, went
from tests.scheduling import session

ANSWER, ESCORT, FORM = Missing


def at(day: float, clock: str = "08:00") -> datetime:
    """A time of the course: day 7 is its first visit, at nine."""
    return local(MONDAY, clock) + timedelta(days=day)


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    return CourseFactory.create(patient=patient, site=clinic.site)


@pytest.fixture
def visit(clinic: Clinic, course: Course) -> Session:
    return session(clinic, course, 7)


def score(patient: Patient, taken_at: datetime, instrument: str = "phq9", **more: object) -> Score:
    return Score.objects.create(patient=patient, instrument=instrument, total=9, taken_at=taken_at, at=taken_at, **more)


def lacks(visit: Session, now: datetime) -> set[Missing]:
    return set(missing.of([visit], now=now)[visit.pk])


def test_of_a_booked_visit_everything_is_missing(visit: Session) -> None:
    assert lacks(visit, at(6)) == {ANSWER, ESCORT, FORM}
    assert missing.forms_due(visit, now=at(6)) == ("phq9", "gad7")


def test_what_was_told_is_not_missing(clinic: Clinic, course: Course) -> None:
    visit = session(clinic, course, 7, state="confirmed")
    Reply.objects.create(session=visit, escort_name="Kim", updated_at=at(5))
    score(course.patient, at(5))

    assert lacks(visit, at(6)) == set()


def test_an_escort_who_was_taken_back_is_missing_again(visit: Session) -> None:
    Reply.objects.create(session=visit, escort_phone="+1 555 030 0001", updated_at=at(5))

    assert ESCORT in lacks(visit, at(6))


def test_who_is_here_and_has_named_somebody_misses_the_form_only_until_the_dose(clinic: Clinic, visit: Session) -> None:
    went(Session.objects.filter(pk=visit.pk), SessionState.CHECKED_IN)
    VisitRecord.objects.create(session=visit, changed={}, checked_in_by=clinic.nurse, escort_name="Kim")
    visit.refresh_from_db()
    assert lacks(visit, at(7, "09:05")) == {FORM}

    went(Session.objects.filter(pk=visit.pk), SessionState.GIVING)
    visit.refresh_from_db()
    assert (lacks(visit, at(7, "09:35")), missing.forms_due(visit, now=at(7, "09:35"))) == (set(), ())


@pytest.mark.parametrize("state", ["held", "cancelled", "no-show", "not-dosed", "discharged"])
def test_of_what_is_not_to_come_nothing_is_missing(clinic: Clinic, course: Course, state: str) -> None:
    steps = {"checked_in_at": at(7, "09:00"), "left_at": at(7, "09:10")} if state == "not-dosed" else {}
    visit = session(clinic, course, 7, state=state, **steps)

    assert (lacks(visit, at(6)), missing.forms_due(visit, now=at(6))) == (set(), ())


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (at(0, "08:59"), False),
        (at(0, "09:00"), True),
        (at(7, "12:19"), True),
        (at(7, "12:20"), False),
    ],
    ids=["before the week", "from a week before", "late", "after the planned end"],
)
def test_the_form_of_a_first_visit_is_due_from_a_week_before_to_its_end(
    visit: Session, now: datetime, due: bool
) -> None:
    assert (FORM in lacks(visit, now), bool(missing.forms_due(visit, now=now))) == (due, due)


@pytest.mark.parametrize(("taken_at", "due"), [(at(0, "08:59"), True), (at(0, "09:00"), False), (at(6), False)])
def test_a_first_visit_takes_a_form_that_still_is_a_baseline(visit: Session, taken_at: datetime, due: bool) -> None:
    score(visit.patient, taken_at)

    assert (FORM in lacks(visit, at(6))) == due


def test_a_form_that_was_taken_back_or_is_another_one_does_not_count(visit: Session) -> None:
    score(visit.patient, at(5), voided_at=at(5))
    score(visit.patient, at(5), "madrs")
    score(visit.patient, at(5), "gad7")

    assert FORM in lacks(visit, at(6))
    assert missing.forms_due(visit, now=at(6)) == ("phq9",)


def test_of_the_second_questionnaire_nobody_is_reminded(visit: Session) -> None:
    score(visit.patient, at(5))

    assert FORM not in lacks(visit, at(6))
    assert missing.forms_due(visit, now=at(6)) == ("gad7",)


def test_a_later_visit_takes_only_what_was_answered_since_the_dose_before(
    clinic: Clinic, course: Course, visit: Session
) -> None:
    later = session(clinic, course, 10)
    score(course.patient, at(7, "08:30"))
    assert FORM not in lacks(later, at(7, "09:29"))  # the one before comes first

    went(Session.objects.filter(pk=visit.pk))
    assert FORM in lacks(later, at(9))

    score(course.patient, at(8))
    assert FORM not in lacks(later, at(9))


def test_a_later_visit_counts_from_when_the_dose_before_truly_began(
    clinic: Clinic, course: Course, visit: Session
) -> None:
    later = session(clinic, course, 10)
    went(Session.objects.filter(pk=visit.pk))
    Session.objects.filter(pk=visit.pk).update(
        dose_started_at=at(7, "10:00"), dose_ended_at=at(7, "10:40"), left_at=at(7, "12:45")
    )
    score(course.patient, at(7, "09:45"))

    assert FORM in lacks(later, at(9))


def test_a_visit_that_was_given_up_leaves_the_one_after_it_the_first(
    clinic: Clinic, course: Course, visit: Session
) -> None:
    Session.objects.filter(pk=visit.pk).update(state=SessionState.NO_SHOW, freed_at=at(7, "10:00"))
    later = session(clinic, course, 10)
    score(course.patient, at(6))

    assert FORM not in lacks(later, at(9))


@pytest.mark.parametrize("count", [1, 12])
def test_any_number_of_visits_takes_one_query(clinic: Clinic, count: int) -> None:
    made = []
    for number in range(count):
        patient = PatientFactory.create()
        course = CourseFactory.create(patient=patient, site=clinic.site)
        day, chair = divmod(number, 2)
        doctor = clinic.prescribers[chair]
        made.append(session(clinic, course, day + (2 if day > 4 else 0), chair=clinic.chairs[chair], prescriber=doctor))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = missing.of(made, now=at(-1))

    assert (len(queries), len(found)) == (1, count)


def test_nothing_is_asked_of_nobody(db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert missing.of([], now=at(0)) == {}
    assert len(queries) == 0
