"""Sessions by the interface: read, moved, cancelled, confirmed."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine

from patients.models import Patient
from scheduling.models import Mail, Session
from tests.api import Answer, Api, course_body, rows, shown, signed_in
from tests.factories import MONDAY, Clinic, PatientFactory, local, make_clinic

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


def test_sessions_of_a_course_move_together(desk: Api, clinic: Clinic, booked: list[int]) -> None:
    swap = {
        "starts_at": shown(DAYS[2]),
        "also": [{"session": booked[2], "starts_at": shown(DAYS[1])}],
        "request_id": str(uuid4()),
    }
    moved = desk.post(f"sessions/{booked[1]}/move/", swap)
    again = desk.post(f"sessions/{booked[1]}/move/", swap)

    assert (moved.status, moved.body["id"], moved.body["findings"]) == (200, booked[1], [])
    assert [(session["id"], session["starts_at"], session["number"]) for session in moved.body["sessions"]] == [
        (booked[1], shown(DAYS[2]), 3),
        (booked[2], shown(DAYS[1]), 2),
    ]
    assert "cascade" not in moved.body
    assert (again.status, again.body["sessions"]) == (200, moved.body["sessions"])


def test_a_dry_move_says_which_later_sessions_go_with_it(desk: Api, clinic: Clinic, booked: list[int]) -> None:
    body = {"starts_at": shown(DAYS[3] - timedelta(days=1)), "dry_run": True}
    refused = desk.post(f"sessions/{booked[2]}/move/", body)
    cascade = refused.body["cascade"]
    together = desk.post(f"sessions/{booked[2]}/move/", {**body, "also": cascade["moves"]})
    done = desk.post(f"sessions/{booked[2]}/move/", {**body, "also": cascade["moves"], "dry_run": False})

    assert (refused.status, [finding["rule"] for finding in refused.body["findings"]]) == (422, ["gap-min"])
    assert cascade == {
        "moves": [
            {
                "session": booked[3],
                "starts_at": shown(DAYS[3] + timedelta(days=3)),
                "chair": clinic.chairs[0].pk,
                "prescriber": clinic.prescriber.pk,
            }
        ],
        "findings": [],
        "none": None,
    }
    assert (together.status, together.body["findings"], together.body["cascade"]) == (200, [], None)
    assert (done.status, [session["id"] for session in done.body["sessions"]]) == (200, booked[2:])


def test_a_dry_move_that_needs_nothing_else_says_so(desk: Api, booked: list[int]) -> None:
    fits = desk.post(f"sessions/{booked[3]}/move/", {"starts_at": shown(DAYS[3] + timedelta(days=3)), "dry_run": True})
    never = desk.post(f"sessions/{booked[3]}/move/", {"starts_at": shown(DAYS[2] + timedelta(days=1)), "dry_run": True})

    assert (fits.status, fits.body["cascade"]) == (200, None)
    assert never.status == 422
    assert (never.body["cascade"]["moves"], never.body["cascade"]["none"]["limit"]) == ([], "gap-min")
    assert never.body["cascade"]["none"]["message"] == never.body["findings"][0]["message"]


def test_what_moves_as_well_is_of_the_same_course(desk: Api, clinic: Clinic, booked: list[int]) -> None:
    other = desk.post("courses/", course_body(PatientFactory.create().pk, rows(clinic, DAYS, chair=1)))
    foreign = other.body["sessions"][0]["id"]
    answers = [
        desk.post(f"sessions/{booked[0]}/move/", {"starts_at": shown(DAYS[0], "10:00"), "also": [row]})
        for row in (
            {"session": foreign, "starts_at": shown(DAYS[0], "10:00")},
            {"session": booked[0], "starts_at": shown(DAYS[0], "11:00")},
            {"session": booked[1]},
            {"session": 999_999, "starts_at": shown(DAYS[1], "11:00")},
        )
    ]

    assert [(answer.status, answer.body["fields"]) for answer in answers] == [
        (400, {"also": ["Only sessions of the same course move together."]}),
        (400, {"also": ["Name each session once."]}),
        (400, {"also": {"0": {"starts_at": ["Say where the session goes."]}}}),
        (400, {"also": {"0": {"session": ["There is no such session."]}}}),
    ]


def test_a_patient_who_rings_is_expected_later_and_one_who_does_not_come_is_missing(
    clinic: Clinic, booked: list[int]
) -> None:
    nurse = signed_in(clinic.nurse)
    soon = nurse.post(f"sessions/{booked[0]}/no-show/", {"reason": ""})
    with time_machine.travel(local(DAYS[0], "09:15"), tick=False):
        late = nurse.post(f"sessions/{booked[0]}/expect/", {"at": shown(DAYS[0], "09:40")})
        event = nurse.get(f"courses/{late.body['course']}/").body["events"][-1]
        too_late = nurse.post(f"sessions/{booked[0]}/expect/", {"at": shown(DAYS[0], "17:00")})
        back = nurse.post(f"sessions/{booked[0]}/expect/", {"at": None})
        unsaid = nurse.post(f"sessions/{booked[0]}/expect/")
        gone = nurse.post(f"sessions/{booked[0]}/no-show/", {"reason": "No answer by phone."})
        twice = nurse.post(f"sessions/{booked[0]}/no-show/")

    assert (soon.status, soon.body["code"]) == (409, "stale")
    assert (late.status, late.body["expected_at"], late.body["starts_at"]) == (
        200,
        shown(DAYS[0], "09:40"),
        shown(DAYS[0]),
    )
    assert (event["kind"], event["details"]["expected_at"]) == ("expected", shown(DAYS[0], "09:40"))
    assert (too_late.status, too_late.body["fields"]) == (
        400,
        {"at": ["The last start today is 14:40; move the visit instead."]},
    )
    assert (back.status, back.body["expected_at"]) == (200, None)
    assert (unsaid.status, list(unsaid.body["fields"])) == (400, ["at"])
    assert (gone.status, gone.body["state"], gone.body["findings"]) == (200, "no-show", [])
    assert (twice.status, twice.body["code"]) == (409, "stale")


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
        ("preparation", shown(DAYS[3] - timedelta(days=3), "11:00")),
        ("two-days", shown(DAYS[3] - timedelta(days=2), "11:00")),
        ("score-due", shown(DAYS[3] - timedelta(days=1), "11:00")),
        ("two-hours", shown(DAYS[3], "09:00")),
    ]
