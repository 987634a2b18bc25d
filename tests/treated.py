"""A course under way for tests: visits that were given, with what was measured, and the scores between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from clinic.models import Staff
from patients.models import Patient, Score
from scheduling.models import AdverseEvent, Course, Session, VisitRecord, VitalsRound
from tests.factories import went

#: The response of the interface's drawing: from 20 before the first dose to 9 after the fifth.
RESPONSE = (20, 18, 15, 14, 11, 9)
PRESSURES = ((126, 80), (148, 92), (130, 82))


def give(course: Course, by: Staff, visits: int) -> list[Session]:
    """Let the first so many visits of a booked course have gone well: 34 mg each, three rounds of measurements."""
    chosen = list(course.sessions.in_order()[:visits])
    went(Session.objects.filter(pk__in=[session.pk for session in chosen]))
    given = list(Session.objects.filter(pk__in=[session.pk for session in chosen]).in_order())
    for session in given:
        assert session.dose_started_at is not None
        VisitRecord.objects.create(
            session=session,
            changed=dict.fromkeys(("pressure", "liver", "stroke", "heart"), False),
            checked_in_by=by,
            weight_kg=Decimal("68.0"),
            drug="ketamine",
            mg=Decimal("34.0"),
            mg_given=Decimal("34.0"),
            mg_per_kg=Decimal("0.5"),
        )
        for minutes, pressure in zip((-10, 40, 150), PRESSURES, strict=True):
            measure(session, by, minutes, pressure)
    return given


def measure(session: Session, by: Staff, minutes: int, pressure: tuple[int, int], **more: object) -> VitalsRound:
    """A round of measurements, so many minutes after the dose began."""
    assert session.dose_started_at is not None
    at = session.dose_started_at + timedelta(minutes=minutes)
    values = {"heart_rate": 72, "spo2": 97, "sedation": 5, "dissociation": 2} | more
    return VitalsRound.objects.create(
        session=session, taken_at=at, at=at, systolic=pressure[0], diastolic=pressure[1], by=by, **values
    )


def untoward(session: Session, by: Staff, kind: str, severity: int = 1) -> AdverseEvent:
    """Something untoward in a visit that was given."""
    assert session.dose_started_at is not None
    at = session.dose_started_at + timedelta(minutes=30)
    return AdverseEvent.objects.create(session=session, type=kind, onset=at, severity=severity, by=by, at=at)


def score(patient: Patient, at: datetime, total: int, instrument: str = "phq9", **more: object) -> Score:
    """A questionnaire, taken at an instant."""
    return Score.objects.create(patient=patient, instrument=instrument, total=total, taken_at=at, at=at, **more)


def answer(course: Course, totals: Sequence[int] = RESPONSE, instrument: str = "phq9") -> list[Score]:
    """One score the day before the first visit, then one the day after each of the next."""
    starts = [session.starts_at for session in course.sessions.in_order()[: len(totals) - 1]]
    days = [starts[0] - timedelta(days=1), *(start + timedelta(days=1) for start in starts)]
    item_9 = {"item_9": 0} if instrument == "phq9" else {}
    return [
        score(course.patient, at, total, instrument, **item_9)
        for at, total in zip(days[: len(totals)], totals, strict=True)
    ]
