"""The page of a course: what it shows, and the acts that begin there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling import cancelling
from scheduling.booking import Signature
from scheduling.models import Course, CourseState, Mail, Override, PhaseChoice, SessionState
from tests.factories import (
    MONDAY,
    NOW,
    PASSWORD,
    Clinic,
    CourseFactory,
    SessionFactory,
    local,
    make_clinic,
)
from tests.pages import Element, form_data, page, says, signed_in
from tests.scheduling.views import PATTERN, book


def panel(answer: Any, name: str) -> Element:
    """The panel whose heading has this id."""
    (found,) = page(answer).all(f"[aria-labelledby={name}]")
    return found


def test_it_shows_every_visit_with_its_state(desk: Client, course: Course, clinic: Clinic) -> None:
    cancelling.cancel_session(actor=clinic.desk, session=course.sessions.in_order()[1], reason="ill", now=NOW)
    rows = panel(desk.get(f"/courses/{course.pk}/"), "visits").all("tr")[1:]
    place = f"Chair 1, {clinic.prescriber.short_name}"

    assert [" ".join(cell.text for cell in row.all("td")[:5]) for row in rows[:3]] == [
        f"1 Mon 1 Feb 2027 day 0 09:00 home 12:10 {place} Booked",
        f" Thu 4 Feb 2027 day 3 09:00 home 12:10 {place} Cancelled",
        f"2 Mon 8 Feb 2027 day 7 09:00 home 12:10 {place} Booked",
    ]
    assert [[link.text for link in row.all("a")] for row in rows[:2]] == [["Move", "Cancel 1 Feb"], []]


def test_it_says_what_the_rules_find_and_who_passed_over_what(
    prescriber: Client, clinic: Clinic, patient: Patient
) -> None:
    signature = Signature(clinic.prescriber, frozenset({"gap-min"}), "Travels")
    course = book(clinic, patient, days=(0, 1, 7, 10), override=signature)
    answer = prescriber.get(f"/courses/{course.pk}/")

    assert [found.text for found in panel(answer, "visits").all(".finding")] == [
        (
            "OVERRIDE · gap 1 day, 24 h "
            "Sessions 1 and 2 are 1 day apart; at least 2 calendar days and 40 hours are required."
        )
    ]
    assert [line.text for line in panel(answer, "overrides").all("li")] == [
        f"gap-min · 1 day, 24 h Limit 2 days, 40 h. “Travels” Dr. {clinic.prescriber}, 1 Feb 2027 07:00"
    ]


def test_its_history_tells_who_did_what_and_when(desk: Client, clinic: Clinic, course: Course) -> None:
    session = course.sessions.in_order()[1]
    data = form_data(desk.get(f"/sessions/{session.pk}/move/"), number=2)
    look = desk.post(f"/sessions/{session.pk}/move/", data | {"date": "2027-02-05", "act": "look"})
    desk.post(f"/sessions/{session.pk}/move/", form_data(look) | {"act": "move"})
    desk.post(f"/sessions/{session.pk}/confirm/")
    cancelling.cancel_session(actor=clinic.desk, session=session, reason="ill", now=NOW)
    history = panel(desk.get(f"/courses/{course.pk}/"), "history")

    assert [line.text for line in history.all("li")] == [
        f"1 Feb 2027 07:00 A visit was cancelled: ill {clinic.desk}",
        f"1 Feb 2027 07:00 The patient said yes to a visit. {clinic.desk}",
        f"1 Feb 2027 07:00 Moved: Thu 4 Feb 09:00 to Fri 5 Feb 09:00. {clinic.desk}",
        f"1 Feb 2027 07:00 Booked: 6 visits. {clinic.desk}",
    ]


def test_its_mails_say_why_the_patient_got_them_or_not(desk: Client, clinic: Clinic, course: Course) -> None:
    first, second = course.sessions.in_order()[:2]
    Mail.objects.filter(kind="booked").update(state="sent", sent_at=NOW + timedelta(minutes=1))
    Mail.objects.filter(session=first).update(state="failed", error="The mail server refused it.")
    cancelling.cancel_session(actor=clinic.desk, session=second, reason="ill", now=NOW)
    rows = panel(desk.get(f"/courses/{course.pk}/"), "mails").all("tr")[1:]

    stale = "Withdrawn What it says no longer stood before it was due."
    assert sorted(row.text for row in rows if "Mon 1 Feb" in row.text or "Thu 4 Feb" in row.text) == [
        "Course booked all dates Mon 1 Feb 07:00 Sent Mon 1 Feb 07:01",
        "Dates cancelled all dates Mon 1 Feb 07:00 Due",
        f"Reminder two days before Thu 4 Feb 09:00 Tue 2 Feb 09:00 {stale}",
        "Reminder two hours before Mon 1 Feb 09:00 Mon 1 Feb 07:00 Failed The mail server refused it.",
        f"Reminder two hours before Thu 4 Feb 09:00 Thu 4 Feb 07:00 {stale}",
    ]


def test_acts_are_shown_to_those_who_may(clinic: Clinic, course: Course) -> None:
    acts = {
        staff.pk: [
            element.text
            for element in page(signed_in(staff).get(f"/courses/{course.pk}/")).all("main")[0].all(".button")
        ]
        for staff in clinic.staff
    }
    each = [word for day in ("1", "4", "8", "11", "15", "18") for word in ("Said yes", "Move", f"Cancel {day} Feb")]
    desk = ["Add visits", *each, "Cancel course…"]

    assert acts == {
        clinic.desk.pk: desk,
        clinic.clinician.pk: desk,
        clinic.prescriber.pk: ["Add visits", *each, "Decide maintenance", "Cancel course…"],
        clinic.nurse.pk: [],
        clinic.manager.pk: desk,
    }


def test_what_is_not_shown_is_refused_too(clinic: Clinic, course: Course) -> None:
    session = course.sessions.in_order()[0]
    paths = [
        f"/courses/{course.pk}/confirm/",
        f"/courses/{course.pk}/cancel/",
        f"/courses/{course.pk}/decide/",
        f"/sessions/{session.pk}/move/",
        f"/sessions/{session.pk}/cancel/",
        f"/sessions/{session.pk}/confirm/",
    ]

    assert [signed_in(clinic.nurse).post(path).status_code for path in paths] == [403] * 6
    assert [Client().post(path).status_code for path in paths] == [302] * 6
    assert signed_in(clinic.clinician).get(f"/courses/{course.pk}/decide/").status_code == 403


@pytest.mark.parametrize("path", ["/courses/0/", "/courses/99999999999999999999/", "/sessions/0/move/"])
def test_what_does_not_exist_is_not_found(desk: Client, path: str) -> None:
    assert desk.get(path).status_code == 404


def test_a_held_course_is_booked_by_a_button(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, hold=True)
    held = desk.get(f"/courses/{course.pk}/")
    answer = desk.post(f"/courses/{course.pk}/confirm/", form_data(held))
    course.refresh_from_db()

    assert says(held, ".notice") == [
        "These times are held until Tue 2 Feb 07:00; then they are free again. Book these visits"
    ]
    assert (answer.status_code, course.state) == (302, CourseState.ACTIVE)
    assert set(course.sessions.values_list("state", flat=True)) == {SessionState.BOOKED}


def test_a_held_course_that_breaks_a_rule_is_signed_where_it_is_booked(
    desk: Client, clinic: Clinic, patient: Patient
) -> None:
    course = book(clinic, patient, days=(0, 1, 7, 10), hold=True)
    path = f"/courses/{course.pk}/confirm/"
    data = form_data(desk.get(f"/courses/{course.pk}/"))
    unsigned = desk.post(path, data)
    signature = {"sign-prescriber": clinic.prescriber.pk, "sign-reason": "Travels"}
    wrong = desk.post(path, data | signature | {"sign-password": "wrong"})
    signed = desk.post(path, data | signature | {"sign-password": PASSWORD})

    assert (unsigned.status_code, wrong.status_code, signed.status_code) == (422, 422, 302)
    assert says(unsigned, ".notice")[0].startswith("Nothing was changed. Sessions 1 and 2 are 1 day apart")
    assert says(wrong, ".error") == ["This is not the prescriber's password, or it was wrong too often."]
    assert [(override.rule, override.by) for override in Override.objects.all()] == [("gap-min", clinic.prescriber)]


def test_a_hold_that_has_run_out_is_not_booked(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, hold=True)
    Course.objects.update(held_until=NOW - timedelta(minutes=1))
    answer = desk.post(f"/courses/{course.pk}/confirm/")

    assert answer.status_code == 422
    assert says(answer, ".notice")[0] == "Nothing was changed. This course is not held any more."


def test_a_course_is_cancelled_after_saying_which_visits_and_why(desk: Client, course: Course) -> None:
    path = f"/courses/{course.pk}/cancel/"
    asked = desk.get(path)
    nothing = desk.post(path, form_data(asked))
    answer = desk.post(path, form_data(asked) | {"reason": "moves away"})
    course.refresh_from_db()

    assert [line.text.split(" Chair")[0] for line in page(asked).all("main")[0].all("li")] == [
        f"{(MONDAY + timedelta(days=day)):%a} {(MONDAY + timedelta(days=day)).day} Feb 2027 09:00" for day in PATTERN
    ]
    assert says(asked, "button.primary") == ["Cancel course and 6 visits"]
    assert (nothing.status_code, says(nothing, ".error")) == (422, ["This field is required."])
    assert (answer.status_code, course.state) == (302, CourseState.CANCELLED)


def test_a_course_is_cancelled_once(desk: Client, course: Course) -> None:
    path = f"/courses/{course.pk}/cancel/"
    data = form_data(desk.get(path)) | {"reason": "moves away"}
    twice = [desk.post(path, data).status_code for _ in range(2)]
    again = desk.post(path, form_data(desk.get(path)) | {"reason": "moves away"})

    assert twice == [302, 302]
    assert again.status_code == 422
    assert "This course has ended already." in says(again, ".notice")[0]


def test_a_visit_is_cancelled_for_a_reason(desk: Client, course: Course) -> None:
    session = course.sessions.in_order()[1]
    path = f"/sessions/{session.pk}/cancel/"
    asked = desk.get(path)
    answer = desk.post(path, form_data(asked) | {"reason": "ill"})
    session.refresh_from_db()

    assert says(asked, "button.primary") == ["Cancel visit of Thu 4 Feb"]
    assert (answer.status_code, answer["Location"], session.state) == (
        302,
        f"/courses/{course.pk}/",
        SessionState.CANCELLED,
    )


def test_a_patient_who_says_yes_is_written_down(desk: Client, course: Course) -> None:
    session = course.sessions.in_order()[0]
    desk.post(f"/sessions/{session.pk}/confirm/")
    answer = desk.get(f"/courses/{course.pk}/")
    session.refresh_from_db()

    assert session.state == SessionState.CONFIRMED
    assert says(answer, ".messages") == ["Confirmed: the patient is coming."]


def test_a_held_visit_cannot_be_confirmed(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, hold=True)
    desk.post(f"/sessions/{course.sessions.in_order()[0].pk}/confirm/")

    assert says(desk.get(f"/courses/{course.pk}/"), ".messages") == [
        "Only a booked visit that is still to come can be confirmed."
    ]


def test_a_prescriber_decides_maintenance_for_a_reason(prescriber: Client, clinic: Clinic, course: Course) -> None:
    path = f"/courses/{course.pk}/decide/"
    asked = prescriber.get(path)
    told = prescriber.post(path, form_data(asked) | {"reason": "better"})
    answer = prescriber.post(path, form_data(told) | {"reason": "better", "pass_over": "on"})
    course.refresh_from_db()

    assert form_data(asked)["interval_days"] == ["21"]
    assert told.status_code == 422
    assert "OVERRIDE · initial-min · 0 sessions" in says(told, ".notice")[0]
    assert (answer.status_code, course.phase, course.interval_days) == (302, PhaseChoice.MAINTENANCE, 21)
    assert [override.reason for override in Override.objects.all()] == ["better"]


@pytest.mark.parametrize("wrong", [{"interval_days": "0"}, {"interval_days": "91"}, {"reason": ""}])
def test_a_decision_that_cannot_be_meant_is_said_at_the_field(
    prescriber: Client, course: Course, wrong: dict[str, str]
) -> None:
    path = f"/courses/{course.pk}/decide/"
    answer = prescriber.post(path, form_data(prescriber.get(path)) | {"reason": "better"} | wrong)

    assert answer.status_code == 422
    assert len(says(answer, "div.error")) == 1


@pytest.mark.parametrize("visits", [1, 30])
def test_it_takes_as_many_queries_for_thirty_visits_as_for_one(at_now: None, db: None, visits: int) -> None:
    clinic = make_clinic()
    course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE)
    days = [day for day in range(56) if (MONDAY + timedelta(days=day)).weekday() < 5]
    for number, day in enumerate(days[:visits], start=1):
        SessionFactory.create(
            course=course,
            number=number,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(MONDAY + timedelta(days=day)),
        )
    client = signed_in(clinic.desk)
    client.get("/worklist/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"/courses/{course.pk}/")

    assert len(panel(answer, "visits").all("tr")) >= 1 + visits
    # session, user; course, sessions, overrides, events; standing sessions; mails; sites, open lines
    assert len(queries) == 10
