"""Who was screened in the demonstration, and what came of it: most were accepted before their course was planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from clinic.local.demo import people
from clinic.local.demo.house import House
from patients import screening
from patients.answers import (
    Answers,
    Decision,
    Outcome,
    Severity,
    SignOff,
    Therapy,
    TherapyKind,
    Trial,
    antidepressant,
)
from patients.eligibility import QUESTIONS
from patients.models import Patient

#: What was tried, at which dose and for how many weeks; each patient has had two that failed and may have had more.
_TRIED = (
    ("sertraline", "150 mg", 10),
    ("duloxetine", "60 mg", 8),
    ("escitalopram", "20 mg", 12),
    ("venlafaxine", "225 mg", 9),
    ("nortriptyline", "100 mg", 8),
    ("fluoxetine", "40 mg", 14),
)
_BESIDE = ("Bupropion 300 mg", "Mirtazapine 30 mg", "Vortioxetine 20 mg", "Trazodone 50 mg")

#: Among those who are ready for a course, by their place: what a visitor finds at each.
HEART, PRESSURE, OPEN, NONE = 1, 2, 3, 4


def write(house: House, patients: Sequence[Patient], first_ready: int) -> None:
    """Screen the patients an hour after each was registered; `first_ready` is the place of the first who is READY."""
    for number, patient in enumerate(patients):
        at, place = patient.created_at + timedelta(hours=1), number - first_ready
        answers, decision = _answers(number, at, house), Decision.ACCEPTED
        if place == NONE:
            continue
        if place == HEART:
            answers = replace(answers, heart=True)
        elif place == PRESSURE:
            answers = replace(answers, pressure=True, medicines=(*answers.medicines, "Lisinopril 10 mg"))
        elif place == OPEN:
            unknown = SignOff("Theo Brandt", None, "")
            answers = replace(answers, therapist=unknown, vessels=None, off_label_consent=None)
            decision = Decision.OPEN
        by = house.prescribers[number % people.PRESCRIBERS]
        screening.screen(actor=by, patient=patient, answers=answers, decision=decision, based_on=0, now=at)


def _answers(number: int, at: datetime, house: House) -> Answers:
    """Somebody in whom nothing speaks against any protocol."""
    day = at.astimezone(house.zone).date()
    tried = [_TRIED[(number + step) % len(_TRIED)] for step in range(2 + number % 2)]
    heard = day - timedelta(days=3)
    return Answers(
        trials=tuple(
            _trial(*row, Outcome.NOT_TOLERATED if step == 2 else Outcome.FAILED) for step, row in enumerate(tried)
        ),
        therapies=(
            Therapy(TherapyKind.GROUP if number % 4 == 3 else TherapyKind.ONE_TO_ONE, "Weekly for half a year."),
        ),
        doctor=SignOff("Dr. Paula Renner", heard, "No objection; blood pressure is normal."),
        therapist=SignOff("Theo Brandt", heard, "Agrees, and goes on with the therapy."),
        psychologist=SignOff("Dr. Mina Sato", heard, "Severe recurrent depression, no psychosis."),
        treatment_consent=day,
        off_label_consent=day,
        rems_enrolled=day,
        severity=Severity.MODERATE if number % 3 == 2 else Severity.SEVERE,
        allergies="Penicillin" if number % 5 == 4 else "",
        medicines=(_BESIDE[number % len(_BESIDE)],),
        **dict.fromkeys(QUESTIONS, False),  # type: ignore[arg-type]  # the questions are those fields that take an answer
    )


def _trial(drug: str, dose: str, weeks: int, outcome: Outcome) -> Trial:
    known = antidepressant(drug)
    if known is None:
        raise ValueError(f"{drug} is not on the list")
    adequate = outcome is not Outcome.NOT_TOLERATED
    return Trial(known.name, known.drug_class, dose, weeks if adequate else 2, adequate, outcome)
