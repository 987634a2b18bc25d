"""How a course works, in one read: which scores belong to it, what was given and measured."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Patient, Score
from scheduling import response
from scheduling.models import AdverseEvent, Course, Session, SessionState, VisitRecord, VitalsRound
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, local, went
from tests.scheduling import session


def at(day: float, clock: str = "08:00") -> datetime:
    return local(MONDAY, clock) + timedelta(days=day)


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    return CourseFactory.create(patient=patient, site=clinic.site, created_at=NOW)


def score(patient: Patient, day: float, total: int, instrument: str = "phq9", **more: object) -> Score:
    return Score.objects.create(
        patient=patient, instrument=instrument, total=total, taken_at=at(day), at=at(day), **more
    )


def given(clinic: Clinic, course: Course, *days: int) -> list[Session]:
    made = [session(clinic, course, day) for day in days]
    went(Session.objects.filter(pk__in=[one.pk for one in made]))
    return list(Session.objects.filter(pk__in=[one.pk for one in made]).in_order())


def test_the_series_runs_from_the_baseline_to_now(clinic: Clinic, course: Course, patient: Patient) -> None:
    given(clinic, course, 0, 3, 7, 10)
    totals = [score(patient, day, total) for day, total in ((-3, 22), (-1, 20), (5, 14), (11, 9))]
    score(patient, -60, 3)  # another time
    score(patient, 12, 1, voided_at=at(12))
    progress = response.progress_of(course)
    series = progress.series["phq9"]

    assert series.scores == tuple(totals)
    assert (series.baseline, series.now, series.best) == (totals[1], totals[3], totals[3])
    assert (series.percent, series.response, series.remission) == (55, True, False)
    assert [advice.code for advice in progress.advice] == ["offer-maintenance"]
    assert (progress.given, progress.protocol.code) == (4, "iv-ketamine-standard")


def test_every_instrument_has_its_series(clinic: Clinic, course: Course, patient: Patient) -> None:
    given(clinic, course, 0)
    for instrument, totals in (("madrs", (30, 10)), ("qids", (8, 5)), ("gad7", (15, 14))):
        for day, total in zip((-1, 2), totals, strict=True):
            score(patient, day, total, instrument)
    series = response.progress_of(course).series

    assert {code: (one.percent, one.response, one.remission) for code, one in series.items()} == {
        "phq9": (None, False, False),
        "gad7": (6, False, False),
        "madrs": (66, True, True),
        "qids": (None, False, True),  # no-baseline
    }


def test_before_the_first_dose_there_is_a_baseline_and_no_change(
    clinic: Clinic, course: Course, patient: Patient
) -> None:
    session(clinic, course, 2)
    first = score(patient, -1, 20)
    series = response.progress_of(course).series["phq9"]

    assert (series.baseline, series.now, series.percent, series.response) == (first, first, None, False)


def test_an_ended_course_keeps_its_scores_and_advises_nothing(clinic: Clinic, course: Course, patient: Patient) -> None:
    given(clinic, course, 0, 3, 7, 10)
    mine = [score(patient, day, total) for day, total in ((-1, 20), (11, 9))]
    Course.objects.update(state="completed", ended_at=at(12))
    score(patient, 20, 12)
    course.refresh_from_db()
    progress = response.progress_of(course)

    assert (progress.series["phq9"].scores, progress.advice) == (tuple(mine), ())


def test_a_visit_shows_what_was_measured_before_at_most_and_last(
    clinic: Clinic, course: Course, patient: Patient
) -> None:
    (visit,) = given(clinic, course, 0)
    record = VisitRecord.objects.create(
        session=visit, changed={}, checked_in_by=clinic.nurse, drug="ketamine", mg=34, mg_given=34
    )

    def measured(minutes: int, systolic: int, **more: object) -> VitalsRound:
        assert visit.dose_started_at is not None
        return VitalsRound.objects.create(
            session=visit,
            taken_at=visit.dose_started_at + timedelta(minutes=minutes),
            systolic=systolic,
            diastolic=80,
            heart_rate=70,
            spo2=98,
            sedation=5,
            dissociation=0,
            by=clinic.nurse,
            at=visit.dose_started_at,
            **more,
        )

    rounds = [measured(minutes, systolic) for minutes, systolic in ((-20, 130), (-5, 126), (20, 150), (140, 128))]
    measured(30, 200, voided_at=NOW)
    event = AdverseEvent.objects.create(
        session=visit, type="nausea", onset=rounds[2].taken_at, severity=1, by=clinic.nurse, at=NOW
    )
    (shown,) = response.progress_of(course).visits

    assert (shown.record, shown.rounds, shown.events) == (record, tuple(rounds), (event,))
    assert (shown.before, shown.highest, shown.last) == (rounds[1], rounds[2], rounds[3])
    assert shown.given_at == visit.dose_started_at


def test_a_visit_to_come_has_nothing_measured(clinic: Clinic, course: Course) -> None:
    session(clinic, course, 2)
    session(clinic, course, 4, state=SessionState.CANCELLED)
    (shown,) = response.progress_of(course).visits

    assert (shown.record, shown.before, shown.highest, shown.last, shown.given_at) == (None, None, None, None, None)


@pytest.mark.parametrize("count", [1, 6])
def test_one_read_takes_four_queries(count: int, clinic: Clinic, course: Course, patient: Patient) -> None:
    for visit in given(clinic, course, *(0, 3, 7, 10, 14, 17)[:count]):
        VisitRecord.objects.create(session=visit, changed={}, checked_in_by=clinic.nurse)
        score(patient, (visit.starts_at - at(0)).days, 12, by=clinic.nurse)
    found = Course.objects.select_related("site", "protocol", "patient").get()
    with CaptureQueriesContext(connection) as counted:
        progress = response.progress_of(found)
        assert [(visit.record, visit.session.chair.name) for visit in progress.visits]
        assert [one.by for one in progress.series["phq9"].scores] == [clinic.nurse] * count

    assert len(counted) == 4
