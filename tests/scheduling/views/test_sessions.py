"""One visit on its pages: move it, cancel it, write down that nobody came or that the patient comes later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import translation

from patients.models import Patient
from scheduling import cancelling
from scheduling.drafts import decode, encode
from scheduling.mails import privacy
from scheduling.mails.letters import private_values
from scheduling.models import Course, CourseState, Override, Session, SessionState
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NEW_YORK, NOW, PASSWORD, Clinic, PatientFactory, local, went
from tests.pages import form_data, page, signed_in
from tests.scheduling.views import book, told


@pytest.fixture
def session(course: Course) -> Session:
    """The second of six: Thursday 4 February at nine."""
    return course.sessions.in_order()[1]


@pytest.fixture
def path(session: Session) -> str:
    return f"/sessions/{session.pk}/move/"


def offered(answer: Any) -> list[Place]:
    """The places that the page offers."""
    return [decode(button.attributes["value"]) for button in page(answer).all("[name=take]")]


def look_at(desk: Client, path: str, **typed: str) -> Any:
    """The look at a time that was typed; the page's last form."""
    return desk.post(path, form_data(desk.get(path), number=-1) | typed | {"act": "look"})


# Which times are offered


def test_possible_times_are_grouped_by_day_with_what_the_rules_say(desk: Client, path: str) -> None:
    answer = desk.get(path)
    days = page(answer).all("form.offered")[0].all("li")
    places = offered(answer)

    assert [(day.all("b")[0].text, {tag.text for tag in day.all("span.tag")}) for day in days[:5]] == [
        ("Tue 2 Feb", {"OVERRIDE"}),
        ("Wed 3 Feb", {"fits"}),
        ("Thu 4 Feb", {"fits"}),
        ("Fri 5 Feb", {"fits"}),
        ("Tue 9 Feb", {"OVERRIDE"}),
    ]
    assert places == sorted(set(places), key=lambda place: place.starts_at)
    assert Place(local(MONDAY + timedelta(days=3)), *_here(path)) not in places


def _here(path: str) -> tuple[int, int]:
    session = Session.objects.get(pk=path.split("/")[2])
    return session.chair_id, session.prescriber_id


def test_of_each_day_the_first_time_the_usual_hour_and_the_last_are_offered(desk: Client, path: str) -> None:
    friday = [place.starts_at.astimezone(NEW_YORK) for place in offered(desk.get(path)) if place.starts_at.day == 5]

    assert [f"{at:%H:%M}" for at in friday] == ["08:00", "09:00", "14:40"]


def test_times_from_another_date_on_are_a_link_away(desk: Client, path: str) -> None:
    later = next(link for link in page(desk.get(path)).all("main")[0].all("a") if link.text == "Later")

    assert later.attributes["href"] == "?date=2027-02-16"
    assert offered(desk.get(path + later.attributes["href"]))[0].starts_at == local(
        MONDAY + timedelta(days=15), "08:00"
    )


def test_a_date_at_the_end_of_the_calendar_is_no_date_to_look_from(desk: Client, path: str) -> None:
    assert offered(desk.get(path, {"date": "9999-12-31"})) == offered(desk.get(path))


def test_where_nothing_can_be_offered_the_page_says_so(desk: Client, path: str) -> None:
    answer = desk.get(path, {"date": "2028-06-01"})

    assert offered(answer) == []
    assert told(answer, "p.row") == [
        "Nothing can be offered in these two weeks. Look from a later date, or choose a time below."
    ]


# Looking and moving


def test_a_chosen_time_is_looked_at_and_then_moved_to(desk: Client, path: str, session: Session) -> None:
    place = Place(local(MONDAY + timedelta(days=4)), session.chair_id, session.prescriber_id)
    look = desk.post(path, form_data(desk.get(path), number=1) | {"take": encode(place)})
    before = Session.objects.get(pk=session.pk).starts_at
    moved = desk.post(path, form_data(look) | {"act": "move"})
    after = Session.objects.get(pk=session.pk)

    assert (look.status_code, told(look, "h2")[0]) == (200, "Fri 5 Feb 2027 09:00, home 12:10")
    assert told(look, "s") == [f"Thu 4 Feb 2027 09:00, Chair 1, {session.prescriber.short_name}"]
    assert told(look, "button.primary") == ["Move to Fri 5 Feb 09:00 Ctrl ⏎"]
    assert before == session.starts_at
    assert (moved.status_code, moved["Location"]) == (302, f"/courses/{session.course_id}/")
    assert (after.starts_at, after.chair_id, after.prescriber_id) == (place.starts_at, place.chair, place.prescriber)
    assert told(desk.get(moved["Location"]), ".messages") == ["Moved to Fri 5 Feb 09:00."]


def test_what_breaks_a_rule_is_signed_before_it_is_moved(
    desk: Client, clinic: Clinic, path: str, session: Session
) -> None:
    look = look_at(desk, path, date="2027-02-02")
    data = form_data(look) | {"act": "move"}
    unsigned = desk.post(path, data)
    signature = {"sign-prescriber": clinic.prescriber.pk, "sign-reason": "Travels", "sign-password": PASSWORD}
    signed = desk.post(path, data | signature)
    session.refresh_from_db()

    assert look.status_code == 200
    assert told(look, ".finding")[0].startswith("OVERRIDE · gap 1 day, 24 h")
    assert (unsigned.status_code, signed.status_code) == (422, 302)
    assert told(unsigned, ".notice")[0].startswith("The visit was not moved.")
    missing = ["This field is required."] * 2
    assert told(unsigned, "div.error") == [*missing, "The prescriber types a password here."]
    assert session.starts_at == local(MONDAY + timedelta(days=1))
    assert Override.objects.get().by == clinic.prescriber


def test_what_is_blocked_has_no_button(desk: Client, path: str) -> None:
    look = look_at(desk, path, date="2027-02-06")

    assert look.status_code == 422
    assert told(look, "button.primary") == []
    assert told(look, ".finding")[-1] == "BLOCK · outside opening hours The site is closed that day."


def test_later_visits_can_go_with_it_instead_of_a_signature(
    desk: Client, clinic: Clinic, path: str, session: Session
) -> None:
    """Sunday is closed, so the third visit, on Monday, goes to Tuesday when the second comes to Saturday's place."""
    third = session.course.sessions.in_order()[2]
    look = look_at(desk, path, date="2027-02-09")
    data = form_data(look)
    moved = desk.post(path, data | {"act": "move"})
    dates = list(session.course.sessions.in_order().values_list("pk", "local_date"))

    assert told(look, "label.way")[0].startswith(f"Move visit {third.number} as well, from Mon 8 Feb to")
    assert told(look, "label.way")[-1] == "Only this visit A prescriber signs with a reason."
    assert data["with"] == ["all"]
    assert moved.status_code == 302
    assert (session.pk, MONDAY + timedelta(days=8)) in dates
    assert (third.pk, MONDAY + timedelta(days=7)) not in dates
    assert Override.objects.count() == 0


def test_only_this_visit_can_be_chosen_and_signed(desk: Client, clinic: Clinic, path: str, session: Session) -> None:
    look = look_at(desk, path, date="2027-02-09")
    data = form_data(look) | {"act": "move", "with": "one"}
    unsigned = desk.post(path, data)
    signature = {"sign-prescriber": clinic.prescriber.pk, "sign-reason": "Travels", "sign-password": PASSWORD}
    signed = desk.post(path, data | signature)

    assert (unsigned.status_code, signed.status_code) == (422, 302)
    assert form_data(unsigned)["with"] == ["one"]
    assert {override.reason for override in Override.objects.all()} == {"Travels"}
    assert Session.objects.get(pk=session.pk).local_date == MONDAY + timedelta(days=8)


def test_a_time_that_was_taken_meanwhile_offers_others(
    desk: Client, clinic: Clinic, path: str, session: Session
) -> None:
    look = look_at(desk, path, date="2027-02-05", start="10:00")
    book(clinic, PatientFactory.create(), days=(4, 8, 11, 15), chair=0)
    answer = desk.post(path, form_data(look) | {"act": "move"})
    session.refresh_from_db()

    assert answer.status_code == 409
    assert told(answer, ".notice") == [
        "The visit was not moved. The time that was chosen is taken. These are the next possible ones."
    ]
    assert len(offered(answer)) > 10
    assert session.starts_at == local(MONDAY + timedelta(days=3))


def test_a_double_click_moves_once(desk: Client, path: str, session: Session) -> None:
    data = form_data(look_at(desk, path, date="2027-02-05")) | {"act": "move"}
    statuses = [desk.post(path, data).status_code for _ in range(2)]

    assert statuses == [302, 302]
    assert Session.objects.get(pk=session.pk).times_version == 2


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"start": "never"}, "Enter a valid time."),
        ({"date": "2027-03-14", "start": "02:30"}, "There is no such time on this date: the clocks go forward then."),
        ({"chair": "0"}, "Select a valid choice. That choice is not one of the available choices."),
    ],
)
def test_what_cannot_be_meant_is_said_at_the_field(desk: Client, path: str, typed: dict[str, str], error: str) -> None:
    look = look_at(desk, path, **typed)

    assert look.status_code == 422
    assert told(look, "div.error") == [error]


def test_a_past_time_is_refused(desk: Client, path: str) -> None:
    look = look_at(desk, path, date="2027-01-04")

    assert look.status_code == 422
    assert told(look, ".notice") == ["The visit was not moved. This time is past."]


@pytest.mark.parametrize(
    "data",
    [
        {"act": "move"},
        {"act": "move", "place": "x"},
        {"take": "1/2/3"},
        {"take": "9999-12-31T23:59/1/1"},
        {"act": "move", "place": "2027-02-05T14:00/1/1", "with": "all", "also": "x"},
    ],
)
def test_what_the_page_did_not_send_is_refused(desk: Client, path: str, data: dict[str, str]) -> None:
    assert desk.post(path, data).status_code == 400


def test_the_calendar_gets_the_look_alone_and_is_led_back(desk: Client, path: str, session: Session) -> None:
    place = Place(local(MONDAY + timedelta(days=4)), session.chair_id, session.prescriber_id)
    htmx = {"HX-Request": "true"}
    asked = {"take": encode(place), "back": "/calendar/2027-02-01/"}
    look = desk.post(path, asked, headers=htmx)
    root = page(look)
    fields = {field.attributes["name"]: field.attributes["value"] for field in root.all("[type=hidden]")}
    moved = desk.post(path, fields | {"act": "move"}, headers=htmx)

    assert [element.tag for element in root.children if not isinstance(element, str)] == ["section"]
    assert moved.headers["HX-Redirect"] == "/calendar/2027-02-01/"


@pytest.mark.parametrize("back", ["https://example.org/", "//example.org/", "javascript:x"])
def test_after_a_move_nobody_is_led_away(desk: Client, path: str, back: str) -> None:
    look = look_at(desk, path, date="2027-02-05", back=back)
    moved = desk.post(path, form_data(look) | {"act": "move", "back": back})

    assert moved["Location"].startswith("/courses/")


# What cannot be done any more


@pytest.mark.parametrize("page_name", ["move", "cancel", "expect", "no-show"])
def test_a_visit_that_was_given_up_says_so_and_leads_back(
    desk: Client, clinic: Clinic, session: Session, page_name: str
) -> None:
    cancelling.cancel_session(actor=clinic.desk, session=session, reason="ill", now=NOW)
    answer = desk.get(f"/sessions/{session.pk}/{page_name}/")

    assert (answer.status_code, told(answer, "h2")) == (200, ["This visit was given up."])
    assert told(answer, "p")[-1] == f"Thu 4 Feb 09:00 cancelled: ill {clinic.desk}, Mon 1 Feb 2027 07:00"
    assert [link.attributes["href"] for link in page(answer).all("a.primary")] == [f"/courses/{session.course_id}/"]
    assert page(answer).all("main")[0].all("form") == []


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (SessionState.CHECKED_IN, "This visit has begun."),
        (SessionState.DISCHARGED, "This visit is over."),
    ],
)
def test_a_visit_that_has_begun_is_not_moved(
    desk: Client, path: str, session: Session, state: SessionState, title: str
) -> None:
    went(Session.objects.filter(pk=session.pk), state)

    assert told(desk.get(path), "h2") == [title]


def test_a_visit_whose_time_is_past_can_be_noted_as_a_no_show(clinic: Clinic, path: str, session: Session) -> None:
    with time_machine.travel(session.ends_at + timedelta(hours=1), tick=False):
        answer = signed_in(clinic.desk).get(path)

    assert told(answer, "h2") == ["The time of this visit is past."]
    assert [link.attributes["href"] for link in page(answer).all("main")[0].all("footer")[0].all("a")] == [
        f"/sessions/{session.pk}/no-show/",
        f"/courses/{session.course_id}/",
    ]


def test_an_act_on_a_page_that_is_older_says_what_happened_meanwhile(
    desk: Client, clinic: Clinic, path: str, session: Session
) -> None:
    look = look_at(desk, path, date="2027-02-05")
    cancel = form_data(desk.get(f"/sessions/{session.pk}/cancel/")) | {"why": "ill"}
    cancelling.cancel_session(actor=clinic.manager, session=session, reason="storm", now=NOW)
    moved = desk.post(path, form_data(look) | {"act": "move"})
    cancelled = desk.post(f"/sessions/{session.pk}/cancel/", cancel)
    desk.post(f"/sessions/{session.pk}/confirm/")
    meanwhile = f"Thu 4 Feb 09:00 cancelled: storm {clinic.manager}, Mon 1 Feb 2027 07:00"

    assert [(answer.status_code, told(answer, "p")[-1]) for answer in (moved, cancelled)] == [(409, meanwhile)] * 2
    assert told(desk.get(f"/courses/{session.course_id}/"), ".messages") == [
        (
            "Only a booked visit that is still to come can be confirmed. "
            f"Thu 4 Feb 09:00 cancelled: storm ({clinic.manager}, 07:00)"
        )
    ]


# Confirming and cancelling


def test_a_patient_who_says_yes_is_written_down(desk: Client, session: Session) -> None:
    desk.post(f"/sessions/{session.pk}/confirm/")
    answer = desk.get(f"/courses/{session.course_id}/")
    session.refresh_from_db()

    assert session.state == SessionState.CONFIRMED
    assert told(answer, ".messages") == ["Confirmed: the patient is coming."]


def test_a_held_visit_cannot_be_confirmed(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, hold=True)
    desk.post(f"/sessions/{course.sessions.in_order()[0].pk}/confirm/")

    assert told(desk.get(f"/courses/{course.pk}/"), ".messages")[0].startswith(
        "Only a booked visit that is still to come can be confirmed."
    )


def test_a_visit_is_cancelled_after_saying_what_follows(desk: Client, session: Session) -> None:
    path = f"/sessions/{session.pk}/cancel/"
    asked = desk.get(path)
    nothing = desk.post(path, form_data(asked))
    answer = desk.post(path, form_data(asked) | {"why": "ill", "reason": "fever"})
    session.refresh_from_db()

    assert [line.text for line in page(asked).all("ul.follows")[0].all("li")] == [
        "Its time is free for others.",
        "Its reminders are withdrawn, and the patient is told in one mail.",
        "The visit does not count; a make-up can be booked on the next page.",
    ]
    assert told(asked, "button.primary") == ["Cancel visit of Thu 4 Feb Ctrl ⏎"]
    assert (nothing.status_code, told(nothing, "div.error")) == (422, ["Choose a reason, or type one."])
    assert (answer.status_code, answer["Location"], session.state) == (
        302,
        f"/courses/{session.course_id}/",
        SessionState.CANCELLED,
    )


def test_what_the_course_breaks_without_a_visit_is_said_before_it_is_cancelled(
    desk: Client, clinic: Clinic, patient: Patient
) -> None:
    course = book(clinic, patient, days=(0, 7, 14, 21))
    second = course.sessions.in_order()[1]

    assert [found.split(" Sessions")[0] for found in told(desk.get(f"/sessions/{second.pk}/cancel/"), ".finding")] == [
        "WARN · gap 14 days",
        (
            "WARN · minimum out of reach With a session on day 21, 4 sessions cannot be reached by day 21. "
            "Move a session, extend by override, close the phase early, or start a new initial phase."
        ),
    ]


# No-show, and who comes later


@pytest.fixture
def late(clinic: Clinic, course: Course) -> Session:
    """The first of six, on Monday at nine; the tests look at it at a quarter past."""
    return course.sessions.in_order()[0]


QUARTER_PAST = local(MONDAY, "09:15")


def test_nobody_came_is_written_down_and_a_make_up_is_the_next_step(clinic: Clinic, late: Session) -> None:
    path = f"/sessions/{late.pk}/no-show/"
    with time_machine.travel(QUARTER_PAST, tick=False):
        desk = signed_in(clinic.desk)
        asked = desk.get(path)
        answer = desk.post(path, form_data(asked) | {"reason": "Overslept"})
        course = desk.get(answer["Location"])
    late.refresh_from_db()

    assert [line.text for line in page(asked).all("ul.follows")[0].all("li")] == [
        "Its time is free for others.",
        "The visit does not count.",
        "A make-up can be booked on the next page.",
    ]
    assert (late.state, late.course.events.get(kind="no-show").details["reason"]) == ("no-show", "Overslept")
    assert told(course, ".messages") == ["Written down: nobody came. The time is free."]
    assert told(course, "a.primary") == ["Book a make-up : Mon 1 Feb 09:00"]


def test_a_nurse_may_write_down_that_nobody_came(clinic: Clinic, late: Session) -> None:
    with time_machine.travel(QUARTER_PAST, tick=False):
        nurse = signed_in(clinic.nurse)
        answer = nurse.post(f"/sessions/{late.pk}/no-show/", form_data(nurse.get(f"/sessions/{late.pk}/no-show/")))

    assert answer.status_code == 302


def test_before_the_planned_start_nobody_is_missing(desk: Client, late: Session) -> None:
    path = f"/sessions/{late.pk}/no-show/"
    answer = desk.post(path, {"request_id": "00000000-0000-4000-8000-000000000000"})

    assert told(desk.get(path), "h2") == ["This visit is still to come."]
    assert (answer.status_code, told(answer, "h2")) == (
        409,
        ["Nothing was changed. This visit begins at 09:00; before that nobody is missing."],
    )


def test_a_late_patient_is_shown_with_the_latest_start(clinic: Clinic, late: Session) -> None:
    with time_machine.travel(QUARTER_PAST, tick=False):
        answer = signed_in(clinic.desk).get(f"/courses/{late.course_id}/")
    row = page(answer).all("tr.warn")[0]

    assert row.all("p.late")[0].text == "Late 15 min, can start until 14:40"
    assert [step.text.split(" :")[0] for step in row.all("") if step.tag in ("a", "button")] == [
        "Comes later…",
        "Nobody came…",
        "Move",
        "Cancel…",
    ]


def test_who_rings_to_come_later_is_expected_then(clinic: Clinic, late: Session) -> None:
    path = f"/sessions/{late.pk}/expect/"
    with time_machine.travel(QUARTER_PAST, tick=False):
        desk = signed_in(clinic.desk)
        asked = desk.get(path)
        answer = desk.post(path, form_data(asked) | {"at": "10:15"})
        course = desk.get(answer["Location"])
        again = form_data(desk.get(path))
        desk.post(path, again | {"at": ""})
    after = Session.objects.get(pk=late.pk)

    assert told(asked, "span.tag") == ["can start until 14:40"]
    assert told(course, "p.late") == ["Comes 10:15. Late 15 min, can start until 14:40"]
    steps = [step.text.partition(" :")[0] for step in page(course).all("tr.warn")[0].all("a")]
    assert steps == ["Move", "Comes at…", "Nobody came…", "Cancel…"]
    assert told(course, "li.prompt")[0] == "Mon 1 Feb 09:00: late, comes at 10:15."
    assert again["at"] == ["10:15"]
    assert (after.expected_at, after.starts_at) == (None, late.starts_at)


@pytest.mark.parametrize(
    ("at", "error"),
    [
        ("09:10", "This time is past."),
        ("x", "Enter a valid time."),
        ("18:00", "The last start today is 14:40; move the visit instead."),
    ],
)
def test_a_time_that_cannot_be_meant_is_said_at_its_field(clinic: Clinic, late: Session, at: str, error: str) -> None:
    path = f"/sessions/{late.pk}/expect/"
    with time_machine.travel(QUARTER_PAST, tick=False):
        desk = signed_in(clinic.desk)
        answer = desk.post(path, form_data(desk.get(path)) | {"at": at})

    assert (answer.status_code, told(answer, "div.error")) == (422, [error])


@pytest.mark.parametrize("act", ["expect", "no-show", "cancel"])
def test_an_act_that_the_board_asked_for_leads_back_to_it(clinic: Clinic, late: Session, act: str) -> None:
    path = f"/sessions/{late.pk}/{act}/?back=/board/"
    with time_machine.travel(QUARTER_PAST, tick=False):
        desk = signed_in(clinic.desk)
        asked = desk.get(path)
        answer = desk.post(path.partition("?")[0], form_data(asked) | {"at": "10:15", "reason": "Overslept"})

    assert (answer.status_code, answer["Location"]) == (302, "/board/")
    assert page(asked).all("footer")[0].all("a")[0].attributes["href"] == "/board/"


def test_who_cannot_come_in_time_is_offered_a_move(clinic: Clinic, late: Session) -> None:
    with time_machine.travel(QUARTER_PAST, tick=False):
        asked = signed_in(clinic.desk).get(f"/sessions/{late.pk}/expect/?back=/board/")

    moves = [link.attributes["href"] for link in page(asked).all("a") if link.text == "Move"]
    assert moves == [f"/sessions/{late.pk}/move/?back=/board/"]


def test_a_held_visit_is_not_expected(desk: Client, clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient, hold=True)
    path = f"/sessions/{course.sessions.in_order()[0].pk}/expect/"

    assert told(desk.get(path), "h2") == ["This visit is still to come."]


# The patient's list of dates


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_list_of_dates_says_nothing_clinical_and_nobody_elses_name(
    desk: Client, clinic: Clinic, course: Course, language: str
) -> None:
    Patient.objects.filter(pk=course.patient_id).update(language=language)
    clinic.site.name = "Ketamine Clinic"
    clinic.site.save(update_fields=["name"])
    text = desk.get(f"/courses/{course.pk}/dates/").content.decode()

    assert privacy.find(text) == ()
    assert privacy.find_values(text, private_values(course.patient)) == ()
    assert clinic.site.neutral_name in text
    assert course.patient.last_name not in text
    assert f'lang="{language}"' in text


def test_the_list_names_every_date_to_come_with_its_times(desk: Client, clinic: Clinic, course: Course) -> None:
    cancelling.cancel_session(actor=clinic.desk, session=course.sessions.in_order()[1], reason="ill", now=NOW)
    answer = desk.get(f"/courses/{course.pk}/dates/")

    assert [line.text for line in page(answer).all("article")[0].all("li")] == [
        f"{day} 2027 09:00 about 3 h 10 min, home from 12:10"
        for day in (
            "Monday 1 February",
            "Monday 8 February",
            "Thursday 11 February",
            "Monday 15 February",
            "Thursday 18 February",
        )
    ]
    assert "These are the dates that we agreed on; all times are Eastern Time:" in told(answer, "p")
    assert clinic.site.phone in told(answer, "p")[-2]


def test_the_list_is_in_the_patients_language_whoever_prints_it(desk: Client, course: Course) -> None:
    Patient.objects.filter(pk=course.patient_id).update(language="es")
    lines = [line.text for line in page(desk.get(f"/courses/{course.pk}/dates/")).all("article")[0].all("b")]

    assert lines[0] == "lunes 1 de febrero de 2027"
    assert translation.get_language() == "en"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (CourseState.HELD, "These dates are not confirmed yet; we will call you."),
        (CourseState.CANCELLED, "No date is agreed on at the moment."),
    ],
)
def test_a_list_of_held_dates_or_of_none_says_so(
    desk: Client, clinic: Clinic, patient: Patient, state: CourseState, sentence: str
) -> None:
    course = book(clinic, patient, hold=state == CourseState.HELD)
    if state == CourseState.CANCELLED:
        cancelling.cancel_course(actor=clinic.desk, course=course, reason="moves away", now=NOW)

    assert sentence in told(desk.get(f"/courses/{course.pk}/dates/"), "p")
