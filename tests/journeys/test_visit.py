"""A visit at the chair, in a real browser: by keyboard from check-in to discharge, on a tablet and on a phone, without
scripts, and with a colleague who was first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from clinic import clock
from clinic.models import Staff
from patients.models import Patient, Score
from scheduling import booking
from scheduling.models import Session
from scheduling.protocols.types import Place
from tests.factories import NEW_YORK, PASSWORD, Clinic, StaffFactory, protocol
from tests.journeys.desk import PHONE, faults, fits, open_page, sign_in

TABLET = (1024, 768)
PATTERN = (0, 3, 7, 10, 14, 17)
Goes = Callable[[int, int], None]


@pytest.fixture
def monday() -> date:
    """Of next week, on whichever weekday this runs."""
    today = timezone.localdate()
    return today + timedelta(days=7 - today.weekday())


@pytest.fixture
def goes(settings: Settings, tmp_path: Path, monday: date, clinic: Clinic) -> Goes:
    """Let the clinic's clock go on from another time of that Monday; nobody is signed out on the way."""
    settings.CLOCK_FILE = str(tmp_path / "clock")
    settings.SESSION_COOKIE_AGE = 24 * 60 * 60
    return lambda hour, minute: clock.set_shift(datetime.combine(monday, time(hour, minute), NEW_YORK) - timezone.now())


@pytest.fixture
def session(clinic: Clinic, patient: Patient, monday: date, goes: Goes) -> Session:
    """That Monday at nine; two nurses are there, and the baseline is of this morning."""
    starts = [datetime.combine(monday + timedelta(days=day), time(9), NEW_YORK) for day in PATTERN]
    places = [Place(start, clinic.chairs[0].pk, clinic.prescriber.pk) for start in starts]
    course = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=timezone.now()
    ).course
    Staff.objects.filter(pk=clinic.nurse.pk).update(username="nurse")
    StaffFactory.create(role="nurse", first_name="Sam", last_name="Second", username="second", sites=[clinic.site])
    early = datetime.combine(monday, time(7), NEW_YORK)
    items = [2] * 8 + [0]
    Score.objects.create(
        patient=patient, instrument="phq9", items=items, total=sum(items), item_9=0, taken_at=early, at=early
    )
    return course.sessions.in_order()[0]


def visit(page: Page, session: Session) -> None:
    page.goto(f"/sessions/{session.pk}/visit/")
    page.wait_for_load_state()


def no_scroll(page: Page) -> None:
    """The whole page is in sight."""
    fits(page)
    assert page.evaluate("document.documentElement.scrollHeight - window.innerHeight") <= 0, page.url


def apart(page: Page) -> None:
    """No step lies over another one or under the buttons; the rounds stand within their panel."""
    boxes = [item.bounding_box() for item in page.locator(".visit-steps li > span, .visit-steps .actions > *").all()]
    known = [box for box in boxes if box]
    assert len(known) == len(boxes) > 4
    for place, one in enumerate(known):
        for other in known[place + 1 :]:
            across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
            down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
            assert min(across, down) <= 0.5, (one, other)
    assert page.evaluate("(box => box.scrollWidth - box.clientWidth)(document.querySelector('.rounds .scrolls'))") == 0


def entered(page: Page, *values: str) -> None:
    """Type a round: each number and Enter, the two grades by their digits, Enter saves."""
    expect(page.get_by_label("Systolic")).to_be_focused()
    for value in values:
        page.keyboard.type(value)
        page.keyboard.press("Enter")
    page.keyboard.press("5")
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The round is saved.")).to_be_visible()


def second(page: Page) -> None:
    """A colleague signs in place."""
    page.get_by_label("Second person", exact=True).select_option(label="Sam Second")
    page.get_by_label("Password of the second person").fill(PASSWORD)


def test_a_visit_by_keyboard_on_a_tablet(
    session: Session, goes: Goes, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, TABLET, bypass_csp=True)
    found = {}

    def looked_at(step: str) -> None:
        no_scroll(page)
        found[step] = faults(page)

    goes(9, 0)
    sign_in(page, "nurse")
    visit(page, session)
    looked_at("check-in")
    page.keyboard.type("nnnn")
    expect(page.get_by_label("Weight, kg")).to_be_focused()
    page.keyboard.type("79.5")
    page.get_by_label("Escort’s name").fill("Brother")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Checked in.", exact=True)).to_be_visible()

    goes(9, 10)
    visit(page, session)
    looked_at("vitals before")
    entered(page, "128", "80", "74", "98")

    goes(9, 30)
    visit(page, session)
    expect(page.get_by_label("Dose, mg")).to_have_value("39.8")
    looked_at("dose")
    page.get_by_label("Lot").fill("K-2031")
    second(page)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("The dose has begun.")).to_be_visible()

    goes(9, 45)
    visit(page, session)
    expect(page.get_by_text("5 min overdue")).to_be_visible()
    looked_at("giving")
    entered(page, "136", "84", "78", "97")

    goes(10, 10)
    visit(page, session)
    page.get_by_role("heading", name="Vitals, round 3").click()
    page.keyboard.press("d")
    expect(page.get_by_text("The dose has ended; the two hours begin.")).to_be_visible()
    apart(page)
    no_scroll(page)

    goes(12, 11)
    visit(page, session)
    looked_at("monitoring")
    entered(page, "126", "78", "72", "98")
    expect(page.get_by_role("heading", name="Discharge")).to_be_visible()
    looked_at("discharge")
    for box in page.get_by_role("group", name="Before going home").get_by_role("checkbox").all():
        box.press("Space")
    second(page)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Record of the visit")).to_be_visible()
    looked_at("record")

    assert found == {step: {} for step in found}
    assert complaints == []


def test_an_unusual_value_waits_for_a_second_enter_and_an_impossible_one_for_another_value(
    session: Session, goes: Goes, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, PHONE, bypass_csp=True)
    goes(9, 0)
    sign_in(page, "nurse")
    visit(page, session)
    page.keyboard.type("nnnn")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("Systolic")).to_be_focused()
    page.keyboard.type("128")
    page.keyboard.press("Enter")
    page.keyboard.type("80")
    page.keyboard.press("Enter")
    page.keyboard.type("176")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Heart rate")).to_be_focused()
    expect(page.get_by_text("Heart rate: 176 is unusual: is it right?")).to_be_visible()
    found = faults(page)
    page.keyboard.press("Enter")
    expect(page.get_by_label("SpO₂")).to_be_focused()
    page.keyboard.type("101")
    page.keyboard.press("Enter")
    expect(page.get_by_label("SpO₂")).to_be_focused()
    expect(page.get_by_text("From 40 to 100")).to_be_visible()
    fits(page)
    page.keyboard.type("98")
    page.keyboard.press("Enter")
    page.keyboard.press("5")
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The round is saved.")).to_be_visible()

    assert found == {}
    assert complaints == []


def test_digits_and_enter_go_to_what_is_awaited_and_an_alarm_asks_what_is_done(
    session: Session, goes: Goes, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, TABLET, bypass_csp=True)
    goes(9, 0)
    sign_in(page, "nurse")
    visit(page, session)
    page.keyboard.type("nnnn")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("Systolic")).to_be_focused()
    for value in ("128", "80", "72", "88"):
        page.keyboard.type(value)
        page.keyboard.press("Enter")
    expect(page.get_by_text("Oxygen saturation is 88%, under 90%: emergency path.")).to_be_visible()
    expect(page.locator(".number.alarm").get_by_label("SpO₂")).to_have_value("88")
    page.keyboard.press("Enter")
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Vitals, round 1").click()
    page.keyboard.press("2")
    expect(page.get_by_role("group", name="Dissociation").get_by_label("Moderate")).to_be_checked()
    expect(page.get_by_label("Diastolic")).to_have_value("80")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Prescriber called")).to_be_focused()
    found = faults(page)
    no_scroll(page)
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The round is saved.")).to_be_visible()
    expect(page.get_by_text("Not acknowledged yet.")).to_be_visible()
    page.keyboard.press("v")
    no_scroll(page)

    assert (found, faults(page)) == ({}, {})
    assert [text for text in complaints if "422" not in text] == []


def test_a_round_without_scripts_and_a_wrong_tap_undone(
    session: Session, goes: Goes, chromium: Browser, live_server: LiveServer
) -> None:
    page, _complaints = open_page(chromium, live_server, TABLET, java_script_enabled=False)
    goes(9, 0)
    sign_in(page, "nurse")
    visit(page, session)
    for question in page.locator(".question").all():
        question.get_by_text("No", exact=True).click()
    page.get_by_role("button", name="Check in").click()
    for label, value in (("Systolic", "128"), ("Diastolic", "80"), ("Heart rate", "176"), ("SpO₂", "98")):
        page.get_by_label(label).fill(value)
    page.locator(".six label").first.click()
    page.locator(".four label").first.click()
    page.get_by_role("button", name="Save round").click()
    expect(page.get_by_text("Heart rate: 176 is unusual: is it right?")).to_be_visible()
    page.get_by_role("button", name="Save round").click()
    expect(page.get_by_text("The round is saved.")).to_be_visible()
    page.get_by_role("button", name="Void").click()
    expect(page.get_by_text("The round is taken back")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The last step is undone.")).to_be_visible()
    expect(page.get_by_role("heading", name="Check in")).to_be_visible()


def test_a_colleague_was_first(session: Session, goes: Goes, chromium: Browser, live_server: LiveServer) -> None:
    page, _complaints = open_page(chromium, live_server, TABLET, bypass_csp=True)
    other, _others = open_page(chromium, live_server, TABLET)
    goes(9, 0)
    for who, name in ((page, "nurse"), (other, "second")):
        sign_in(who, name)
        visit(who, session)
        who.keyboard.type("nnnn")
    other.keyboard.press("Control+Enter")
    expect(other.get_by_text("Checked in.", exact=True)).to_be_visible()
    expect(page.get_by_text("A colleague has taken a step meanwhile.")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("This is how the visit stands now.")).to_be_visible()
    expect(page.get_by_text("Sam Second")).to_be_visible()
    assert faults(page) == {}
