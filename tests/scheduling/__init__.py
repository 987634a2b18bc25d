"""Tests of courses and sessions: the visits that they begin with."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from scheduling.models import Course, Session, VitalsRound
from scheduling.protocols.types import Place
from tests.factories import MONDAY, Clinic, SessionFactory, local

#: Days after the Tuesday that follows MONDAY: Tuesdays and Fridays.
STANDARD = (0, 3, 7, 10, 14, 17)


def day(number: int) -> date:
    """The day of a course that begins on the Tuesday after MONDAY."""
    return MONDAY + timedelta(days=1 + number)


def place(clinic: Clinic, number: int, clock: str = "09:00", chair: int = 0) -> Place:
    """A visit on such a day, with the first prescriber."""
    return Place(local(day(number), clock), clinic.chairs[chair].pk, clinic.prescriber.pk)


def session(clinic: Clinic, course: Course, day: int, **more: Any) -> Session:
    """A session at nine, so many days after MONDAY, in the first chair with the first prescriber."""
    known = {
        "chair": clinic.chairs[0],
        "prescriber": clinic.prescriber,
        "starts_at": local(MONDAY + timedelta(days=day)),
    }
    return SessionFactory.create(course=course, **{**known, **more})


def measure(session: Session, taken_at: datetime, **values: Any) -> VitalsRound:
    """A calm round of measurements, by the visit's prescriber."""
    calm = {"systolic": 128, "diastolic": 78, "heart_rate": 70, "spo2": 97, "sedation": 5, "dissociation": 0}
    known = {**calm, "by": session.prescriber, "at": taken_at, **values}
    return VitalsRound.objects.create(session=session, taken_at=taken_at, **known)
