"""Screenings for tests: the answers of somebody in whom nothing speaks against any drug, long ago. Needs no Django."""

from __future__ import annotations

from datetime import date

from patients.answers import Answers, DrugClass, Outcome, Severity, SignOff, Therapy, TherapyKind, Trial
from patients.eligibility import QUESTIONS

LONG_AGO = date(2026, 1, 5)
HEARD = SignOff("Dana Ruiz", LONG_AGO, "A good candidate.")
SERTRALINE = Trial("sertraline", DrugClass.SSRI, "150 mg", 10, adequate=True, outcome=Outcome.FAILED)
DULOXETINE = Trial("duloxetine", DrugClass.SNRI, "60 mg", 8, adequate=True, outcome=Outcome.FAILED)
WELL = Answers(
    trials=(SERTRALINE, DULOXETINE),
    therapies=(Therapy(TherapyKind.ONE_TO_ONE),),
    doctor=HEARD,
    therapist=HEARD,
    psychologist=HEARD,
    treatment_consent=LONG_AGO,
    off_label_consent=LONG_AGO,
    rems_enrolled=LONG_AGO,
    severity=Severity.SEVERE,
    medicines=("Bupropion 150 mg",),
    **dict.fromkeys(QUESTIONS, False),  # type: ignore[arg-type]  # the questions are those fields that take an answer
)
