"""Questionnaires on the patient's page: answer by answer, sent once, item 9 told at once and in one line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from clinic.errors import Invalid, Stale
from patients import scoring, worklist
from patients.models import Patient, Questionnaire, Score, Task
from scheduling import lapses
from scheduling.models import Course, CourseEvent, Day, Session, SessionState
from scheduling.portal import questionnaires
from scheduling.visits import charts
from tests.factories import MONDAY, Clinic, CourseFactory, local, went
from tests.scheduling import session

CALM = [1, 2, 1, 0, 3, 1, 0, 1, 0]
IN_DANGER = [*CALM[:8], 2]


def at(day: float, clock: str = "08:00") -> datetime:
    """A time of the course: day 7 is its visit, at nine."""
    return local(MONDAY, clock) + timedelta(days=day)


EVENING = at(5, "21:00")


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    return CourseFactory.create(patient=patient, site=clinic.site)


@pytest.fixture
def visit(clinic: Clinic, course: Course) -> Session:
    return session(clinic, course, 7)


def answer(visit: Session, step: int, value: int, now: datetime = EVENING) -> Questionnaire:
    return questionnaires.answer(session=visit, step=step, value=value, now=now)


def answer_all(visit: Session, values: Sequence[int], first: int = 1) -> None:
    for step, value in enumerate(values, start=first):
        answer(visit, step, value)


def send(visit: Session, instrument: str = "phq9", now: datetime = EVENING) -> Score:
    return questionnaires.send(session=visit, instrument=instrument, now=now)


def lines() -> list[tuple[str, str]]:
    """The lines that are open: key and text."""
    return [(task.key, worklist.text_of(task)) for task in Task.objects.filter(done_at=None).order_by("pk")]


def test_every_answer_is_kept_as_it_is_given(visit: Session) -> None:
    answer(visit, 1, 3)
    answer(visit, 4, 0)
    answer(visit, 1, 2)
    answer(visit, 10, 1)

    assert [(one.instrument, one.answers, one.sent_at) for one in Questionnaire.objects.order_by("pk")] == [
        ("phq9", [2, None, None, 0, None, None, None, None, None], None),
        ("gad7", [1, None, None, None, None, None, None], None),
    ]
    phq9, gad7 = questionnaires.parts(visit, now=EVENING)
    assert (phq9.next, phq9.answer(4), gad7.next, gad7.steps) == (2, 0, 11, range(10, 17))
    assert (Score.objects.count(), Task.objects.count(), CourseEvent.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(("step", "value"), [(0, 1), (17, 1), (-3, 1), (1, 4), (1, -1)])
def test_what_is_no_question_or_no_answer_is_refused(visit: Session, step: int, value: int) -> None:
    with pytest.raises(Invalid):
        answer(visit, step, value)

    assert Questionnaire.objects.count() == 0


def test_what_was_sent_is_a_score_by_the_patient_alone(visit: Session) -> None:
    answer_all(visit, CALM)
    score = send(visit)

    assert (score.items, score.total, score.item_9, score.by, score.session, score.taken_at) == (
        CALM,
        9,
        0,
        None,
        visit,
        EVENING,
    )
    mine = Questionnaire.objects.get()
    assert (mine.score, mine.sent_at) == (score, EVENING)
    assert [(event.kind, event.by, event.details["sessions"]) for event in CourseEvent.objects.all()] == [
        ("answered", None, [visit.pk])
    ]
    phq9, gad7 = questionnaires.parts(visit, now=EVENING)
    assert (phq9.due, phq9.sent_at, gad7.due) == (False, EVENING, True)


def test_nobody_asks_for_it_any_more_in_the_same_commit(visit: Session) -> None:
    near = at(6, "20:00")
    lapses.review(now=near)
    assert [text for _key, text in lines()] == ["The PHQ-9 of session 1 is missing."]

    answer_all(visit, CALM)
    send(visit, now=near)
    assert lines() == []


def test_sending_again_changes_nothing_and_no_answer_changes_after_it(visit: Session) -> None:
    answer_all(visit, CALM)
    first = send(visit)
    again = send(visit, now=EVENING + timedelta(minutes=1))
    with pytest.raises(Stale):
        answer(visit, 1, 3)

    assert (first, Score.objects.count(), CourseEvent.objects.count()) == (again, 1, 1)
    assert Questionnaire.objects.get().answers == CALM


def test_what_is_not_complete_is_not_sent(visit: Session) -> None:
    answer_all(visit, CALM[:8])
    with pytest.raises(Invalid, match="every question"):
        send(visit)
    with pytest.raises(Stale):
        send(visit, "gad7")

    assert Score.objects.count() == 0


def test_the_second_questionnaire_is_sent_on_its_own(visit: Session) -> None:
    answer_all(visit, [1] * 7, first=10)
    score = send(visit, "gad7")

    assert (score.instrument, score.total, score.item_9) == ("gad7", 7, None)
    assert [(part.instrument.code, part.due) for part in questionnaires.parts(visit, now=EVENING)] == [
        ("phq9", True),
        ("gad7", False),
    ]


@pytest.mark.parametrize(
    ("state", "now"),
    [("booked", at(-0.1)), ("booked", at(7, "12:20")), ("giving", at(7, "09:40")), ("cancelled", EVENING)],
    ids=["too early", "over", "after the dose began", "cancelled"],
)
def test_nothing_is_answered_or_sent_outside_of_its_time(visit: Session, state: str, now: datetime) -> None:
    answer_all(visit, CALM)
    if state == "giving":
        went(Session.objects.filter(pk=visit.pk), SessionState.GIVING)
    elif state == "cancelled":
        Session.objects.filter(pk=visit.pk).update(state=state, freed_at=now)
    with pytest.raises(Stale):
        answer(visit, 1, 3, now)
    with pytest.raises(Stale):
        send(visit, now=now)

    assert (Questionnaire.objects.get().answers, Score.objects.count()) == (CALM, 0)


def test_a_patient_who_has_checked_in_can_still_send(visit: Session) -> None:
    answer_all(visit, CALM)
    went(Session.objects.filter(pk=visit.pk), SessionState.CHECKED_IN)

    assert send(visit, now=at(7, "09:05")).total == 9


def test_what_was_taken_back_by_the_clinic_begins_anew(visit: Session, clinic: Clinic) -> None:
    answer_all(visit, CALM)
    first = send(visit)
    scoring.void(actor=clinic.nurse, score=first, now=EVENING)
    [phq9, _gad7] = questionnaires.parts(visit, now=EVENING)
    assert (phq9.due, phq9.next, phq9.sent_at) == (True, 1, None)

    answer_all(visit, [0] * 9)
    assert (send(visit).total, Score.objects.count()) == (0, 2)


def test_a_score_that_staff_writes_down_meanwhile_ends_the_asking(visit: Session, clinic: Clinic) -> None:
    answer_all(visit, CALM)
    scoring.record(actor=clinic.nurse, patient=visit.patient, instrument="phq9", total=9, taken_at=EVENING, now=EVENING)
    with pytest.raises(Stale):
        send(visit)

    assert [part.instrument.code for part in questionnaires.parts(visit, now=EVENING)] == ["gad7"]


# Item 9


def test_item_9_is_told_before_anything_is_sent_and_once(visit: Session) -> None:
    mine = answer(visit, 9, 1)
    answer(visit, 9, 1)
    answer(visit, 9, 2)

    assert lines() == [
        (
            f"questionnaire-{mine.pk}",
            "Item 9 is 2 (more than half the days), the PHQ-9 is not sent yet: call the patient now.",
        )
    ]
    assert Task.objects.get().course == visit.course
    assert charts.unseen([visit.patient_id]) == {visit.patient_id}


@pytest.mark.django_db(transaction=True)  # a version is raised once in a transaction
def test_boards_look_again_when_item_9_is_answered_and_not_for_other_answers(visit: Session) -> None:
    def version() -> int:
        return Day.objects.get(site=visit.site, date=visit.local_date).version

    before = version()
    answer(visit, 8, 3)
    answer(visit, 10, 3)
    assert version() == before

    answer(visit, 9, 1)
    assert version() == before + 1


def test_the_line_stays_and_says_so_when_the_answer_is_taken_back(visit: Session) -> None:
    mine = answer(visit, 9, 3)
    answer(visit, 9, 1)
    assert lines()[0][1].startswith("Item 9 is 1, it was 3 (nearly every day); the PHQ-9 is not sent yet")

    answer_all(visit, CALM)
    assert send(visit).item_9 == 0
    text = "Item 9 was 3 (nearly every day) before it was changed to 0: call the patient now."
    assert lines() == [(f"questionnaire-{mine.pk}", text)]
    assert charts.unseen([visit.patient_id]) == {visit.patient_id}


def test_the_line_becomes_that_of_the_score(visit: Session, clinic: Clinic) -> None:
    answer_all(visit, IN_DANGER)
    score = send(visit)

    assert lines() == [(str(score.pk), "Item 9 is 2 (more than half the days), PHQ-9 11: call the patient now.")]
    assert scoring.unseen_item_9(visit.patient_id) == score

    worklist.acknowledge(actor=clinic.clinician, task=Task.objects.get(), note="Called.", now=EVENING)
    score.refresh_from_db()
    assert (score.seen_by, score.seen_note, lines(), charts.unseen([visit.patient_id])) == (
        clinic.clinician,
        "Called.",
        [],
        set(),
    )


def test_what_was_acknowledged_before_sending_is_so_for_the_score(visit: Session, clinic: Clinic) -> None:
    answer_all(visit, IN_DANGER)
    task = Task.objects.get()
    with pytest.raises(Invalid):
        worklist.acknowledge(actor=clinic.clinician, task=task, now=EVENING)
    worklist.acknowledge(actor=clinic.clinician, task=task, note="Called, safe.", now=EVENING)
    assert charts.unseen([visit.patient_id]) == set()

    answer(visit, 9, 1)
    answer(visit, 9, 2)
    score = send(visit, now=EVENING + timedelta(hours=1))
    assert (score.seen_at, score.seen_by, score.seen_note) == (EVENING, clinic.clinician, "Called, safe.")
    assert (lines(), Task.objects.filter(kind="item-9").count()) == ([], 1)


def test_a_worse_answer_than_the_one_that_was_acknowledged_is_told_again(visit: Session, clinic: Clinic) -> None:
    answer_all(visit, IN_DANGER)
    worklist.acknowledge(actor=clinic.clinician, task=Task.objects.get(), note="Called.", now=EVENING)
    answer(visit, 9, 3)
    score = send(visit)

    assert lines() == [(str(score.pk), "Item 9 is 3 (nearly every day), PHQ-9 12: call the patient now.")]
    assert score.seen_at is None


def test_a_line_whose_answers_were_sent_meanwhile_is_not_acknowledged_unseen(visit: Session, clinic: Clinic) -> None:
    answer_all(visit, IN_DANGER)
    before = Task.objects.get()
    send(visit)
    with pytest.raises(Stale, match="sent the answers meanwhile"):
        worklist.acknowledge(actor=clinic.clinician, task=before, note="Called.", now=EVENING)

    assert Task.objects.get(kind="item-9").done_at is None


def test_a_rise_brings_its_line_in_the_same_commit(visit: Session) -> None:
    Score.objects.create(
        patient=visit.patient, instrument="phq9", items=[0] * 9, total=0, item_9=0, taken_at=at(-20), at=at(-20)
    )
    answer_all(visit, IN_DANGER)
    send(visit)

    assert sorted(Task.objects.filter(done_at=None).values_list("kind", flat=True)) == ["item-9", "worse"]


def test_begun_anew_item_9_is_told_anew(visit: Session, clinic: Clinic) -> None:
    answer_all(visit, IN_DANGER)
    scoring.void(actor=clinic.clinician, score=send(visit), now=EVENING)
    assert lines() == []

    mine = answer(visit, 9, 1, EVENING + timedelta(minutes=1))
    assert [key for key, _text in lines()] == [f"questionnaire-{mine.pk}"]
