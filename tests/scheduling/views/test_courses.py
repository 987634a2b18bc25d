"""The page of a course: what it shows, and the acts that begin there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling import cancelling, confirming
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
    went,
)
from tests.pages import Element, form_data, page, signed_in
from tests.scheduling.views import PATTERN, book, told


def panel(answer: Any, name: str) -> Element:
    """The panel whose heading has this id."""
    (found,) = [element for element in page(answer).all(f"[aria-labelledby={name}]") if element.tag == "section"]
    return found


def hints(answer: Any) -> list[str]:
    """What comes next, with the steps that are offered."""
    return [line.text for line in panel(answer, "acts").all("li.prompt")]


def steps(answer: Any) -> list[list[str]]:
    """Of every visit the steps, the shown one first."""
    return [
        [element.text for element in row.all("") if element.tag in ("a", "button")]
        for row in panel(answer, "visits").all("tbody")[-1].all("tr")
        if "sub" not in row.attributes.get("class", "")
    ]


# What it shows


def test_it_shows_every_visit_with_its_state(desk: Client, course: Course, clinic: Clinic) -> None:
    cancelling.cancel_session(actor=clinic.desk, session=course.sessions.in_order()[1], reason="ill", now=NOW)
    rows = panel(desk.get(f"/courses/{course.pk}/"), "visits").all("tr")[1:]
    place = f"Chair 1, {clinic.prescriber.short_name}"

    assert [" ".join(cell.text for cell in row.all("td")[:5]) for row in rows[:3]] == [
        f"1 Mon 1 Feb day 0 09:00 09:30 · home 12:10 {place} Booked",
        f" Thu 4 Feb day 3 09:00 09:30 · home 12:10 {place} Cancelled ill",
        f"2 Mon 8 Feb day 7 09:00 09:30 · home 12:10 {place} Booked",
    ]


def test_its_head_says_how_far_it_is(desk: Client, course: Course) -> None:
    (head,) = page(desk.get(f"/courses/{course.pk}/")).all("header.head-patient")

    assert [tag.text for tag in head.all("span.tag")] == [
        f"{course.protocol.name} v1",
        "Initial phase · 0 of 6 given · day 21 is Mon 22 Feb",
        "Active",
    ]


def test_it_says_what_the_rules_find_and_who_passed_over_what(
    prescriber: Client, clinic: Clinic, patient: Patient
) -> None:
    signature = Signature(clinic.prescriber, frozenset({"gap-min"}), "Travels")
    course = book(clinic, patient, days=(0, 1, 7, 10), override=signature)
    answer = prescriber.get(f"/courses/{course.pk}/?view=desk")

    assert [found.text for found in panel(answer, "visits").all(".finding")] == [
        (
            "OVERRIDE · gap 1 day, 24 h "
            "Sessions 1 and 2 are 1 day apart; at least 2 calendar days and 40 hours are required."
        )
    ]
    assert [line.text for line in panel(answer, "overrides").all("li")] == [
        (f"gap too short · 1 day, 24 h Limit 2 days, 40 h. “Travels” Dr. {clinic.prescriber}, 1 Feb 2027 07:00")
    ]


def test_its_history_tells_who_did_what_and_when(desk: Client, clinic: Clinic, course: Course) -> None:
    session = course.sessions.in_order()[1]
    look = desk.post(
        f"/sessions/{session.pk}/move/",
        form_data(desk.get(f"/sessions/{session.pk}/move/"), number=2) | {"date": "2027-02-05", "act": "look"},
    )
    desk.post(f"/sessions/{session.pk}/move/", form_data(look) | {"act": "move"})
    desk.post(f"/sessions/{session.pk}/confirm/")
    cancelling.cancel_session(actor=clinic.desk, session=session, reason="ill", now=NOW)
    history = panel(desk.get(f"/courses/{course.pk}/"), "history")

    assert [line.text for line in history.all("li")] == [
        f"1 Feb 2027 07:00 Fri 5 Feb 09:00 cancelled: ill {clinic.desk}",
        f"1 Feb 2027 07:00 Fri 5 Feb 09:00: the patient said yes. {clinic.desk}",
        f"1 Feb 2027 07:00 Moved: Thu 4 Feb 09:00 to Fri 5 Feb 09:00. {clinic.desk}",
        f"1 Feb 2027 07:00 Booked: 6 visits, Mon 1 Feb to Thu 18 Feb. {clinic.desk}",
    ]


def test_its_mails_say_why_the_patient_got_them_or_not(desk: Client, clinic: Clinic, course: Course) -> None:
    first, second = course.sessions.in_order()[:2]
    later = NOW + timedelta(minutes=1)
    Mail.objects.filter(kind="booked").update(state="sent", sent_at=later, settled_at=later)
    Mail.objects.filter(session=first).update(state="failed", settled_at=NOW, error="The mail server refused it.")
    cancelling.cancel_session(actor=clinic.desk, session=second, reason="ill", now=NOW)
    mails = panel(desk.get(f"/courses/{course.pk}/"), "mails")

    lines = [line.text for line in mails.all("ul")[0].all("li")]
    assert (lines[0], lines[1], lines[-1]) == (
        "Failed Reminder two hours before Mon 1 Feb 09:00 The mail server refused it.",
        "Due Dates cancelled all dates goes out Mon 1 Feb 07:00",
        "Sent Course booked all dates Mon 1 Feb 07:01",
    )
    assert {line.partition(" ")[0] for line in lines[1:-1]} == {"Due"}
    assert mails.all("summary")[0].text == "4 withdrawn mails"
    assert [line.text for line in mails.all("details")[0].all("li")] == [
        f"Withdrawn {kind} Thu 4 Feb 09:00 The visit was cancelled."
        for kind in (
            "Reminder two hours before",
            "Questionnaire due",
            "Reminder two days before",
            "Preparation three days before",
        )
    ]


def test_a_long_course_folds_what_is_over(desk: Client, clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE)
    days = [day for day in range(-28, 28) if (MONDAY + timedelta(days=day)).weekday() < 5]
    clinic = make_clinic(first=MONDAY - timedelta(days=28), weeks=10)
    course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE)
    for number, day in enumerate(days[:22], start=1):
        SessionFactory.create(
            course=course,
            number=number,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(MONDAY + timedelta(days=day)),
            state=SessionState.DISCHARGED if day < 0 else SessionState.BOOKED,
        )
    visits = panel(signed_in(clinic.desk).get(f"/courses/{course.pk}/"), "visits")

    assert visits.all("summary")[0].text == "17 earlier visits"
    assert [len(body.all("[class=nowrap]")) // 2 for body in visits.all("tbody")] == [17, 5]


# Steps of each visit


def test_a_booked_visit_is_confirmed_moved_or_cancelled(desk: Client, course: Course) -> None:
    second = steps(desk.get(f"/courses/{course.pk}/"))[1]

    assert second == ["Said yes : Thu 4 Feb 09:00", "Move : Thu 4 Feb 09:00", "Cancel… : Thu 4 Feb 09:00"]


def test_today_a_patient_can_ring_to_come_later(desk: Client, course: Course) -> None:
    first = steps(desk.get(f"/courses/{course.pk}/"))[0]

    assert [step.split(" :")[0] for step in first] == ["Said yes", "Comes later…", "Move", "Cancel…"]


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (SessionState.CONFIRMED, ["Move", "Cancel…"]),
        (SessionState.CHECKED_IN, ["Visit"]),
        (SessionState.DISCHARGED, ["Visit"]),
        (SessionState.NO_SHOW, ["Book a make-up"]),
        (SessionState.NOT_DOSED, ["Book a make-up"]),
        (SessionState.CANCELLED, ["Book a make-up"]),
    ],
)
def test_every_state_has_its_steps_and_no_others(
    desk: Client, course: Course, state: SessionState, offered: list[str]
) -> None:
    freed = NOW if offered == ["Book a make-up"] else None
    second = course.sessions.in_order()[1]
    went(course.sessions.filter(pk=second.pk), state, freed_at=freed, confirmed_at=NOW)

    assert [step.split(" :")[0] for step in steps(desk.get(f"/courses/{course.pk}/"))[1]] == offered


def test_a_visit_that_no_longer_fits_gets_a_new_time(desk: Client, course: Course) -> None:
    second = course.sessions.in_order()[1]
    course.sessions.filter(pk=second.pk).update(needs_replan=True)
    answer = desk.get(f"/courses/{course.pk}/")

    assert [step.split(" :")[0] for step in steps(answer)[1]] == ["Find a new time", "Cancel…"]
    assert "Thu 4 Feb 09:00 no longer fits. Find a new time : Thu 4 Feb 09:00" in hints(answer)


def test_no_more_make_ups_are_offered_than_visits_are_missing(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient)
    cancelling.cancel_session(actor=clinic.desk, session=course.sessions.in_order()[1], reason="ill", now=NOW)
    before = steps(desk.get(f"/courses/{course.pk}/"))[1]
    SessionFactory.create(
        course=course,
        chair=clinic.chairs[1],
        prescriber=clinic.prescriber,
        starts_at=local(MONDAY + timedelta(days=21)),
    )
    after = steps(desk.get(f"/courses/{course.pk}/"))[1]

    assert (before, after) == (["Book a make-up : Thu 4 Feb 09:00"], [])


def test_acts_are_shown_to_those_who_may(clinic: Clinic, course: Course) -> None:
    acts = {
        staff.pk: [
            element.text
            for element in panel(signed_in(staff).get(f"/courses/{course.pk}/?view=desk"), "acts")
            .all("footer")[0]
            .all("a")
        ]
        for staff in clinic.staff
    }
    desk = ["List of dates", "Add visits", "Cancel course…"]

    assert acts == {
        clinic.desk.pk: desk,
        clinic.clinician.pk: desk,
        clinic.prescriber.pk: ["List of dates", "Add visits", "Decide", "Cancel course…"],
        clinic.nurse.pk: ["List of dates"],
        clinic.manager.pk: desk,
    }
    first, *others = steps(signed_in(clinic.nurse).get(f"/courses/{course.pk}/?view=desk"))
    assert (first, others) == (["Check in : Mon 1 Feb 09:00"], [[]] * 5)


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
    assert signed_in(clinic.clinician).get(f"/courses/{course.pk}/decide/").status_code == 403


@pytest.mark.parametrize("path", ["/courses/0/", "/courses/99999999999999999999/", "/sessions/0/move/"])
def test_what_does_not_exist_is_not_found(desk: Client, path: str) -> None:
    assert desk.get(path).status_code == 404


# What comes next


def test_new_dates_are_printed_first(desk: Client, course: Course) -> None:
    answer = desk.get(f"/courses/{course.pk}/")

    assert hints(answer)[0] == (
        "The dates are new: give the patient the list. "
        "A list without any clinical word, in the patient's language. Print the dates p"
    )
    assert [link.text for link in panel(answer, "acts").all("a.primary")] == ["Print the dates p"]


def test_visits_that_nobody_has_confirmed_are_named_with_the_phone(desk: Client, course: Course) -> None:
    assert hints(desk.get(f"/courses/{course.pk}/"))[1] == (
        f"Not confirmed yet: Mon 1 Feb 09:00 Call {course.patient.phone}."
    )


def test_a_visit_that_fell_out_leads_to_one_in_its_place(desk: Client, clinic: Clinic, course: Course) -> None:
    second = course.sessions.in_order()[1]
    cancelling.cancel_session(actor=clinic.desk, session=second, reason="ill", now=NOW)
    answer = desk.get(f"/courses/{course.pk}/")
    (link,) = panel(answer, "acts").all("a.primary")

    assert hints(answer)[0] == (
        "Thu 4 Feb 09:00 fell out: cancelled. 5 of 6 planned visits are booked or given. "
        "Book a make-up : Thu 4 Feb 09:00"
    )
    assert link.attributes["href"] == f"/courses/{course.pk}/add/?sessions=1&earliest=2027-02-05"


def test_a_minimum_out_of_reach_is_said_with_the_choices(prescriber: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, days=(0, 21))
    found = next(
        line for line in hints(prescriber.get(f"/courses/{course.pk}/?view=desk")) if "cannot be reached" in line
    )

    assert found == (
        "With a session on day 21, 4 sessions cannot be reached by day 21. Move a session, extend by override, close "
        "the phase early, or start a new initial phase. "
        "Move the last visit Add visits by override Close the phase early"
    )


def test_maintenance_without_a_date_is_planned(desk: Client, clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE, interval_days=21)

    assert hints(desk.get(f"/courses/{course.pk}/")) == ["Maintenance has no date to come. Plan the dates a"]


def test_a_month_without_a_visit_is_planned(desk: Client, clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE, interval_days=21)
    for number, (day, phase) in enumerate([(0, "initial"), (7, "maintenance")], start=1):
        SessionFactory.create(
            course=course,
            number=number,
            phase=phase,
            state=SessionState.CONFIRMED,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(MONDAY + timedelta(days=day)),
        )
    answer = desk.get(f"/courses/{course.pk}/")
    (link,) = panel(answer, "acts").all("a.primary")

    assert hints(answer) == ["March 2027 has no visit yet. Plan March 2027 a"]
    assert link.attributes["href"] == f"/courses/{course.pk}/add/?sessions=1&earliest=2027-03-01"


def test_a_course_whose_visits_are_over_waits_for_a_decision(desk: Client, prescriber: Client, clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    for day in PATTERN:
        SessionFactory.create(
            course=course,
            state=SessionState.DISCHARGED,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(MONDAY + timedelta(days=day)),
        )
    text = "All planned visits are over: a prescriber decides how it goes on."

    assert hints(desk.get(f"/courses/{course.pk}/")) == [text]
    assert hints(prescriber.get(f"/courses/{course.pk}/?view=desk")) == [f"{text} Decide"]


def test_news_that_did_not_arrive_is_told_by_phone(desk: Client, course: Course) -> None:
    Mail.objects.filter(kind="booked").update(state="failed", settled_at=NOW, error="The mail server refused it.")
    found = hints(desk.get(f"/courses/{course.pk}/"))

    assert (
        "“Course booked” could not be mailed: tell the patient by phone. "
        f"Call {course.patient.phone}. The mail server refused it."
    ) in found


@pytest.mark.parametrize(
    ("kind", "by", "sentence"),
    [
        ("cancelled", True, "The course was cancelled: moves away Mon 1 Feb 07:00, by {who}. Plan a new course"),
        ("hold-expired", False, "The hold has run out; the times are free. Mon 1 Feb 07:00 Plan a new course"),
    ],
)
def test_a_course_that_has_ended_says_how(desk: Client, clinic: Clinic, kind: str, by: bool, sentence: str) -> None:
    course = CourseFactory.create(site=clinic.site, state=CourseState.CANCELLED)
    course.events.create(kind=kind, at=NOW, by=clinic.desk if by else None, details={"reason": "moves away"})
    answer = desk.get(f"/courses/{course.pk}/")

    assert hints(answer) == [sentence.format(who=clinic.desk)]
    assert panel(answer, "acts").all("footer") == []


def test_a_stopped_course_offers_no_steps(desk: Client, clinic: Clinic, course: Course) -> None:
    Course.objects.filter(pk=course.pk).update(state=CourseState.STOPPED, ended_at=NOW)
    course.events.create(kind="stopped", at=NOW, by=clinic.prescriber, details={"reason": "Pregnant"})
    answer = desk.get(f"/courses/{course.pk}/")

    assert steps(answer) == [[]] * 6
    assert hints(answer) == [f"Stopped: Pregnant Mon 1 Feb 07:00, by {clinic.prescriber}. Plan a new course"]


# Held courses


def test_a_held_course_is_booked_by_a_button(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, hold=True)
    held = desk.get(f"/courses/{course.pk}/")
    answer = desk.post(f"/courses/{course.pk}/confirm/", form_data(held, form="book"))
    course.refresh_from_db()

    assert hints(held) == [
        (
            "Held until Tue 2 Feb 07:00, 24 h left. Then the times are free again. "
            "Nothing is mailed before these visits are booked."
        )
    ]
    assert [step.split(" :")[0] for step in steps(held)[0]] == ["Move", "Cancel…"]
    assert told(held, "button.primary") == ["Book 6 visits Ctrl ⏎"]
    assert (answer.status_code, course.state) == (302, CourseState.ACTIVE)
    assert set(course.sessions.values_list("state", flat=True)) == {SessionState.BOOKED}


def test_who_was_asked_to_sign_and_what_was_typed_is_shown(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, days=(0, 1, 7, 10), hold=True, reason="Travels", ask=clinic.prescriber)

    assert hints(desk.get(f"/courses/{course.pk}/"))[1] == (
        "A prescriber has to sign: gap too short. "
        f"{clinic.desk} asked {clinic.prescriber.short_name} Mon 1 Feb 07:00. “Travels”"
    )


def test_a_held_course_that_breaks_a_rule_is_signed_where_it_is_booked(
    desk: Client, clinic: Clinic, patient: Patient
) -> None:
    course = book(clinic, patient, days=(0, 1, 7, 10), hold=True)
    path = f"/courses/{course.pk}/confirm/"
    data = form_data(desk.get(f"/courses/{course.pk}/"), form="book")
    unsigned = desk.post(path, data)
    signature = {"sign-prescriber": clinic.prescriber.pk, "sign-reason": "Travels"}
    wrong = desk.post(path, data | signature | {"sign-password": "wrong"})
    signed = desk.post(path, data | signature | {"sign-password": PASSWORD})

    assert (unsigned.status_code, wrong.status_code, signed.status_code) == (422, 422, 302)
    assert told(unsigned, ".notice")[0].startswith("Nothing was changed. Sessions 1 and 2 are 1 day apart")
    missing = ["This field is required."] * 2
    assert told(unsigned, "div.error") == [*missing, "The prescriber types a password here."]
    assert told(wrong, "div.error") == ["This is not the prescriber's password, or it was wrong too often."]
    assert [(override.rule, override.by) for override in Override.objects.all()] == [("gap-min", clinic.prescriber)]


def test_a_hold_that_has_run_out_is_not_booked(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, hold=True)
    Course.objects.update(held_until=NOW - timedelta(minutes=1))
    answer = desk.post(f"/courses/{course.pk}/confirm/")

    assert answer.status_code == 422
    assert told(answer, ".notice")[0] == "Nothing was changed. This course is not held any more."
    assert hints(answer) == ["The hold ran out Mon 1 Feb 06:59; its times are free for others."]
    assert page(answer).all("[id=book]") == []


# Cancelling the course


def test_a_course_is_cancelled_after_saying_which_visits_and_why(desk: Client, course: Course) -> None:
    path = f"/courses/{course.pk}/cancel/"
    asked = desk.get(path)
    nothing = desk.post(path, form_data(asked))
    answer = desk.post(path, form_data(asked) | {"why": "wish", "reason": "moves away"})
    course.refresh_from_db()

    assert [line.text.split(" Chair")[0] for line in page(asked).all("ul.going")[0].all("li")] == [
        f"{(MONDAY + timedelta(days=day)):%a} {(MONDAY + timedelta(days=day)).day} Feb 2027 09:00" for day in PATTERN
    ]
    assert told(asked, "button.primary") == ["Cancel course and 6 visits Ctrl ⏎"]
    assert (nothing.status_code, told(nothing, "div.error")) == (422, ["Choose a reason, or type one."])
    assert (answer.status_code, course.state) == (302, CourseState.CANCELLED)
    assert course.events.get(kind="cancelled").details["reason"] == "Patient’s wish: moves away"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"why": "ill"}, "Patient is ill"),
        ({"why": "clinic", "reason": "Pump broken"}, "The clinic: Pump broken"),
        ({"why": "other", "reason": "Snow"}, "Snow"),
        ({"reason": "Snow"}, "Snow"),
    ],
)
def test_a_usual_reason_a_sentence_or_both_are_kept(
    desk: Client, course: Course, typed: dict[str, str], kept: str
) -> None:
    path = f"/courses/{course.pk}/cancel/"
    desk.post(path, form_data(desk.get(path)) | typed)

    assert course.events.get(kind="cancelled").details["reason"] == kept


def test_another_reason_is_said_in_words(desk: Client, course: Course) -> None:
    path = f"/courses/{course.pk}/cancel/"
    answer = desk.post(path, form_data(desk.get(path)) | {"why": "other"})

    assert told(answer, "div.error") == ["Say in a few words why."]


def test_a_course_is_cancelled_once(desk: Client, clinic: Clinic, course: Course) -> None:
    path = f"/courses/{course.pk}/cancel/"
    data = form_data(desk.get(path)) | {"reason": "moves away"}
    other = form_data(desk.get(path)) | {"reason": "ill"}
    twice = [desk.post(path, data).status_code for _ in range(2)]
    stale = desk.post(path, other)
    late = desk.get(path)
    told_why = f"The course was cancelled: moves away {clinic.desk}, Mon 1 Feb 2027 07:00"

    assert twice == [302, 302]
    assert (stale.status_code, told(stale, "h2")) == (409, ["Nothing was changed. This course has ended already."])
    assert (late.status_code, told(late, "h2")) == (200, ["This course has ended."])
    assert [told(answer, "p")[-1] for answer in (stale, late)] == [told_why] * 2
    assert page(late).all("textarea") == page(late).all("[name=reason]") == []


# How much it reads


@pytest.mark.parametrize("many", [1, 30])
def test_it_takes_as_many_queries_for_thirty_of_everything_as_for_one(at_now: None, db: None, many: int) -> None:
    clinic = make_clinic()
    course = CourseFactory.create(site=clinic.site, phase=PhaseChoice.MAINTENANCE)
    days = [day for day in range(56) if (MONDAY + timedelta(days=day)).weekday() < 5]
    for number, day in enumerate(days[:many], start=1):
        session = SessionFactory.create(
            course=course,
            number=number,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(MONDAY + timedelta(days=day)),
        )
        confirming.confirm_session(actor=clinic.desk, session=session, now=NOW)
        Mail.objects.create(
            patient=course.patient,
            course=course,
            session=session,
            kind="two-days",
            times_version=1,
            due_at=NOW,
            try_at=NOW,
            created_at=NOW,
        )
    client = signed_in(clinic.desk)
    client.get("/worklist/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"/courses/{course.pk}/")

    assert [len(panel(answer, name).all("li")) for name in ("mails", "history")] == [many, many]
    assert len(panel(answer, "visits").all("tr")) >= 1 + many
    # session, user; course, sessions, overrides, events; standing sessions; mails; sites, open lines; screening
    assert len(queries) == 11
