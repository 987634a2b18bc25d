"""Screenings: save the answers and the decision on them as a new version, and what the rules say to the latest one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Stale
from clinic.findings import Finding, Level
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.answers import Answers, Decision
from patients.eligibility import QUESTIONS, judge, resistant
from patients.models import Patient, Screening, TaskKind

#: The drug of the default protocol, by which a list says whether a patient can be treated.
DEFAULT_DRUG = "ketamine"

#: Of the worklist's lines that ask for a review, those that a screening opens and closes.
REVIEW_KEY = "screening"


def screen(
    *,
    actor: Staff,
    patient: Patient,
    answers: Answers,
    decision: str = Decision.OPEN,
    based_on: int | None = None,
    now: datetime,
) -> Screening:
    """Save answers and decision as the patient's next version, which counts from then on; the earlier ones stay.

    `based_on` is the version that the actor saw, 0 for none; None takes whatever is there. A yes to what has to be
    told (`tell-us`) that the version before did not have asks for a review on the worklist; the line goes when
    nothing is left of it. Locks the patient's row, so that no booking is judged meanwhile. Raises RoleRefused, also
    for a decision by somebody who may not decide, and Stale when another version came in between.
    """
    permissions.require(actor, Verb.SCREEN)
    if decision != Decision.OPEN:
        permissions.require(actor, Verb.DECIDE)
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        before = latest(patient.pk)
        version = before.version if before else 0
        if based_on is not None and based_on != version:
            raise Stale(_("Somebody else has saved this screening meanwhile. Look at what they wrote, then save."))
        saved = Screening.objects.create(
            patient=patient,
            version=version + 1,
            answers=answers.to_data(),
            decision=decision,
            by=actor,
            at=now,
        )
        _review(patient, _to_tell(answers), _to_tell(answers_of(before)), by=actor, now=now)
    return saved


def latest(patient: int) -> Screening | None:
    """The version that counts, with who saved it; None without any. One query."""
    return Screening.objects.filter(patient=patient).select_related("by").order_by("-version").first()


def latest_of(patients: Iterable[int]) -> Mapping[int, Screening]:
    """The versions that count, by the patient's id; who was never screened is absent. One query."""
    found = Screening.objects.filter(patient__in=list(patients)).order_by("patient", "-version").distinct("patient")
    return {screening.patient_id: screening for screening in found}


def answers_of(screening: Screening | None) -> Answers | None:
    """What was answered, None without a screening."""
    return Answers.from_data(screening.answers) if screening else None


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What the rules say to a patient's screening for one drug; `resistant` as `failed_trials` are the evidence."""

    screening: Screening | None
    findings: tuple[Finding, ...]
    resistant: bool

    @property
    def decision(self) -> str | None:
        """What the screening came to, None without one."""
        return self.screening.decision if self.screening else None

    @property
    def eligible(self) -> bool | None:
        """Whether nothing blocks the treatment, None without a screening."""
        if self.screening is None:
            return None
        return all(finding.level is not Level.BLOCK for finding in self.findings)


def eligibility(screening: Screening | None, *, drug: str, today: date, certified: bool = True) -> Eligibility:
    """What part 2 says to this version, as `eligibility.judge` does. Pure."""
    answers = answers_of(screening)
    decision = screening.decision if screening else Decision.OPEN
    return Eligibility(
        screening,
        judge(answers, decision, drug=drug, today=today, certified=certified),
        resistant(answers),
    )


def eligibility_of(patient: int, *, drug: str, today: date, certified: bool = True) -> Eligibility:
    """What part 2 says to the latest screening of a patient. One query."""
    return eligibility(latest_of([patient]).get(patient), drug=drug, today=today, certified=certified)


def last_today(now: datetime) -> date:
    """The latest date that it is anywhere: where no site says which date a paper may bear at most."""
    return (now + timedelta(hours=14)).date()


def _to_tell(answers: Answers | None) -> list[str]:
    """The questions of `tell-us` that are answered with yes."""
    return [item for item, asked in QUESTIONS.items() if asked.rule == "tell-us" and getattr(answers, item, None)]


def _review(patient: Patient, items: list[str], before: list[str], *, by: Staff, now: datetime) -> None:
    """Ask for a review of what is new, and take the line off when nothing is left to look at."""
    if not items or set(items) - set(before):
        worklist.close_tasks(kind=TaskKind.REVIEW, patient=patient, key=REVIEW_KEY, by=by, now=now)
    if set(items) - set(before):
        details = {"items": items}
        worklist.open_task(kind=TaskKind.REVIEW, patient=patient, key=REVIEW_KEY, details=details, now=now)
