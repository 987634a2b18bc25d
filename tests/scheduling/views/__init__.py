"""Tests of pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from patients.models import Patient
from scheduling import booking
from scheduling.models import Course
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, Clinic, local, protocol
from tests.pages import page

PATTERN = (0, 3, 7, 10, 14, 17)


def places(clinic: Clinic, days: Sequence[int] = PATTERN, clock: str = "09:00", chair: int = 0) -> list[Place]:
    """One visit on each of these days after MONDAY, with the first prescriber."""
    return [
        Place(local(MONDAY + timedelta(days=day), clock), clinic.chairs[chair].pk, clinic.prescriber.pk) for day in days
    ]


def book(clinic: Clinic, patient: Patient, days: Sequence[int] = PATTERN, chair: int = 0, **more: Any) -> Course:
    """Book a course by the verb."""
    return booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=places(clinic, days, chair=chair),
        now=NOW,
        **more,
    ).course


def told(response: Any, selector: str) -> list[str]:
    """What the elements of the page's main part that match say."""
    (main,) = page(response).all("main")
    return [element.text for element in main.all(selector)]
