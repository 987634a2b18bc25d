"""The course page of a clinician: what it shows in every state, and the decision that is taken there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from scheduling.models import Course
from tests import treated
from tests.factories import MONDAY, Clinic, local
from tests.pages import Element, page, signed_in

#: The day after the fifth visit of the pattern 0, 3, 7, 10, 14, 17.
AFTER_FIVE = local(MONDAY + timedelta(days=15), "12:00")


@pytest.fixture
def later(clinic: Clinic, course: Course) -> Iterator[Course]:
    """Five visits were given, the scores are those of a response; it is the day after the fifth."""
    treated.give(course, clinic.nurse, 5)
    treated.answer(course)
    with time_machine.travel(AFTER_FIVE, tick=False):
        yield course


def panel(answer: Any, name: str) -> Element:
    """The panel whose heading has this id."""
    (found,) = [element for element in page(answer).all(f"[aria-labelledby={name}]") if element.tag == "section"]
    return found


def doctor(clinic: Clinic) -> Client:
    """The prescriber, who has just signed in."""
    return signed_in(clinic.prescriber)


def path(course: Course) -> str:
    return f"/courses/{course.pk}/"


def test_it_says_how_much_better_and_what_is_suggested(later: Course, clinic: Clinic) -> None:
    answer = doctor(clinic).get(path(later))

    assert panel(answer, "score-title").all("p.stand")[0].text == (
        "Baseline 20 Now 9 (Tue 16 Feb) 55% better: response"
    )
