"""Mails to patients by the interface."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling.models import Attempt, Course, Mail, MailState, Room
from tests.api import Api, course_body, rows, shown
from tests.factories import MONDAY, NOW, Clinic, CourseFactory, PatientFactory

TUESDAY = MONDAY + timedelta(days=1)
DAYS = [TUESDAY + timedelta(days=number) for number in (0, 3, 7, 10)]


def test_mails_are_listed_by_what_they_are_about(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = desk.post("courses/", course_body(patient.pk, rows(clinic, DAYS))).body
    other = PatientFactory.create()
    desk.post("courses/", course_body(other.pk, rows(clinic, DAYS, chair=1)))
    session = course["sessions"][1]["id"]

    of_session = desk.get("reminders/", session=session).body["results"]
    of_course = desk.get("reminders/", course=course["id"], state="due").body["results"]

    assert [{name: value for name, value in mail.items() if name != "id"} for mail in of_session] == [
        {
            "patient": patient.pk,
            "course": course["id"],
            "session": session,
            "evaluation": None,
            "kind": kind,
            "due_at": due_at,
            "expires_at": expires_at,
            "sent_at": None,
            "state": "due",
            "attempts": 0,
            "error": "",
            "tries": [],
        }
        for kind, due_at, expires_at in (
            ("preparation", shown(DAYS[1] - timedelta(days=3)), shown(DAYS[1] - timedelta(days=2))),
            ("two-days", shown(DAYS[1] - timedelta(days=2)), shown(DAYS[1], "07:00")),
            ("score-due", shown(DAYS[1] - timedelta(days=1)), shown(DAYS[1], "07:00")),
            ("two-hours", shown(DAYS[1], "07:00"), shown(DAYS[1])),
        )
    ]
    assert of_course[0]["kind"] == "booked"
    assert {mail["course"] for mail in of_course} == {course["id"]}
    assert desk.get("reminders/", course=course["id"], state="sent").body["results"] == []
    booked = desk.get("reminders/", kind="booked", patient=other.pk).body["results"]
    assert [(mail["kind"], mail["patient"]) for mail in booked] == [("booked", other.pk)]
    early = desk.get("reminders/", session=session, due_before=shown(DAYS[1] - timedelta(days=2))).body["results"]
    assert [mail["kind"] for mail in early] == ["preparation"]


@pytest.mark.parametrize("text", ["2027-02-01T09:00:00", "yesterday", "0001-01-01T00:00:00Z", "2027-02-30T09:00:00Z"])
def test_what_is_no_time_is_refused(desk: Api, text: str) -> None:
    answer = desk.get("reminders/", due_before=text)
    assert (answer.status, list(answer.body["fields"])) == (400, ["due_before"])


def test_a_mail_tells_what_the_server_said_to_each_try(desk: Api, clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    mail = make(course, 1)
    for minutes, state, answer in ((1, MailState.DUE, "451 busy"), (2, MailState.SENT, "")):
        Attempt.objects.create(mail=mail, at=NOW + timedelta(minutes=minutes), state=state, answer=answer)
    (found,) = desk.get("reminders/").body["results"]
    assert found["tries"] == [
        {"at": shown(MONDAY, "07:01"), "state": "due", "answer": "451 busy"},
        {"at": shown(MONDAY, "07:02"), "state": "sent", "answer": ""},
    ]


def test_an_evaluation_s_mail_is_told_in_the_time_of_its_site(desk: Api, clinic: Clinic, patient: Patient) -> None:
    room = Room.objects.create(site=clinic.site, name="Room 1")
    at = {"starts_at": shown(MONDAY, "10:00"), "room": room.pk, "prescriber": clinic.prescriber.pk}
    evaluation = desk.post(f"patients/{patient.pk}/evaluations/", at).body["id"]
    Mail.objects.all().delete()
    Mail.objects.create(
        patient=patient,
        evaluation_id=evaluation,
        kind="two-hours",
        times_version=1,
        due_at=NOW,
        try_at=NOW,
        created_at=NOW,
    )
    (found,) = desk.get("reminders/").body["results"]
    assert {name: found[name] for name in ("course", "session", "evaluation", "due_at")} == {
        "course": None,
        "session": None,
        "evaluation": evaluation,
        "due_at": shown(MONDAY, "07:00"),
    }


def make(course: Course, number: int) -> Mail:
    return Mail.objects.create(
        patient=course.patient,
        course=course,
        kind="changed",
        times_version=number,
        due_at=NOW,
        try_at=NOW,
        created_at=NOW,
    )


@pytest.mark.parametrize("count", [1, 30])
def test_mails_take_four_queries(count: int, desk: Api, clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    for number in range(count):
        Attempt.objects.create(mail=make(course, number), at=NOW, state=MailState.DUE)

    with CaptureQueriesContext(connection) as queries:
        assert desk.get("reminders/").body["count"] == count

    assert len(queries) == 4  # token, count, mails, tries


def test_a_session_tells_why_its_patient_was_mailed(desk: Api, clinic: Clinic, patient: Patient) -> None:
    course = desk.post("courses/", course_body(patient.pk, rows(clinic, DAYS))).body
    session = course["sessions"][0]["id"]
    answer = desk.get(f"sessions/{session}/mails/")
    assert answer.status == 200
    (two_hours,) = Mail.objects.filter(session=session, kind="two-hours")
    assert answer.body["reminders"] == [
        *(
            {
                "kind": kind,
                "state": "not-made",
                "at": shown(TUESDAY - timedelta(days=days)),
                "text": "It was past when the visit got these times, Mon 1 Feb 07:00.",
                "mail": None,
            }
            for kind, days in (("preparation", 3), ("two-days", 2))
        ),
        {
            "kind": "score-due",
            "state": "due",
            "at": shown(MONDAY),
            "text": "",
            "mail": Mail.objects.get(session=session, kind="score-due").pk,
        },
        {"kind": "two-hours", "state": "due", "at": shown(TUESDAY, "07:00"), "text": "", "mail": two_hours.pk},
    ]
    assert answer.body["summary"] == "No reminder yet; “Questionnaire due” goes out on Mon 1 Feb 09:00."
    assert answer.body["timeline"][0] == {
        "at": shown(MONDAY, "07:00"),
        "what": "booked",
        "text": "Booked: 4 visits, Tue 2 Feb to Fri 12 Feb.",
        "by": clinic.desk.pk,
        "mails": [],
    }
    assert desk.get("sessions/0/mails/").status == 404
