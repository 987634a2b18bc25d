"""Lines of the worklist: asked for again and again, there once; taken off by one."""

from __future__ import annotations

import pytest

from clinic.errors import Stale
from patients import worklist
from patients.models import Patient, Task, TaskKind
from tests.factories import NOW, Clinic, PatientFactory, make_clinic

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def patient() -> Patient:
    return PatientFactory.create()


def test_a_line_that_is_open_is_not_opened_again(patient: Patient) -> None:
    for key in ("", "", "7"):
        worklist.open_task(kind=TaskKind.FAILED_MAIL, patient=patient, key=key, now=NOW)

    assert sorted(Task.objects.values_list("key", flat=True)) == ["", "7"]


def test_a_line_that_was_done_can_be_opened_again(patient: Patient) -> None:
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    worklist.close_tasks(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)

    assert [task.done_at for task in Task.objects.order_by("pk")] == [NOW, None]


def test_lines_are_closed_by_kind_patient_and_key(clinic: Clinic, patient: Patient) -> None:
    other = PatientFactory.create()
    for kind, whose, key in (
        (TaskKind.NEEDS_TIME, patient, "1"),
        (TaskKind.NEEDS_TIME, patient, "2"),
        (TaskKind.NEEDS_TIME, other, "1"),
        (TaskKind.NO_ADDRESS, patient, "1"),
    ):
        worklist.open_task(kind=kind, patient=whose, key=key, now=NOW)
    worklist.close_tasks(kind=TaskKind.NEEDS_TIME, patient=patient, key="1", by=clinic.desk, now=NOW)

    closed = Task.objects.exclude(done_at=None)
    assert [(task.kind, task.patient, task.key, task.done_by) for task in closed] == [
        ("needs-time", patient, "1", clinic.desk)
    ]


def test_a_line_is_acknowledged_by_one(clinic: Clinic, patient: Patient) -> None:
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    task = Task.objects.get()
    done = worklist.acknowledge(actor=clinic.nurse, task=task, now=NOW)
    with pytest.raises(Stale):
        worklist.acknowledge(actor=clinic.desk, task=task, now=NOW)

    assert (done.done_by, Task.objects.get().done_by) == (clinic.nurse, clinic.nurse)


@pytest.mark.parametrize("kind", [TaskKind.OVERRIDE_ASKED, TaskKind.NEEDS_TIME])
def test_a_line_that_waits_for_an_act_is_not_acknowledged(kind: TaskKind, clinic: Clinic, patient: Patient) -> None:
    worklist.open_task(kind=kind, patient=patient, now=NOW)
    with pytest.raises(Stale, match="booked or given up"):
        worklist.acknowledge(actor=clinic.manager, task=Task.objects.get(), now=NOW)

    assert Task.objects.get().done_at is None


@pytest.mark.parametrize("kind", TaskKind)
def test_every_kind_says_what_to_do_without_naming_anybody(kind: TaskKind, patient: Patient) -> None:
    text = worklist.text_of(Task(kind=kind, patient=patient, details={}, since=NOW))

    assert text.endswith(".")
    assert patient.last_name not in text
