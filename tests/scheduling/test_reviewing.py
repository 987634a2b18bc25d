"""A score brings its lines in the same transaction, a later score or a decision takes them away."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from clinic.errors import RequestReused, RoleRefused, Stale
from patients import worklist
from patients.models import Patient, Score, Task
from scheduling import reviewing
from scheduling.models import Course, Session
from tests.factories import MONDAY, Clinic, CourseFactory, local, went
from tests.scheduling import session

CALM = [3, 3, 3, 3, 2, 3, 1, 1, 0]
IN_DANGER = [3, 3, 3, 3, 2, 3, 1, 1, 2]


def at(day: float, clock: str = "08:00") -> datetime:
    return local(MONDAY, clock) + timedelta(days=day)


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    return CourseFactory.create(patient=patient, site=clinic.site)


def given(clinic: Clinic, course: Course, *days: int, phase: str = "initial") -> None:
    made = [session(clinic, course, day, phase=phase).pk for day in days]
    went(Session.objects.filter(pk__in=made))


def score(clinic: Clinic, patient: Patient, day: float, total: int) -> Score:
    made, _again = reviewing.record_score(
        actor=clinic.nurse, patient=patient, instrument="phq9", total=total, taken_at=at(day), now=at(day)
    )
    return made


def lines() -> list[tuple[str, str]]:
    return [(task.kind, worklist.text_of(task)) for task in Task.objects.filter(done_at=None).order_by("pk")]


def test_a_request_records_one_score(clinic: Clinic, patient: Patient) -> None:
    request_id = uuid4()

    def again(total: int) -> tuple[Score, bool]:
        return reviewing.record_score(
            actor=clinic.nurse,
            patient=patient,
            instrument="phq9",
            total=total,
            taken_at=at(0),
            request_id=request_id,
            now=at(0),
        )

    (first, new), (second, repeated) = again(12), again(12)
    assert (first, new, repeated) == (second, False, True)
    with pytest.raises(RequestReused):
        again(13)
    assert Score.objects.count() == 1


def test_worse_by_5_is_reviewed_the_same_day_also_without_a_course(clinic: Clinic, patient: Patient) -> None:
    score(clinic, patient, 0, 13)
    score(clinic, patient, 4, 18)

    assert lines() == [("worse", "PHQ-9 13 to 18, 5 points more. Review the patient the same day.")]


def test_item_9_that_rises_is_worse_and_has_its_own_line(clinic: Clinic, patient: Patient) -> None:
    for day, items in ((0, CALM), (4, IN_DANGER)):
        reviewing.record_score(
            actor=None, patient=patient, instrument="phq9", items=items, taken_at=at(day), now=at(day)
        )

    assert lines() == [
        ("item-9", "Item 9 is 2 (more than half the days), PHQ-9 21: call the patient now."),
        ("worse", "Item 9 0 to 2. Review the patient the same day."),
    ]


def test_item_9_belongs_to_the_course_under_way(clinic: Clinic, course: Course, patient: Patient) -> None:
    reviewing.record_score(actor=None, patient=patient, instrument="phq9", items=IN_DANGER, taken_at=at(0), now=at(0))

    assert Task.objects.get().course == course


def test_worse_stays_until_somebody_has_looked_and_there_is_one_line(
    clinic: Clinic, course: Course, patient: Patient
) -> None:
    for day, total in ((-1, 10), (1, 15), (2, 15)):
        score(clinic, patient, day, total)
    assert [kind for kind, _text in lines()] == ["worse"]
    latest = score(clinic, patient, 3, 21)

    assert [task.key for task in Task.objects.filter(done_at=None)] == [f"score-{latest.pk}"]


@pytest.mark.parametrize(
    ("days", "total", "kind", "text"),
    [
        (
            (0, 3, 7),
            16,
            "no-benefit",
            "PHQ-9 20 to 16, 20% better after session 3. Under 25% better: review the benefit.",
        ),
        (
            (0, 3, 7, 10, 14, 17),
            18,
            "no-benefit",
            "PHQ-9 20 to 18, 10% better after session 6. Under 25% better: review the benefit.",
        ),
        (
            (0, 3, 7, 10),
            9,
            "phase-end",
            "PHQ-9 20 to 9, 55% better after session 4: response (50%). Not in remission (under 5).",
        ),
        (
            (0, 3, 7, 10, 14, 17),
            14,
            "phase-end",
            (
                "PHQ-9 20 to 14, 30% better after session 6. "
                "One or two more sessions by override, or a trial of maintenance."
            ),
        ),
    ],
)
def test_a_score_during_the_initial_phase_says_what_it_advises(
    days: tuple[int, ...], total: int, kind: str, text: str, clinic: Clinic, course: Course, patient: Patient
) -> None:
    given(clinic, course, *days)
    score(clinic, patient, -1, 20)
    score(clinic, patient, days[-1] + 1, total)

    assert lines() == [(kind, text)]
    assert Task.objects.get(kind=kind).course == course


def test_to_go_on_as_planned_needs_nobody(clinic: Clinic, course: Course, patient: Patient) -> None:
    given(clinic, course, 0, 3, 7)
    score(clinic, patient, -1, 20)
    score(clinic, patient, 8, 14)

    assert lines() == []


def test_a_later_score_takes_the_reason_away(clinic: Clinic, course: Course, patient: Patient) -> None:
    given(clinic, course, 0, 3, 7)
    score(clinic, patient, -1, 20)
    score(clinic, patient, 8, 18)
    assert [kind for kind, _text in lines()] == ["no-benefit"]
    score(clinic, patient, 9, 14)

    assert lines() == []


def test_a_relapse_is_seen_twice_in_maintenance(clinic: Clinic, course: Course, patient: Patient) -> None:
    given(clinic, course, 0, 3, 7, 10)
    Course.objects.update(phase="maintenance", interval_days=21)
    for day, total in ((-1, 20), (11, 4), (20, 11)):
        score(clinic, patient, day, total)
    assert [kind for kind, _text in lines()] == ["worse"]
    score(clinic, patient, 29, 12)

    assert lines()[1:] == [
        (
            "relapse",
            "PHQ-9 11, then 12, 9 days apart; the best was 4. Two sessions a month, a new initial phase, or stop.",
        )
    ]


def test_a_score_taken_back_takes_its_lines_along(clinic: Clinic, patient: Patient) -> None:
    score(clinic, patient, 0, 10)
    mistake = score(clinic, patient, 1, 20)
    void, _again = reviewing.void_score(actor=clinic.nurse, score=mistake, now=at(1))

    assert (void.voided_by, lines()) == (clinic.nurse, [])


def test_what_was_looked_at_does_not_come_again_with_an_older_score(clinic: Clinic, patient: Patient) -> None:
    score(clinic, patient, 0, 10)
    score(clinic, patient, 4, 20)
    worklist.acknowledge(actor=clinic.clinician, task=Task.objects.get(), now=at(4))
    reviewing.record_score(actor=clinic.nurse, patient=patient, instrument="phq9", total=11, taken_at=at(2), now=at(5))

    assert lines() == []


def test_a_decision_answers_the_lines_that_asked_for_it(clinic: Clinic, course: Course, patient: Patient) -> None:
    given(clinic, course, 0, 3, 7, 10)
    score(clinic, patient, -1, 20)
    score(clinic, patient, 11, 9)
    Course.objects.update(phase="maintenance", interval_days=21)
    reviewing.answered(Course.objects.get(), by=clinic.prescriber, now=at(12))

    assert Task.objects.get(kind="phase-end").done_by == clinic.prescriber
    assert [kind for kind, _text in lines()] == ["no-dates"]


def test_other_questionnaires_open_nothing(clinic: Clinic, patient: Patient) -> None:
    for day, total in ((0, 10), (1, 40)):
        reviewing.record_score(
            actor=clinic.nurse, patient=patient, instrument="madrs", total=total, taken_at=at(day), now=at(day)
        )

    assert lines() == []


def test_item_9_is_acknowledged_once(clinic: Clinic, patient: Patient) -> None:
    made, _again = reviewing.record_score(
        actor=None, patient=patient, instrument="phq9", items=IN_DANGER, taken_at=at(0), now=at(0)
    )
    with pytest.raises(RoleRefused):
        reviewing.see_score(actor=clinic.nurse, score=made, now=at(0))
    request_id = uuid4()
    for repeated in (False, True):
        seen, again = reviewing.see_score(
            actor=clinic.clinician, score=made, note="Called.", request_id=request_id, now=at(0)
        )
        assert (seen.seen_by, seen.seen_note, again) == (clinic.clinician, "Called.", repeated)
    with pytest.raises(Stale):
        reviewing.see_score(actor=clinic.prescriber, score=made, now=at(0))
    assert lines() == []
