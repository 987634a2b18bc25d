"""Scores are written down once, item 9 opens its line with them, and only a clinician closes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError

from clinic.errors import Invalid, RoleRefused, Stale
from clinic.models import Staff
from patients import scoring, worklist
from patients.models import Patient, Score, Task, TaskKind
from tests.factories import NOW, Clinic, CourseFactory, PatientFactory, SessionFactory, make_clinic

pytestmark = pytest.mark.django_db

CALM = [3, 3, 3, 3, 2, 3, 1, 1, 0]
IN_DANGER = [3, 3, 3, 3, 2, 3, 1, 1, 2]


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def patient() -> Patient:
    return PatientFactory.create()


def record(actor: Staff | None, patient: Patient, instrument: str = "phq9", **given: Any) -> Score:
    return scoring.record(actor=actor, patient=patient, instrument=instrument, **{"taken_at": NOW, "now": NOW, **given})


def test_answers_are_added_up_and_kept(clinic: Clinic, patient: Patient) -> None:
    score = record(clinic.nurse, patient, items=CALM)
    score.refresh_from_db()

    assert (score.items, score.total, score.item_9, score.by, score.at) == (CALM, 19, 0, clinic.nurse, NOW)
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("instrument", "given", "total"),
    [
        ("gad7", {"items": [3] * 7}, 21),
        ("madrs", {"total": 60}, 60),
        ("qids", {"total": 0}, 0),
        ("phq9", {"total": 14}, 14),
    ],
)
def test_every_measure_can_be_recorded(
    instrument: str, given: dict[str, Any], total: int, clinic: Clinic, patient: Patient
) -> None:
    score = record(clinic.desk, patient, instrument, **given)

    assert (score.total, score.item_9) == (total, None)


@pytest.mark.parametrize(
    ("instrument", "given", "field"),
    [
        ("hamd", {"total": 3}, "instrument"),
        ("phq9", {}, "items"),
        ("phq9", {"items": []}, "items"),
        ("phq9", {"items": [0] * 8}, "items"),
        ("phq9", {"items": [4] + [0] * 8}, "items"),
        ("phq9", {"items": CALM, "total": 18}, "total"),
        ("phq9", {"total": 28}, "total"),
        ("gad7", {"total": 22}, "total"),
        ("madrs", {}, "total"),
        ("madrs", {"total": 61}, "total"),
        ("madrs", {"items": [1] * 10}, "items"),
        ("qids", {"total": -1}, "total"),
        ("phq9", {"total": 3, "taken_at": NOW + timedelta(minutes=1)}, "taken_at"),
        ("phq9", {"total": 3, "taken_at": datetime(2027, 1, 1)}, "taken_at"),  # noqa: DTZ001 a naive time is refused
        ("phq9", {"total": 3, "taken_at": NOW - timedelta(days=60 * 365)}, "taken_at"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_field(
    instrument: str, given: dict[str, Any], field: str, clinic: Clinic, patient: Patient
) -> None:
    with pytest.raises(Invalid) as refused:
        record(clinic.nurse, patient, instrument, **given)

    assert list(refused.value.fields) == [field]
    assert not Score.objects.exists()


def test_a_score_belongs_to_a_visit_of_the_same_patient(clinic: Clinic, patient: Patient) -> None:
    course = CourseFactory.create(patient=patient, site=clinic.site)
    session = SessionFactory.create(course=course, chair=clinic.chairs[0], prescriber=clinic.prescriber)

    assert record(clinic.nurse, patient, total=12, session=session).session == session
    with pytest.raises(Invalid):
        record(clinic.nurse, PatientFactory.create(), total=12, session=session)


def test_a_manager_writes_no_score(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(RoleRefused):
        record(clinic.manager, patient, total=3)


def test_item_9_above_0_opens_a_line_at_once_also_by_the_patient_alone(patient: Patient) -> None:
    score = record(None, patient, items=IN_DANGER)
    task = Task.objects.get()

    assert (task.kind, task.patient, task.key, score.by) == (TaskKind.ITEM_9, patient, str(score.pk), None)
    assert worklist.text_of(task) == "Item 9 is 2 (more than half the days), PHQ-9 21: call the patient now."
    assert scoring.unseen_item_9(patient.pk) == score


def test_a_clinician_acknowledges_item_9_and_the_line_goes(clinic: Clinic, patient: Patient) -> None:
    score = record(clinic.nurse, patient, items=IN_DANGER)
    with pytest.raises(RoleRefused):
        scoring.see(actor=clinic.nurse, score=score, now=NOW)
    seen = scoring.see(actor=clinic.clinician, score=score, note=" Called, safe with her mother. ", now=NOW)
    task = Task.objects.get()

    assert (seen.seen_at, seen.seen_by, seen.seen_note) == (NOW, clinic.clinician, "Called, safe with her mother.")
    assert (task.done_at, task.done_by) == (NOW, clinic.clinician)
    assert scoring.unseen_item_9(patient.pk) is None
    with pytest.raises(Stale):
        scoring.see(actor=clinic.prescriber, score=score, now=NOW)


def test_item_9_is_not_acknowledged_without_a_word_on_what_is_done(clinic: Clinic, patient: Patient) -> None:
    score = record(clinic.nurse, patient, items=IN_DANGER)
    with pytest.raises(Invalid) as refused:
        scoring.see(actor=clinic.clinician, score=score, note=" \n", now=NOW)

    assert refused.value.fields == {"note": ["Say what is done about it."]}
    assert scoring.unseen_item_9(patient.pk) == score
    assert Task.objects.get().done_at is None


def test_there_is_nothing_to_acknowledge_without_item_9(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(Stale):
        scoring.see(actor=clinic.clinician, score=record(clinic.nurse, patient, items=CALM), now=NOW)


def test_the_worklist_acknowledges_the_score_itself(clinic: Clinic, patient: Patient) -> None:
    score = record(clinic.nurse, patient, items=IN_DANGER)
    with pytest.raises(RoleRefused):
        worklist.acknowledge(actor=clinic.desk, task=Task.objects.get(), now=NOW)
    with pytest.raises(Invalid):
        worklist.acknowledge(actor=clinic.prescriber, task=Task.objects.get(), now=NOW)
    worklist.acknowledge(actor=clinic.prescriber, task=Task.objects.get(), note="Spoke to her.", now=NOW)
    score.refresh_from_db()

    assert (score.seen_by, score.seen_note) == (clinic.prescriber, "Spoke to her.")
    assert Task.objects.get().done_by == clinic.prescriber


def test_a_mistake_is_taken_back_and_kept(clinic: Clinic, patient: Patient) -> None:
    score = record(clinic.nurse, patient, items=CALM)
    void = scoring.void(actor=clinic.nurse, score=score, now=NOW)

    assert (void.voided_at, void.voided_by, Score.objects.count()) == (NOW, clinic.nurse, 1)
    with pytest.raises(Stale):
        scoring.void(actor=clinic.nurse, score=score, now=NOW)


def test_only_a_clinician_takes_item_9_back(clinic: Clinic, patient: Patient) -> None:
    score = record(clinic.nurse, patient, items=IN_DANGER)
    with pytest.raises(RoleRefused):
        scoring.void(actor=clinic.nurse, score=score, now=NOW)
    scoring.void(actor=clinic.clinician, score=score, now=NOW)

    assert Task.objects.get().done_by == clinic.clinician
    assert scoring.unseen_item_9(patient.pk) is None


def test_nobody_changes_what_was_answered(clinic: Clinic, patient: Patient) -> None:
    score = record(clinic.nurse, patient, items=CALM)
    with pytest.raises(ProgrammingError, match=r"score_unchanged|Cannot update"):
        Score.objects.filter(pk=score.pk).update(total=3)
