"""Two desks register the same patient at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TypeVar
from uuid import uuid4

import pytest
from django.db import connection

from patients import registering
from patients.models import Patient
from patients.registering import PossibleDuplicate
from scheduling import writes
from tests.factories import NOW, make_clinic

pytestmark = pytest.mark.django_db(transaction=True)

Result = TypeVar("Result")

MANY = 8


def at_once(act: Callable[[], Result]) -> list[Result]:
    """What so many threads answer that begin together."""
    barrier = threading.Barrier(MANY)

    def one(_: int) -> Result:
        try:
            barrier.wait()
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(MANY) as threads:
        return list(threads.map(one, range(MANY)))


def test_one_of_them_is_registered_and_the_others_are_asked() -> None:
    desk = make_clinic(chairs=1, prescribers=1, weeks=1).desk

    def register() -> str:
        try:
            registering.register(
                actor=desk, first_name="Maya", last_name="Vance", birth_date=date(1979, 3, 14), now=NOW
            )
        except PossibleDuplicate:
            return "asked"
        return "registered"

    answers = at_once(register)

    assert sorted(answers) == ["asked"] * (MANY - 1) + ["registered"]
    assert Patient.objects.count() == 1


def test_one_request_sent_many_times_registers_once() -> None:
    desk = make_clinic(chairs=1, prescribers=1, weeks=1).desk
    request_id = uuid4()

    def register() -> tuple[int, bool]:
        patient, repeated = writes.carry_out_once(
            "register",
            request_id,
            {"name": "Maya"},
            lambda: registering.register(
                actor=desk, first_name="Maya", last_name="Vance", birth_date=date(1979, 3, 14), now=NOW
            ),
            lambda pk: Patient.objects.get(pk=pk),
            now=NOW,
        )
        return patient.pk, repeated

    answers = at_once(register)

    number = Patient.objects.get().pk
    assert sorted(answers) == [(number, False)] + [(number, True)] * (MANY - 1)
