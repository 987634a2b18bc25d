"""Evaluations booked at the same moment, on real connections: one room, one prescriber, one patient at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from clinic.models import Staff
from patients.models import Patient
from scheduling.evaluating import LENGTH, book_evaluation, cancel_evaluation
from scheduling.models import KEPT, Evaluation, EvaluationState, Room
from tests.concurrency.crowd import connect
from tests.concurrency.test_booking_races import OK, TAKEN, Act, Desks
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, make_clinic

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 16
TIMES = [local(MONDAY + timedelta(days=day), clock) for day in range(5) for clock in ("09:00", "10:30")]


@pytest.fixture
def desks() -> Iterator[Desks]:
    desks = Desks(WRITERS)
    yield desks
    desks.close()


@pytest.fixture
def clinic() -> Clinic:
    """Somebody to evaluate, and a room, for everybody."""
    return make_clinic(chairs=1, prescribers=WRITERS, weeks=1)


@pytest.fixture
def rooms(clinic: Clinic) -> list[Room]:
    return [Room.objects.create(site=clinic.site, name=f"Room {number}") for number in range(WRITERS)]


@pytest.fixture
def patients() -> list[Patient]:
    return PatientFactory.create_batch(WRITERS)


def book(clinic: Clinic, patient: Patient, room: Room, prescriber: Staff, at: datetime) -> Act:
    known: dict[str, Any] = {"patient": patient, "room": room, "prescriber": prescriber, "starts_at": at}
    return partial(book_evaluation, actor=clinic.desk, now=NOW, **known)


@pytest.mark.parametrize("shared", ["room", "prescriber", "patient"])
def test_one_of_sixteen_gets_the_time(
    shared: str, clinic: Clinic, rooms: list[Room], patients: list[Patient], desks: Desks
) -> None:
    """All want the same room, the same prescriber or the same patient; all else is free."""
    for number, at in enumerate(TIMES, start=1):
        acts = []
        for place in range(WRITERS):
            known: dict[str, Any] = {
                "patient": patients[place],
                "room": rooms[place],
                "prescriber": clinic.prescribers[place],
            }
            first = {"patient": patients[0], "room": rooms[0], "prescriber": clinic.prescribers[0]}
            acts.append(book(clinic, at=at + timedelta(minutes=10 * (place % 3)), **{**known, shared: first[shared]}))

        assert Counter(desks.press(acts)) == {OK: 1, TAKEN: WRITERS - 1}
        assert Evaluation.objects.count() == number


def test_nobody_is_refused_for_nothing(
    clinic: Clinic, rooms: list[Room], patients: list[Patient], desks: Desks
) -> None:
    for at in TIMES[:4]:
        acts = [
            book(clinic, patient, room, prescriber, at)
            for patient, room, prescriber in zip(patients, rooms, clinic.prescribers, strict=True)
        ]
        assert desks.press(acts) == [OK] * WRITERS


def test_a_cancelled_time_is_free_once(
    clinic: Clinic, rooms: list[Room], patients: list[Patient], desks: Desks
) -> None:
    for at in TIMES[:4]:
        first, *others = patients
        held, _again = book_evaluation(
            actor=clinic.desk, patient=first, room=rooms[0], prescriber=clinic.prescriber, starts_at=at, now=NOW
        )
        acts = [book(clinic, patient, rooms[0], clinic.prescriber, at) for patient in others]
        acts.append(partial(cancel_evaluation, actor=clinic.desk, evaluation=held, reason="Ill", now=NOW))

        assert Counter(desks.press(acts))[OK] in (1, 2)
        assert Evaluation.objects.filter(during__startswith=at, state__in=KEPT).count() <= 1


def test_plain_sql_cannot_take_what_is_taken(clinic: Clinic, rooms: list[Room], patients: list[Patient]) -> None:
    at = TIMES[0]
    book(clinic, patients[0], rooms[0], clinic.prescribers[0], at)()
    refused = []
    for patient, room, prescriber in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with connect() as link, pytest.raises(psycopg.errors.ExclusionViolation) as error:
            link.execute(
                """
                INSERT INTO scheduling_evaluation
                    (patient_id, site_id, room_id, prescriber_id, during, local_date, state, booked_by_id, at, reason)
                VALUES (%s, %s, %s, %s, tstzrange(%s, %s), %s, %s, %s, %s, '')
                """,
                (
                    patients[patient].pk,
                    clinic.site.pk,
                    rooms[room].pk,
                    clinic.prescribers[prescriber].pk,
                    at + timedelta(minutes=30),
                    at + LENGTH + timedelta(minutes=30),
                    MONDAY,
                    EvaluationState.BOOKED.value,
                    clinic.desk.pk,
                    NOW,
                ),
            )
        refused.append(error.value.diag.constraint_name)

    assert refused == ["evaluation_patient_free", "evaluation_room_free", "evaluation_prescriber_free"]
