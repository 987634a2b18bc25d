"""Sessions by the interface: read, moved, cancelled, confirmed."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from patients.models import Patient
from scheduling.models import Mail, Session
from tests.api import Answer, Api, course_body, rows, shown, signed_in
from tests.factories import MONDAY, Clinic, PatientFactory, make_clinic

TUESDAY = MONDAY + timedelta(days=1)
DAYS = [TUESDAY + timedelta(days=number) for number in (0, 3, 7, 10)]


@pytest.fixture
def booked(desk: Api, clinic: Clinic, patient: Patient) -> list[int]:
    """The sessions of a course on DAYS at nine."""
    answer = desk.post("courses/", course_body(patient.pk, rows(clinic, DAYS)))
    return [session["id"] for session in answer.body["sessions"]]


def test_a_session_reads_as_in_its_course(desk: Api, booked: list[int]) -> None:
    session = desk.get(f"sessions/{booked[0]}/")
    course = desk.get(f"courses/{session.body['course']}/")

    assert session == Answer(200, course.body["sessions"][0])


def test_a_session_is_moved_and_keeps_its_id(desk: Api, booked: list[int]) -> None:
    body = {"starts_at": shown(DAYS[0], "10:30"), "request_id": str(uuid4())}
    moved = desk.post(f"sessions/{booked[0]}/move/", body)
    again = desk.post(f"sessions/{booked[0]}/move/", body)

    assert (moved.status, moved.body["id"], moved.body["findings"]) == (200, booked[0], [])
    assert (moved.body["starts_at"], moved.body["ends_at"]) == (shown(DAYS[0], "10:30"), shown(DAYS[0], "13:50"))
    assert (again.status, again.body["starts_at"]) == (200, shown(DAYS[0], "10:30"))
    assert Session.objects.count() == 4


def test_the_course_remembers_the_move_in_the_sites_time(desk: Api, clinic: Clinic, booked: list[int]) -> None:
    moved = desk.post(f"sessions/{booked[0]}/move/", {"starts_at": shown(DAYS[0], "10:30")})
    event = desk.get(f"courses/{moved.body['course']}/").body["events"][-1]
    place = {"chair": clinic.chairs[0].pk, "prescriber": clinic.prescriber.pk}

    assert (event["kind"], event["by"]) == ("moved", clinic.desk.pk)
    assert event["details"]["moved"] == [
        {
            "session": booked[0],
            "from": {"starts_at": shown(DAYS[0]), **place},
            "to": {"starts_at": shown(DAYS[0], "10:30"), **place},
        }
    ]


def test_what_is_not_given_stays(desk: Api, clinic: Clinic, booked: list[int]) -> None:
    moved = desk.post(f"sessions/{booked[0]}/move/", {"chair": clinic.chairs[3].pk})

    assert (moved.body["starts_at"], moved.body["chair"], moved.body["prescriber"]) == (
        shown(DAYS[0]),
        clinic.chairs[3].pk,
        clinic.prescriber.pk,
    )


def test_a_move_says_where_to(desk: Api, booked: list[int]) -> None:
    answer = desk.post(f"sessions/{booked[0]}/move/", {"dry_run": True})

    assert (answer.status, answer.body["fields"]) == (400, {"starts_at": ["Say where the session goes."]})


def test_a_dry_move_tells_the_findings_and_moves_nothing(desk: Api, booked: list[int]) -> None:
    warned = desk.post(
        f"sessions/{booked[3]}/move/", {"starts_at": shown(DAYS[3] + timedelta(days=7)), "dry_run": True}
    )
    refused = desk.post(
        f"sessions/{booked[3]}/move/", {"starts_at": shown(DAYS[2] + timedelta(days=1)), "dry_run": True}
    )

    assert (warned.status, [finding["rule"] for finding in warned.body["findings"]]) == (200, ["gap-max"])
    assert warned.body["findings"][0]["sessions"] == booked[2:]
    assert (refused.status, [finding["rule"] for finding in refused.body["findings"]]) == (422, ["gap-min"])
    assert desk.get(f"sessions/{booked[3]}/").body["starts_at"] == shown(DAYS[3])


def test_a_taken_chair_is_answered_with_other_times(desk: Api, clinic: Clinic, booked: list[int]) -> None:
    other = desk.post("courses/", course_body(PatientFactory.create().pk, rows(clinic, DAYS, chair=1)))
    session = other.body["sessions"][0]["id"]
    answer = desk.post(f"sessions/{session}/move/", {"chair": clinic.chairs[0].pk})

    assert (answer.status, answer.body["code"], answer.body["taken"]) == (409, "slot_taken", [0])
    offered = answer.body["plans"][0]["sessions"][0]
    assert offered["starts_at"].startswith("2027-02-02T")
    assert (
        desk.post(f"sessions/{session}/move/", {name: offered[name] for name in ("starts_at", "chair")}).status == 200
    )


def test_hours_and_shifts_are_rules(desk: Api, booked: list[int]) -> None:
    late = desk.post(f"sessions/{booked[0]}/move/", {"starts_at": shown(DAYS[0], "15:10")})
    sunday = desk.post(f"sessions/{booked[0]}/move/", {"starts_at": shown(MONDAY + timedelta(days=6))})

    assert (late.status, [finding["rule"] for finding in late.body["findings"]]) == (422, ["doctor", "hours"])
    assert late.body["findings"][1]["message"] == "The turn-over would end at 18:30; the site is open 08:00-18:00."
    assert (sunday.status, [finding["rule"] for finding in sunday.body["findings"]]) == (422, ["doctor", "hours"])


def test_a_session_is_cancelled_and_says_what_the_course_lacks(desk: Api, booked: list[int]) -> None:
    body = {"reason": "Has a cold.", "request_id": str(uuid4())}
    done = desk.post(f"sessions/{booked[0]}/cancel/", body)
    again = desk.post(f"sessions/{booked[0]}/cancel/", body)
    once_more = desk.post(f"sessions/{booked[0]}/cancel/", {"reason": "Has a cold."})

    assert (done.status, done.body["id"], done.body["state"]) == (200, booked[0], "cancelled")
    assert (again.status, again.body["state"]) == (200, "cancelled")
    assert (once_more.status, once_more.body["code"]) == (409, "stale")


def test_a_patient_says_yes_by_phone(desk: Api, booked: list[int]) -> None:
    confirmed = desk.post(f"sessions/{booked[0]}/confirm/")
    again = desk.post(f"sessions/{booked[0]}/confirm/")

    assert (confirmed.status, confirmed.body["state"]) == (200, "confirmed")
    assert (again.status, again.body["state"]) == (200, "confirmed")


def test_moving_a_confirmed_session_asks_the_patient_again(desk: Api, booked: list[int]) -> None:
    desk.post(f"sessions/{booked[0]}/confirm/")
    moved = desk.post(f"sessions/{booked[0]}/move/", {"starts_at": shown(DAYS[0], "11:00")})

    assert moved.body["state"] == "booked"


def test_a_chair_of_another_site_is_refused_at_its_field(desk: Api, booked: list[int]) -> None:
    other = make_clinic(chairs=1, prescribers=1, weeks=1)
    chair = desk.post(f"sessions/{booked[0]}/move/", {"chair": other.chairs[0].pk})
    prescriber = desk.post(f"sessions/{booked[0]}/move/", {"prescriber": other.prescriber.pk})

    assert (chair.status, list(chair.body["fields"])) == (400, ["chair"])
    assert (prescriber.status, list(prescriber.body["fields"])) == (400, ["prescriber"])


def test_a_nurse_reads_and_moves_nothing(clinic: Clinic, booked: list[int]) -> None:
    nurse = signed_in(clinic.nurse)
    refused = [
        nurse.post(f"sessions/{booked[0]}/{verb}/", {"starts_at": shown(DAYS[0], "11:00"), "reason": "No."})
        for verb in ("move", "cancel", "confirm")
    ]

    assert nurse.get(f"sessions/{booked[0]}/").status == 200
    assert [(answer.status, answer.body["code"]) for answer in refused] == [(403, "role")] * 3


def test_a_move_withdraws_the_reminders_of_the_old_time(desk: Api, booked: list[int]) -> None:
    before = set(Mail.objects.filter(session=booked[3], state="due").values_list("pk", flat=True))
    desk.post(f"sessions/{booked[3]}/move/", {"starts_at": shown(DAYS[3], "11:00")})

    listed = desk.get("reminders/", session=booked[3]).body["results"]
    assert {mail["id"] for mail in listed if mail["state"] == "withdrawn"} == before
    assert [(mail["kind"], mail["due_at"]) for mail in listed if mail["state"] == "due"] == [
        ("two-days", shown(DAYS[3] - timedelta(days=2), "11:00")),
        ("two-hours", shown(DAYS[3], "09:00")),
    ]
