"""Evaluations by the interface."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from patients.models import Patient
from scheduling.models import Evaluation, Room
from tests.api import Api, shown, signed_in
from tests.factories import MONDAY, Clinic, PatientFactory


@pytest.fixture
def room(clinic: Clinic) -> Room:
    return Room.objects.create(site=clinic.site, name="Room 1")


def body(clinic: Clinic, room: Room, clock: str = "10:00", **more: Any) -> dict[str, Any]:
    return {"starts_at": shown(MONDAY, clock), "room": room.pk, "prescriber": clinic.prescriber.pk, **more}


def test_one_is_booked_and_listed(desk: Api, clinic: Clinic, patient: Patient, room: Room) -> None:
    answer = desk.post(f"patients/{patient.pk}/evaluations/", body(clinic, room))

    assert answer.status == 201
    assert answer.body == {
        "id": Evaluation.objects.get().pk,
        "patient": patient.pk,
        "site": clinic.site.pk,
        "room": room.pk,
        "prescriber": clinic.prescriber.pk,
        "state": "booked",
        "starts_at": shown(MONDAY, "10:00"),
        "ends_at": shown(MONDAY, "11:00"),
        "local_date": "2027-02-01",
        "booked_by": clinic.desk.pk,
        "at": shown(MONDAY, "07:00"),
        "ended_at": None,
        "reason": "",
    }
    later = desk.post(f"patients/{patient.pk}/evaluations/", body(clinic, room, "12:00")).body
    assert desk.get(f"patients/{patient.pk}/evaluations/").body["results"] == [later, answer.body]


def test_a_repeated_call_books_once(desk: Api, clinic: Clinic, patient: Patient, room: Room) -> None:
    sent = body(clinic, room, request_id=str(uuid4()))
    first, second = (desk.post(f"patients/{patient.pk}/evaluations/", sent) for _ in range(2))

    assert (first.status, second.status, first.body) == (201, 200, second.body)


def test_what_is_taken_or_outside_the_hours_is_refused(desk: Api, clinic: Clinic, patient: Patient, room: Room) -> None:
    desk.post(f"patients/{patient.pk}/evaluations/", body(clinic, room))
    taken = desk.post(f"patients/{PatientFactory.create().pk}/evaluations/", body(clinic, room, "10:30"))
    late = desk.post(f"patients/{patient.pk}/evaluations/", body(clinic, room, "17:30"))

    assert (taken.status, taken.body["code"], taken.body["message"]) == (
        409,
        "slot_taken",
        "The room is taken at that time.",
    )
    assert (late.status, [finding["rule"] for finding in late.body["findings"]]) == (422, ["hours", "doctor"])


def test_one_is_cancelled_for_a_reason(desk: Api, clinic: Clinic, patient: Patient, room: Room) -> None:
    made = desk.post(f"patients/{patient.pk}/evaluations/", body(clinic, room)).body["id"]

    assert desk.post(f"evaluations/{made}/cancel/", {}).status == 400
    answer = desk.post(f"evaluations/{made}/cancel/", {"reason": "Ill"})
    assert (answer.status, answer.body["state"], answer.body["reason"]) == (200, "cancelled", "Ill")
    assert desk.post(f"evaluations/{made}/cancel/", {"reason": "Ill"}).status == 409


def test_one_that_has_not_begun_is_neither_done_nor_missed(
    desk: Api, clinic: Clinic, patient: Patient, room: Room
) -> None:
    made = desk.post(f"patients/{patient.pk}/evaluations/", body(clinic, room)).body["id"]
    nurse = signed_in(clinic.nurse)

    assert [nurse.post(f"evaluations/{made}/{act}/").status for act in ("done", "no-show")] == [409, 409]


def test_a_site_where_one_does_not_work_is_refused(desk: Api, clinic: Clinic, patient: Patient, room: Room) -> None:
    clinic.site.staff.remove(clinic.desk)

    assert desk.post(f"patients/{patient.pk}/evaluations/", body(clinic, room)).status == 403
