"""Courses by the interface: booked whole or not at all, each request once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Patient, Task
from scheduling.models import Course, CourseEvent, CourseState, Session, SessionState
from tests.api import Answer, Api, Json, course_body, rows, shown, signed_in
from tests.factories import MONDAY, Clinic, CourseFactory, PatientFactory, SessionFactory, local, protocol

STANDARD = (0, 3, 7, 10, 14, 17)


def day(number: int) -> date:
    """The day of a course that begins on the Tuesday after MONDAY."""
    return MONDAY + timedelta(days=1 + number)


def days(numbers: Sequence[int]) -> list[date]:
    return [day(number) for number in numbers]


def book(api: Api, clinic: Clinic, patient: Patient, numbers: Sequence[int] = STANDARD, **more: Any) -> Answer:
    chair = more.pop("chair", 0)
    return api.post("courses/", course_body(patient.pk, rows(clinic, days(numbers), chair=chair), **more))


def codes(answer: Answer) -> list[tuple[str, str]]:
    return [(finding["rule"], finding["level"]) for finding in answer.body["findings"]]


def test_a_course_is_booked_and_answered_whole(desk: Api, clinic: Clinic, patient: Patient) -> None:
    answer = book(desk, clinic, patient, (0, 3, 7, 10))

    first = Session.objects.order_by("pk")[0]
    course = Course.objects.get()
    assert answer.status == 201
    assert {name: value for name, value in answer.body.items() if name not in ("sessions", "events")} == {
        "id": course.pk,
        "patient": patient.pk,
        "protocol": "iv-ketamine-standard",
        "version": 1,
        "state": "active",
        "phase": "initial",
        "findings": [],
        "overrides": [],
    }
    assert [session["starts_at"] for session in answer.body["sessions"]] == [shown(one) for one in days((0, 3, 7, 10))]
    assert answer.body["sessions"][0] == {
        "id": first.pk,
        "course": course.pk,
        "number": 1,
        "phase": "initial",
        "state": "booked",
        "starts_at": shown(day(0), "09:00"),
        "ends_at": shown(day(0), "12:20"),
        "chair": clinic.chairs[0].pk,
        "prescriber": clinic.prescriber.pk,
        "expected_at": None,
        "phases": [
            {"phase": "prepare", "starts_at": shown(day(0), "09:00"), "ends_at": shown(day(0), "09:30")},
            {"phase": "give", "starts_at": shown(day(0), "09:30"), "ends_at": shown(day(0), "10:10")},
            {"phase": "monitor", "starts_at": shown(day(0), "10:10"), "ends_at": shown(day(0), "12:10")},
            {"phase": "turn_over", "starts_at": shown(day(0), "12:10"), "ends_at": shown(day(0), "12:20")},
        ],
    }
    assert [(event["kind"], event["at"], event["by"]) for event in answer.body["events"]] == [
        ("booked", shown(MONDAY, "07:00"), clinic.desk.pk)
    ]


def test_the_course_reads_as_it_was_answered(desk: Api, clinic: Clinic, patient: Patient) -> None:
    booked = book(desk, clinic, patient)

    assert desk.get(f"courses/{booked.body['id']}/") == Answer(200, booked.body)


def test_a_repeated_request_gets_the_same_course(desk: Api, clinic: Clinic, patient: Patient) -> None:
    request_id = str(uuid4())
    first = book(desk, clinic, patient, request_id=request_id)
    again = book(desk, clinic, patient, request_id=request_id)

    assert (first.status, again.status, again.body) == (201, 200, first.body)
    assert Course.objects.count() == 1


def test_a_request_id_serves_one_body_only(desk: Api, clinic: Clinic, patient: Patient) -> None:
    request_id = str(uuid4())
    book(desk, clinic, patient, request_id=request_id)
    other = book(desk, clinic, PatientFactory.create(), (1, 4, 8, 11), request_id=request_id, chair=1)

    assert (other.status, other.body["code"]) == (409, "request_reused")
    assert Course.objects.count() == 1


def test_a_refused_request_leaves_its_id_for_the_next_try(desk: Api, clinic: Clinic, patient: Patient) -> None:
    request_id = str(uuid4())
    refused = book(desk, clinic, patient, (0, 1), request_id=request_id)
    booked = book(desk, clinic, patient, request_id=request_id)

    assert (refused.status, booked.status) == (422, 201)


def test_broken_rules_are_named_with_what_was_observed(desk: Api, clinic: Clinic, patient: Patient) -> None:
    answer = book(desk, clinic, patient, (0, 1, 7, 10))

    assert answer.status == 422
    assert answer.body["code"] == "rules"
    assert answer.body["findings"] == [
        {
            "rule": "gap-min",
            "level": "override",
            "message": "Sessions 1 and 2 are 1 day apart; at least 2 calendar days and 40 hours are required.",
            "observed": "1 day, 24 h",
            "limit": "2 days, 40 h",
            "sessions": [0, 1],
        }
    ]
    assert not Course.objects.exists()


def test_a_prescriber_overrides_with_a_reason(doctor: Api, clinic: Clinic, patient: Patient) -> None:
    answer = book(doctor, clinic, patient, (0, 1, 7, 10), override={"rules": ["gap-min"], "reason": "Travels on."})

    assert answer.status == 201
    assert answer.body["overrides"] == [
        {
            "rule": "gap-min",
            "observed": "1 day, 24 h",
            "limit": "2 days, 40 h",
            "reason": "Travels on.",
            "by": clinic.prescriber.pk,
            "at": shown(MONDAY, "07:00"),
        }
    ]
    assert codes(answer) == [("gap-min", "override")]
    assert answer.body["findings"][0]["sessions"] == [session["id"] for session in answer.body["sessions"][:2]]


@pytest.mark.parametrize("role", ["desk", "clinician", "manager"])
def test_nobody_but_a_prescriber_overrides(role: str, clinic: Clinic, patient: Patient) -> None:
    api = signed_in(getattr(clinic, role))
    answer = book(api, clinic, patient, (0, 1, 7, 10), override={"rules": ["gap-min"], "reason": "Please."})

    assert (answer.status, answer.body["code"]) == (403, "role")
    assert not Course.objects.exists()


def test_an_override_without_a_reason_is_refused_at_its_field(doctor: Api, clinic: Clinic, patient: Patient) -> None:
    answer = book(doctor, clinic, patient, (0, 1, 7, 10), override={"rules": ["gap-min"]})

    assert answer.status == 400
    assert answer.body["fields"] == {"override": ["An override needs a reason."]}


def test_rules_speak_before_a_missing_reason_is_asked_for(doctor: Api, clinic: Clinic, patient: Patient) -> None:
    answer = book(doctor, clinic, patient, (0, 1, 7, 10), override={"rules": ["span-max"]})

    assert (answer.status, codes(answer)) == (422, [("gap-min", "override")])


def test_what_another_booking_took_is_named_with_other_plans(desk: Api, clinic: Clinic, patient: Patient) -> None:
    book(desk, clinic, PatientFactory.create(), (0, 3, 7, 10))
    answer = book(desk, clinic, patient, (0, 2, 7, 9))

    assert (answer.status, answer.body["code"], answer.body["taken"]) == (409, "slot_taken", [0, 2])
    plan = answer.body["plans"][0]
    kept = {shown(day(2)), shown(day(9))}
    assert kept <= {session["starts_at"] for session in plan["sessions"]}
    assert set(plan["sessions"][0]) == {
        *("number", "starts_at", "ends_at", "chair", "prescriber", "meets_wishes", "alternatives")
    }
    again = desk.post(
        "courses/",
        course_body(
            patient.pk,
            [{name: row[name] for name in ("starts_at", "chair", "prescriber")} for row in plan["sessions"]],
        ),
    )
    assert again.status == 201


def test_rules_speak_before_a_missing_chair_is_asked_for(desk: Api, clinic: Clinic, patient: Patient) -> None:
    two_days = [{"starts_at": shown(day(0))}, {"starts_at": shown(day(1))}]
    broken = desk.post("courses/", course_body(patient.pk, two_days))
    whole = desk.post("courses/", course_body(patient.pk, [{"starts_at": shown(one)} for one in days(STANDARD)]))

    assert (broken.status, codes(broken)) == (422, [("gap-min", "override")])
    required = ["This field is required."]
    assert (whole.status, whole.body["fields"]["sessions"]) == (
        400,
        {str(row): {"chair": required, "prescriber": required} for row in range(6)},
    )


def test_what_hours_and_courses_say_needs_no_chair_either(desk: Api, clinic: Clinic, patient: Patient) -> None:
    def asked(one: date, **more: int) -> Json:
        return {"starts_at": shown(one, "15:00"), **more}

    doctor = {"prescriber": clinic.prescriber.pk}
    late = desk.post("courses/", course_body(patient.pk, [asked(day(0)), asked(day(3), **doctor)]))
    course = book(desk, clinic, patient, (0, 3, 7, 10)).body["id"]
    second = desk.post("courses/", course_body(patient.pk, [{"starts_at": shown(day(20))}]))
    desk.post(f"courses/{course}/cancel/", {"reason": "Moved away."})
    ended = desk.post(f"courses/{course}/sessions/", {"starts_at": shown(day(20))})

    assert [(finding["rule"], finding["sessions"]) for finding in late.body["findings"]] == [
        ("doctor", [1]),
        ("hours", [0]),
        ("hours", [1]),
    ]
    assert ("one-course", "block") in codes(second)
    assert ("stopped", "block") in codes(ended)
    assert [answer.status for answer in (late, second, ended)] == [422] * 3


def test_a_hold_is_kept_and_then_booked(desk: Api, doctor: Api, clinic: Clinic, patient: Patient) -> None:
    held = book(desk, clinic, patient, (0, 1, 7, 10), hold=True)
    refused = desk.post(f"courses/{held.body['id']}/confirm/")
    booked = doctor.post(
        f"courses/{held.body['id']}/confirm/", {"override": {"rules": ["gap-min"], "reason": "Seen and accepted."}}
    )

    assert (held.status, held.body["state"], codes(held)) == (201, "held", [("gap-min", "override")])
    assert {session["state"] for session in held.body["sessions"]} == {"held"}
    assert (refused.status, codes(refused)) == (422, [("gap-min", "override")])
    assert (booked.status, booked.body["state"]) == (200, "active")
    assert {session["state"] for session in booked.body["sessions"]} == {"booked"}


def test_one_session_is_added_and_comes_back_as_a_session(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = book(desk, clinic, patient, (0, 3, 7, 10)).body["id"]
    body = {**rows(clinic, [day(14)])[0], "request_id": str(uuid4())}
    answer = desk.post(f"courses/{course}/sessions/", body)
    again = desk.post(f"courses/{course}/sessions/", body)

    added = Session.objects.order_by("-pk")[0]
    assert (answer.status, answer.body["id"], answer.body["number"]) == (201, added.pk, 5)
    assert answer.body["starts_at"] == shown(day(14))
    assert [session["id"] for session in answer.body["sessions"]] == [added.pk]
    assert (again.status, again.body["id"]) == (200, added.pk)


def test_several_sessions_are_added_at_once_or_none(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = book(desk, clinic, patient, (0, 3, 7, 10)).body["id"]
    refused = desk.post(f"courses/{course}/sessions/", {"sessions": rows(clinic, days((14, 15)))})
    added = desk.post(f"courses/{course}/sessions/", {"sessions": rows(clinic, days((14, 17)))})

    assert (refused.status, codes(refused)) == (422, [("gap-min", "override")])
    assert (added.status, [session["number"] for session in added.body["sessions"]]) == (201, [5, 6])
    assert Session.objects.count() == 6


def test_a_dry_run_says_what_would_be_and_writes_nothing(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = book(desk, clinic, patient, (0, 3, 7, 10)).body["id"]
    answer = desk.post(f"courses/{course}/sessions/", {**rows(clinic, [day(20)])[0], "dry_run": True})

    assert (answer.status, answer.body["id"], answer.body["number"]) == (200, None, 5)
    assert codes(answer) == [("gap-max", "warn")]
    assert Session.objects.count() == 4
    assert CourseEvent.objects.count() == 1


def test_a_course_is_cancelled_with_all_its_sessions(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = book(desk, clinic, patient, (0, 3, 7, 10)).body["id"]
    tried = desk.post(f"courses/{course}/cancel/", {"reason": "Moved away.", "dry_run": True})
    between = Course.objects.get().state
    done = desk.post(f"courses/{course}/cancel/", {"reason": "Moved away."})
    again = desk.post(f"courses/{course}/cancel/", {"reason": "Moved away."})

    states = {"cancelled"}
    assert (tried.status, tried.body["state"], between) == (200, "cancelled", CourseState.ACTIVE)
    assert {session["state"] for session in tried.body["sessions"]} == states
    assert (done.status, done.body["state"]) == (200, "cancelled")
    assert {session["state"] for session in done.body["sessions"]} == states
    assert (again.status, again.body["code"]) == (409, "stale")


def test_cancelling_needs_a_reason(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = book(desk, clinic, patient, (0, 3, 7, 10)).body["id"]

    answer = desk.post(f"courses/{course}/cancel/")

    assert (answer.status, answer.body["fields"]) == (400, {"reason": ["Say why."]})


def given_course(clinic: Clinic, patient: Patient, numbers: Sequence[int] = (-20, -17, -13, -10)) -> Course:
    """A course whose sessions were given; the shifts of the time are made with it."""
    from tests.factories import ShiftFactory  # only this needs shifts in the past

    course = CourseFactory.create(patient=patient, site=clinic.site)
    for number in numbers:
        ShiftFactory.create(staff=clinic.prescriber, site=clinic.site, day=day(number))
        SessionFactory.create(
            course=course,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(day(number)),
            state=SessionState.DISCHARGED,
        )
    return course


def test_maintenance_is_decided_by_a_prescriber(desk: Api, doctor: Api, clinic: Clinic, patient: Patient) -> None:
    course = given_course(clinic, patient)
    body = {"decision": "maintenance", "reason": "Half of the symptoms are gone.", "interval_days": 21}

    refused = desk.post(f"courses/{course.pk}/decide/", body)
    decided = doctor.post(f"courses/{course.pk}/decide/", body)
    added = desk.post(f"courses/{course.pk}/sessions/", rows(clinic, [day(6)])[0])

    assert (refused.status, refused.body["code"]) == (403, "role")
    assert (decided.status, decided.body["phase"]) == (200, "maintenance")
    assert (added.status, added.body["phase"], added.body["number"]) == (201, "maintenance", 1)


def test_a_dry_decision_changes_nothing(doctor: Api, clinic: Clinic, patient: Patient) -> None:
    course = given_course(clinic, patient)
    answer = doctor.post(
        f"courses/{course.pk}/decide/", {"decision": "maintenance", "reason": "Better.", "dry_run": True}
    )

    assert (answer.status, answer.body["phase"]) == (200, "maintenance")
    assert Course.objects.get().phase == "initial"


def test_a_decision_answers_what_it_frees_and_places(doctor: Api, clinic: Clinic, patient: Patient) -> None:
    course = given_course(clinic, patient)
    body = {"decision": "maintenance", "reason": "Better.", "interval_days": 21}

    dry = doctor.post(f"courses/{course.pk}/decide/", {**body, "dry_run": True}).body
    done = doctor.post(f"courses/{course.pk}/decide/", body).body

    placed = [row["starts_at"] for row in done["placed"]]
    assert placed != []
    assert (done["freed"], done["missing"]) == (dry["freed"], dry["missing"])
    assert [row["starts_at"] for row in dry["placed"]] == placed
    assert {row["id"] for row in dry["placed"]} == {None}
    assert [row["starts_at"] for row in dry["sessions"]] == [row["starts_at"] for row in done["sessions"]]


@pytest.mark.parametrize(
    ("body", "state", "phase"),
    [
        ({"decision": "go-on"}, "active", "initial"),
        ({"decision": "change-dose", "dose": 0.75}, "active", "initial"),
        ({"decision": "new-initial"}, "active", "initial"),
        ({"decision": "pause", "until": "2027-12-01"}, "paused", "initial"),
        ({"decision": "close-early"}, "completed", "initial"),
        ({"decision": "stop", "cause": "misuse"}, "stopped", "initial"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_every_decision_is_taken(
    doctor: Api, clinic: Clinic, patient: Patient, body: dict[str, object], state: str, phase: str, dry_run: bool
) -> None:
    course = given_course(clinic, patient)
    answer = doctor.post(f"courses/{course.pk}/decide/", {**body, "reason": "Because.", "dry_run": dry_run})

    assert (answer.status, answer.body["state"], answer.body["phase"]) == (200, state, phase)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"decision": "change-dose"}, "dose"),
        ({"decision": "change-dose", "dose": "much"}, "dose"),
        ({"decision": "change-dose", "dose": "NaN"}, "dose"),
        ({"decision": "change-dose", "dose": 20}, "dose"),
        ({"decision": "extend", "sessions": 3}, "sessions"),
        ({"decision": "pause", "until": "2027-01-01"}, "until"),
        ({"decision": "stop", "cause": "weather"}, "cause"),
    ],
)
def test_a_decision_that_cannot_be_meant_is_refused_at_its_field(
    doctor: Api, clinic: Clinic, patient: Patient, body: dict[str, object], field: str
) -> None:
    course = given_course(clinic, patient)
    answer = doctor.post(f"courses/{course.pk}/decide/", {**body, "reason": "Because."})

    assert (answer.status, answer.body["code"], list(answer.body["fields"])) == (400, "invalid", [field])


def test_courses_are_listed_by_patient_state_and_phase(desk: Api, clinic: Clinic, patient: Patient) -> None:
    mine = book(desk, clinic, patient, (0, 3, 7, 10)).body["id"]
    other = book(desk, clinic, PatientFactory.create(), (0, 3, 7, 10), chair=1, hold=True).body["id"]

    def listed(**query: str | int) -> list[int]:
        return [course["id"] for course in desk.get("courses/", **query).body["results"]]

    assert listed() == [other, mine]
    assert listed(patient=patient.pk) == [mine]
    assert listed(state="held") == [other]
    assert listed(phase="maintenance") == []
    assert desk.get("courses/", state="gone").body["fields"] == {
        "state": ["Select a valid choice. gone is not one of the available choices."]
    }


@pytest.mark.parametrize("count", [1, 30])
def test_a_list_of_courses_takes_seven_queries(count: int, desk: Api, clinic: Clinic) -> None:
    for number in range(count):
        course = CourseFactory.create(site=clinic.site)
        for place in range(2):
            SessionFactory.create(
                course=course,
                chair=clinic.chairs[number % 6],
                prescriber=clinic.prescribers[number % 2],
                starts_at=local(MONDAY + timedelta(days=7 * (number // 6) + 3 * place)),
            )

    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = desk.get("courses/")

    # token, count, courses, sessions, overrides, events, what stands for the findings
    assert (answer.body["count"], len(queries)) == (count, 7)


def test_booking_by_the_interface_tells_the_worklist_of_an_override_asked_for(
    desk: Api, clinic: Clinic, patient: Patient
) -> None:
    book(desk, clinic, patient, (0, 1, 7, 10), hold=True)

    assert [(task.kind, task.details) for task in Task.objects.filter(kind="override-asked")] == [
        ("override-asked", {"rules": ["gap-min"]})
    ]


def test_a_course_by_another_protocol_has_its_visit_lengths(desk: Api, clinic: Clinic, patient: Patient) -> None:
    protocol("esketamine-trd-us")
    body = {**course_body(patient.pk, rows(clinic, days((0, 3)))), "protocol": "esketamine-trd-us"}
    answer = desk.post("courses/", body)

    assert (answer.status, answer.body["protocol"]) == (201, "esketamine-trd-us")
    assert answer.body["sessions"][0]["ends_at"] == shown(day(0), "11:40")
