"""Lines of the worklist: asked for again and again, there once; taken off by one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError

from clinic.errors import Invalid, RoleRefused, Stale
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


@pytest.mark.parametrize("kind", [TaskKind.OVERRIDE_ASKED, TaskKind.NEEDS_TIME, TaskKind.NO_DATES])
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


def line(patient: Patient, kind: TaskKind = TaskKind.NO_ADDRESS) -> Task:
    worklist.open_task(kind=kind, patient=patient, now=NOW)
    return Task.objects.get()


def test_a_line_is_given_to_somebody_and_back_to_all(clinic: Clinic, patient: Patient) -> None:
    task = line(patient)
    given = worklist.assign(actor=clinic.nurse, task=task, to=clinic.desk, now=NOW)
    back = worklist.assign(actor=clinic.desk, task=task, to=None, now=NOW)

    assert (given.assigned_to, back.assigned_to) == (clinic.desk, None)


def test_what_a_clinician_judges_is_given_to_clinicians(clinic: Clinic, patient: Patient) -> None:
    task = line(patient, TaskKind.ITEM_9)
    with pytest.raises(Invalid):
        worklist.assign(actor=clinic.nurse, task=task, to=clinic.desk, now=NOW)

    assert worklist.assign(actor=clinic.nurse, task=task, to=clinic.clinician, now=NOW).assigned_to == clinic.clinician


@pytest.mark.parametrize("kind", sorted(worklist.CLINICAL - worklist.CLOSED_BY_ACT.keys()))
def test_what_a_clinician_judges_goes_only_by_a_clinician(kind: TaskKind, clinic: Clinic, patient: Patient) -> None:
    worklist.open_task(kind=kind, patient=patient, key="0", now=NOW)
    task = Task.objects.get()
    with pytest.raises(RoleRefused):
        worklist.acknowledge(actor=clinic.nurse, task=task, now=NOW)

    assert worklist.acknowledge(actor=clinic.clinician, task=task, now=NOW).done_by == clinic.clinician


def test_a_line_is_put_off_and_taken_up_again(clinic: Clinic, patient: Patient) -> None:
    task, until = line(patient), NOW + timedelta(days=90)

    assert worklist.snooze(actor=clinic.desk, task=task, until=until, now=NOW).snoozed_until == until
    assert worklist.snooze(actor=clinic.desk, task=task, until=None, now=NOW).snoozed_until is None


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=91), NOW.replace(tzinfo=None)])
def test_a_line_is_put_off_to_a_time_to_come(until: datetime, clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(Invalid):
        worklist.snooze(actor=clinic.desk, task=line(patient), until=until, now=NOW)


def test_item_9_cannot_be_put_off_by_anybody(clinic: Clinic, patient: Patient) -> None:
    task = line(patient, TaskKind.ITEM_9)
    with pytest.raises(Stale):
        worklist.snooze(actor=clinic.prescriber, task=task, until=NOW + timedelta(hours=1), now=NOW)
    with pytest.raises(IntegrityError):
        Task.objects.filter(pk=task.pk).update(snoozed_until=NOW + timedelta(hours=1))


def test_a_line_that_is_done_is_neither_given_nor_put_off(clinic: Clinic, patient: Patient) -> None:
    task = line(patient)
    worklist.acknowledge(actor=clinic.desk, task=task, now=NOW)
    with pytest.raises(Stale):
        worklist.assign(actor=clinic.desk, task=task, to=clinic.nurse, now=NOW)
    with pytest.raises(Stale):
        worklist.snooze(actor=clinic.desk, task=task, until=NOW + timedelta(days=1), now=NOW)
