"""A patient who taps in many windows at the same moment: one questionnaire, one score, one line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from clinic.errors import Invalid, Stale
from patients import worklist
from patients.models import Questionnaire, Score, Task
from scheduling.models import CourseEvent, Session
from scheduling.portal import questionnaires
from tests.factories import NOW, Clinic, CourseFactory, make_clinic
from tests.scheduling import session

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 8


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=2)


@pytest.fixture
def visit(clinic: Clinic) -> Session:
    return session(clinic, CourseFactory.create(site=clinic.site), 1)


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Everything at the same moment, each on a connection of its own; what was refused."""
    barrier = threading.Barrier(len(acts))

    def take(act: Callable[[], object]) -> str:
        try:
            barrier.wait(timeout=30)
            act()
        except (Invalid, Stale) as refused:
            return type(refused).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(take, acts))


def answer(visit: Session, step: int, value: int) -> Callable[[], object]:
    return lambda: questionnaires.answer(session=visit, step=step, value=value, now=NOW)


def send(visit: Session) -> object:
    return questionnaires.send(session=visit, instrument="phq9", now=NOW)


def test_answers_to_all_questions_at_once_are_all_kept(visit: Session) -> None:
    assert at_once(*(answer(visit, step, step % 4) for step in range(1, 17))) == ["done"] * 16

    phq9, gad7 = Questionnaire.objects.order_by("-instrument")
    assert (phq9.answers, gad7.answers) == ([1, 2, 3, 0, 1, 2, 3, 0, 1], [2, 3, 0, 1, 2, 3, 0])
    assert Task.objects.filter(kind="item-9").count() == 1


def test_the_first_answer_in_many_windows_begins_one_questionnaire_and_one_line(visit: Session) -> None:
    assert at_once(*[answer(visit, 9, 2)] * MANY) == ["done"] * MANY
    assert (Questionnaire.objects.count(), Task.objects.count()) == (1, 1)


def test_sent_many_times_at_once_it_is_one_score(visit: Session) -> None:
    for step in range(1, 10):
        answer(visit, step, 1)()
    assert at_once(*[lambda: send(visit)] * MANY) == ["done"] * MANY

    assert (Score.objects.count(), CourseEvent.objects.count()) == (1, 1)
    assert [task.key for task in Task.objects.filter(kind="item-9")] == [str(Score.objects.get().pk)]


def test_sent_while_it_is_acknowledged_it_is_either_seen_or_waits_for_somebody(visit: Session, clinic: Clinic) -> None:
    for step in range(1, 10):
        answer(visit, step, 1)()
    task = Task.objects.get()
    acknowledged, sent = at_once(
        lambda: worklist.acknowledge(actor=clinic.prescriber, task=task, note="Called.", now=NOW),
        lambda: send(visit),
    )

    line, score = Task.objects.get(kind="item-9"), Score.objects.get()
    assert (line.key, sent) == (str(score.pk), "done")
    assert {"done": (clinic.prescriber, clinic.prescriber), "Stale": (None, None)}[acknowledged] == (
        line.done_by,
        score.seen_by,
    )
