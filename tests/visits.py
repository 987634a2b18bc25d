"""A visit for tests: one first session on MONDAY at nine, and each step of it with what the step takes.

`at(minutes)` counts from the planned start: the dose is planned at 30 and 70, discharge at 190.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from clinic.models import Staff
from patients.models import Instrument, Patient, Score
from scheduling.booking import Change
from scheduling.models import Session, SessionState
from scheduling.protocols.visit_safety import HISTORY
from scheduling.visits import charting, treating
from scheduling.visits.charting import Charted
from scheduling.visits.stepping import Escort
from tests.factories import MONDAY, Clinic, CourseFactory, PatientFactory, SessionFactory, local, protocol

START = local(MONDAY, "09:00")
WELL: dict[str, Any] = {
    "systolic": 122,
    "diastolic": 78,
    "heart_rate": 70,
    "spo2": 98,
    "sedation": 5,
    "dissociation": 0,
}
KIM = Escort("Kim Morgan", "+1 555 030 0001")
NO_CHANGE: dict[str, bool | None] = dict.fromkeys(HISTORY, False)


def at(minutes: float) -> datetime:
    """So many minutes after the planned start."""
    return START + timedelta(minutes=minutes)


def answer_phq9(patient: Patient, *, taken_at: datetime, item_9: int = 0, total: int = 16) -> Score:
    """A PHQ-9 as it was answered."""
    return Score.objects.create(
        patient=patient, instrument=Instrument.PHQ9, total=total, item_9=item_9, taken_at=taken_at, at=taken_at
    )


DOSED, ENDED, HOME = at(30), at(70), at(190)


@dataclass
class Visit:
    """A visit with its clinic; `nurse` takes its steps, `second` looks at them. Each step has a time of its own."""

    clinic: Clinic
    session: Session
    nurse: Staff
    second: Staff

    def fresh(self) -> Session:
        """The session as it stands in the database."""
        return Session.objects.select_related(
            "course__site", "course__protocol", "course__patient", "site", "prescriber"
        ).get(pk=self.session.pk)

    def check_in(self, now: datetime = START, **given: Any) -> Change:
        given = {"changed": NO_CHANGE, "weight_kg": Decimal(80), "escort": KIM, **given}
        return treating.check_in(actor=self.nurse, session=self.session, now=now, **given)

    def measure(self, now: datetime, **given: Any) -> Charted:
        return charting.record_vitals(actor=self.nurse, session=self.session, now=now, **{**WELL, **given})

    def start(self, now: datetime = DOSED, **given: Any) -> Change:
        dose = {"drug": "Ketamine", "lot": "K-1", "mg": Decimal(40), "mg_per_kg": Decimal("0.5")}
        given = {**dose, "confirmed_by": self.second, **given}
        return treating.start(actor=self.nurse, session=self.session, now=now, **given)

    def finish(self, now: datetime = ENDED, **given: Any) -> Change:
        return treating.finish(actor=self.nurse, session=self.session, now=now, **given)

    def discharge(self, now: datetime = HOME, **given: Any) -> Change:
        given = {"checklist": {"oriented": True}, "seen_by": self.second, **given}
        return treating.discharge(actor=self.nurse, session=self.session, now=now, **given)

    def come_to(self, state: SessionState) -> Session:
        """Take the steps that lead to the state, each at its planned time."""
        steps = (
            (SessionState.CHECKED_IN, lambda: (self.check_in(), self.measure(at(10)))),
            (SessionState.GIVING, self.start),
            (SessionState.MONITORING, self.finish),
            (SessionState.READY, lambda: (self.measure(at(175)), self.measure(at(190)))),
            (SessionState.DISCHARGED, self.discharge),
        )
        for reached, step in steps:
            step()
            if reached == state:
                break
        return self.fresh()

    def come_to_monitoring(self) -> Session:
        return self.come_to(SessionState.MONITORING)


def make_visit(clinic: Clinic, *, code: str = "iv-ketamine-standard", chair: int = 0, **session: Any) -> Visit:
    """The first visit of a patient who was screened and has answered a PHQ-9 the day before."""
    patient = PatientFactory.create()
    answer_phq9(patient, taken_at=START - timedelta(days=1))
    course = CourseFactory.create(patient=patient, site=clinic.site, protocol=protocol(code))
    given = {"chair": clinic.chairs[chair], "prescriber": clinic.prescriber, "starts_at": START, **session}
    return Visit(clinic, SessionFactory.create(course=course, **given), clinic.nurse, clinic.clinician)
