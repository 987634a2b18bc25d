"""Clinicians who acknowledge the same item 9 at the same moment, from the worklist and from the score's page."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from clinic.errors import Stale
from patients import worklist
from patients.models import Score, Task
from scheduling import reviewing
from tests.factories import NOW, PatientFactory, make_clinic

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 8


def test_item_9_is_acknowledged_by_one_of_them_and_nobody_is_in_the_others_way() -> None:
    clinic = make_clinic(chairs=1, prescribers=1, weeks=1)
    score, _again = reviewing.record_score(
        actor=None,
        patient=PatientFactory.create(),
        instrument="phq9",
        items=[1] * 9,
        taken_at=NOW,
        now=NOW,
    )
    task = Task.objects.get()
    barrier = threading.Barrier(MANY)

    def acknowledge(number: int) -> str:
        try:
            barrier.wait()
            if number % 2:
                reviewing.see_score(actor=clinic.clinician, score=score, note="Called.", now=NOW)
            else:
                worklist.acknowledge(actor=clinic.prescriber, task=task, note="Called.", now=NOW)
        except Stale:
            return "stale"
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(MANY) as threads:
        answers = list(threads.map(acknowledge, range(MANY)))

    assert sorted(answers) == ["done"] + ["stale"] * (MANY - 1)
    assert Score.objects.get().seen_by == Task.objects.get().done_by
