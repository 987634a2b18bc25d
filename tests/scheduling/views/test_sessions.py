"""Moving a visit on its page: choose a time, look, move."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from scheduling.drafts import decode, encode
from scheduling.models import Course, Override, Session
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NEW_YORK, PASSWORD, Clinic, PatientFactory, local
from tests.pages import form_data, page, says
from tests.scheduling.views import book


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


def test_possible_times_are_buttons_each_once_and_in_order(desk: Client, path: str) -> None:
    places = offered(desk.get(path))

    assert len(places) >= 3
    assert places == sorted(set(places), key=lambda place: place.starts_at)


def test_times_from_another_date_on_are_a_date_away(desk: Client, path: str) -> None:
    assert all(
        place.starts_at >= local(MONDAY + timedelta(days=8), "00:00")
        for place in offered(desk.get(path, {"date": "2027-02-09"}))
    )


def test_a_date_at_the_end_of_the_calendar_is_no_date_to_look_from(desk: Client, path: str) -> None:
    assert offered(desk.get(path, {"date": "9999-12-31"})) == offered(desk.get(path))


def test_a_chosen_time_is_looked_at_and_then_moved_to(desk: Client, path: str, session: Session) -> None:
    (place, *_) = offered(desk.get(path))
    look = desk.post(path, form_data(desk.get(path), number=1) | {"take": encode(place)})
    before = Session.objects.get(pk=session.pk).starts_at
    moved = desk.post(path, form_data(look) | {"act": "move"})
    after = Session.objects.get(pk=session.pk)

    assert (look.status_code, says(look, ".tag")[1:]) == (200, ["No finding"])
    assert says(look, "button.primary") == [f"Move to {place.starts_at.astimezone(NEW_YORK):%a %-d %b %H:%M}"]
    assert before == session.starts_at
    assert (moved.status_code, moved["Location"]) == (302, f"/courses/{session.course_id}/")
    assert (after.starts_at, after.chair_id, after.prescriber_id) == (place.starts_at, place.chair, place.prescriber)


def look_at(desk: Client, path: str, **typed: str) -> Any:
    return desk.post(path, form_data(desk.get(path), number=2) | typed | {"act": "look"})


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
    assert says(look, ".finding")[0].startswith("OVERRIDE · gap 1 day, 24 h")
    assert (unsigned.status_code, signed.status_code) == (422, 302)
    assert says(unsigned, ".notice")[0].startswith("The visit was not moved.")
    assert session.starts_at == local(MONDAY + timedelta(days=1))
    assert Override.objects.get().by == clinic.prescriber


def test_what_is_blocked_has_no_button(desk: Client, path: str) -> None:
    look = look_at(desk, path, date="2027-02-06")

    assert look.status_code == 422
    assert says(look, "button.primary") == []
    assert says(look, ".finding")[-1] == "BLOCK · hours The site is closed that day."


def test_a_time_that_was_taken_meanwhile_offers_others(
    desk: Client, clinic: Clinic, path: str, session: Session
) -> None:
    look = look_at(desk, path, date="2027-02-05", start="10:00")
    book(clinic, PatientFactory.create(), days=(4, 8, 11, 15), chair=0)
    answer = desk.post(path, form_data(look) | {"act": "move"})
    session.refresh_from_db()

    assert answer.status_code == 409
    assert says(answer, ".notice") == [
        "The visit was not moved. The time that was chosen is taken. These are the next possible ones."
    ]
    assert len(page(answer).all("[name=take]")) > 0
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
    assert says(look, "div.error") == [error]


def test_a_past_time_is_refused(desk: Client, path: str) -> None:
    look = look_at(desk, path, date="2027-01-04")

    assert look.status_code == 422
    assert says(look, ".notice") == ["The visit was not moved. This time is past."]


@pytest.mark.parametrize(
    "data", [{"act": "move"}, {"act": "move", "place": "x"}, {"take": "1/2/3"}, {"take": "9999-12-31T23:59/1/1"}]
)
def test_what_the_page_did_not_send_is_refused(desk: Client, path: str, data: dict[str, str]) -> None:
    assert desk.post(path, data).status_code == 400
