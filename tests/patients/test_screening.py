"""Screenings: versions that are never changed, who decides, what asks for a review."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import ProgrammingError, transaction

from clinic.errors import RoleRefused, Stale
from clinic.models import Staff
from patients import screening
from patients.answers import Answers
from patients.models import Patient, Screening, Task, TaskKind
from tests.factories import NOW, Clinic, PatientFactory, make_clinic
from tests.screenings import WELL

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def patient() -> Patient:
    return PatientFactory.create(screened=False)


def screen(actor: Staff, patient: Patient, answers: Answers = WELL, decision: str = "", **more: int) -> Screening:
    return screening.screen(actor=actor, patient=patient, answers=answers, decision=decision, now=NOW, **more)


def test_what_is_saved_again_is_another_version_and_the_latest_counts(clinic: Clinic, patient: Patient) -> None:
    first = screen(clinic.clinician, patient, Answers(), based_on=0)
    second = screen(clinic.prescriber, patient, WELL, "accepted", based_on=1)

    assert list(Screening.objects.order_by("version")) == [first, second]
    assert (first.version, first.by, first.decision) == (1, clinic.clinician, "")
    assert (second.version, second.by, second.decision) == (2, clinic.prescriber, "accepted")
    assert screening.latest(patient.pk) == second
    assert screening.answers_of(second) == WELL


def test_a_version_is_never_changed(clinic: Clinic, patient: Patient) -> None:
    saved = screen(clinic.clinician, patient)
    for change in (lambda: Screening.objects.filter(pk=saved.pk).update(decision="accepted"), saved.delete):
        with pytest.raises(ProgrammingError), transaction.atomic():
            change()


def test_who_looked_at_an_older_version_is_told(clinic: Clinic, patient: Patient) -> None:
    screen(clinic.clinician, patient, based_on=0)
    with pytest.raises(Stale):
        screen(clinic.clinician, patient, based_on=0)

    assert Screening.objects.count() == 1
    assert screen(clinic.clinician, patient).version == 2


def test_a_clinician_answers_and_a_prescriber_decides(clinic: Clinic, patient: Patient) -> None:
    for staff in (clinic.desk, clinic.nurse, clinic.manager):
        with pytest.raises(RoleRefused):
            screen(staff, patient)
    with pytest.raises(RoleRefused):
        screen(clinic.clinician, patient, decision="accepted")

    assert Screening.objects.count() == 0


def test_answers_that_change_after_the_decision_wait_for_another_one(clinic: Clinic, patient: Patient) -> None:
    screen(clinic.prescriber, patient, WELL, "accepted")
    screen(clinic.clinician, patient, replace(WELL, allergies="Penicillin"))
    found = screening.eligibility_of(patient.pk, drug="ketamine", today=TODAY)

    assert (found.decision, found.eligible, [finding.rule for finding in found.findings]) == (
        "",
        False,
        ["not-screened"],
    )


def test_only_a_block_makes_a_patient_ineligible(clinic: Clinic, patient: Patient) -> None:
    def come_to(answers: Answers, decision: str = "accepted") -> tuple[bool | None, bool]:
        screen(clinic.prescriber, patient, answers, decision)
        found = screening.eligibility_of(patient.pk, drug="ketamine", today=TODAY)
        return found.eligible, found.resistant

    assert screening.eligibility_of(patient.pk, drug="ketamine", today=TODAY).eligible is None
    assert come_to(WELL) == (True, True)
    assert come_to(replace(WELL, pressure=True, trials=())) == (True, False)
    assert come_to(replace(WELL, bleed=True)) == (False, True)
    assert come_to(WELL, "declined") == (False, True)


def test_the_latest_versions_of_many_patients_take_one_query(
    clinic: Clinic, patient: Patient, django_assert_num_queries: type
) -> None:
    other, unscreened = PatientFactory.create(), PatientFactory.create(screened=False)
    screen(clinic.clinician, patient, Answers())
    saved = screen(clinic.clinician, patient)
    with django_assert_num_queries(1):
        found = screening.latest_of([patient.pk, other.pk, unscreened.pk])

    assert found == {patient.pk: saved, other.pk: screening.latest(other.pk)}


def open_reviews(patient: Patient) -> list[list[str]]:
    lines = Task.objects.filter(patient=patient, kind=TaskKind.REVIEW, done_at=None)
    return [task.details["items"] for task in lines]


def test_a_yes_to_liver_or_heart_asks_for_a_review_once(clinic: Clinic, patient: Patient) -> None:
    liver = replace(WELL, liver=True)
    screen(clinic.clinician, patient, liver)
    assert open_reviews(patient) == [["liver"]]

    Task.objects.update(done_at=NOW, done_by=clinic.prescriber)
    screen(clinic.clinician, patient, replace(liver, allergies="None"))
    assert open_reviews(patient) == []

    screen(clinic.clinician, patient, replace(liver, heart=True))
    assert open_reviews(patient) == [["liver", "heart"]]

    screen(clinic.clinician, patient, replace(liver, heart=False))
    assert open_reviews(patient) == [["liver", "heart"]]

    screen(clinic.clinician, patient, WELL)
    assert open_reviews(patient) == []
