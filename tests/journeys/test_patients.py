"""Patients at the desk: found while somebody types, registered, listed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from patients.models import Patient
from scheduling import booking
from scheduling.models import Course
from scheduling.protocols.types import Place
from tests.factories import Clinic, PatientFactory, local, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in

LONG = "Wolfensteinhausen-Bergerdorff-Hohenlohe"


def next_monday() -> date:
    today = timezone.localdate()
    return today + timedelta(days=7 - today.weekday())


@pytest.fixture
def course(clinic: Clinic) -> Course:
    """Of somebody with a long name and no mail address, from next Monday on."""
    patient = PatientFactory.create(last_name=LONG, first_name="Maximiliana Theodora Josephine", email="")
    days = [next_monday() + timedelta(days=number) for number in (0, 3, 7, 10, 14, 17)]
    places = [Place(local(day), clinic.chairs[0].pk, clinic.prescriber.pk) for day in days]
    return booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=timezone.now()
    ).course


@pytest.fixture
def many(clinic: Clinic) -> list[Patient]:
    return PatientFactory.create_batch(30, last_name="Morganville")


def test_a_patient_is_found_by_mouse_while_somebody_types(chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page)
    field, found = page.get_by_label("Find a patient"), page.locator("#found")
    field.press_sequentially("OK")
    expect(found).to_have_text("Type at least three letters.")
    field.press_sequentially("on")
    expect(found.get_by_role("listitem")).to_have_count(1)
    expect(page.locator("#found-said")).to_have_text("1 is found.")
    expect(found).to_contain_text("Vance-Okonkwo, Eleanor Marguerite")
    page.locator("main").click(position={"x": 20, "y": 300})
    expect(found).to_be_hidden()
    field.click()
    found.get_by_role("link", name="New course").click()

    expect(page).to_have_url(re.compile(r"/patients/\d+/course/new/$"))
    assert complaints == []


def test_a_patient_is_found_by_keys_alone(course: Course, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page)
    field, found = page.get_by_label("Find a patient"), page.locator("#found")
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("hohen")
    expect(found.get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(found).to_be_hidden()
    page.keyboard.press("Backspace")
    expect(found.get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(found.get_by_role("link", name="Course")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"{LONG}, Maximiliana Theodora Josephine")
    page.wait_for_load_state()
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile(r"/courses/\d+/$"))
    assert complaints == []


def test_who_is_not_found_is_registered_and_gets_a_course_by_keys_alone(
    chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page)
    page.keyboard.press("/")
    page.keyboard.type("okonkwo, elena 14.3.1979")
    expect(page.locator("#found")).to_contain_text("Nobody is found by")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Family name")).to_have_value("Okonkwo")
    expect(page.get_by_label("First name")).to_have_value("Elena")
    expect(page.get_by_label("Birth date")).to_have_value("1979-03-14")
    page.get_by_label("Phone").fill("+1 555 014 2771")
    page.wait_for_load_state()
    page.keyboard.press("Control+Enter")

    expect(page.get_by_text("Okonkwo, Elena is registered.")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"/patients/\d+/course/new/$"))
    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_double_is_compared_before_it_is_registered(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int], javascript: bool
) -> None:
    page, _ = open_page(chromium, live_server, size, java_script_enabled=javascript)
    sign_in(page, to="/patients/")
    page.get_by_role("link", name="New patient").click()
    expect(page.get_by_label("Family name")).to_be_focused()
    page.get_by_label("Family name").fill("Vance-Okonkwo")
    page.get_by_label("First name").fill("Eleanor")
    page.get_by_role("button", name="Register patient").click()
    expect(page.get_by_role("alert")).to_contain_text("Birth date: Type the birth date.")
    page.get_by_label("Birth date").fill("1980-05-17")
    page.get_by_label("Phone").fill("+1 555 014 2771")
    page.get_by_role("button", name="Register patient").click()
    expect(page.get_by_role("alert")).to_contain_text("Is it one of these?")
    expect(page.get_by_role("link", name="This is the one")).to_have_count(1)
    page.get_by_label("None of them: this is somebody else").check()
    page.get_by_role("button", name="Register patient").click()

    expect(page.get_by_text("Vance-Okonkwo, Eleanor is registered.")).to_be_visible()
    page.get_by_role("link", name="New course").click()
    expect(page).to_have_url(re.compile(r"/patients/\d+/course/new/$"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_patients_are_found_without_javascript(
    course: Course, many: list[Patient], chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=False)
    sign_in(page)
    page.get_by_label("Find a patient").fill("morganv")
    page.get_by_label("Find a patient").press("Enter")
    expect(page.get_by_text("30 found by “morganv”")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(25)
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(5)
    page.get_by_label("Find a patient").fill("nobody at all")
    page.get_by_label("Find a patient").press("Enter")
    page.get_by_role("button", name="Register “nobody at all”").click()
    expect(page.get_by_label("Family name")).to_have_value("All")
    page.goto("/patients/")
    page.get_by_label("Find a patient").fill("bergerdorff")
    page.get_by_label("Find a patient").press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text(LONG)
    assert complaints == []


def states(page: Page) -> Iterator[str]:
    """Every state of these pages, one after the other."""
    sign_in(page)
    for shown in ("", "running", "free", "no-mail"):
        page.goto(f"/patients/?show={shown}")
        yield f"patients {shown}"
    page.locator("td.name").get_by_role("link", name=LONG).click()
    yield "patient in a course"
    page.get_by_label("Find a patient").fill("morgan")
    expect(page.locator("#found li")).to_have_count(8)
    yield "found"
    page.keyboard.press("ArrowDown")
    yield "found, with the focus"
    page.get_by_label("Find a patient").fill("nobody at all of this long name, anywhere")
    expect(page.locator("#found")).to_contain_text("Nobody is found")
    yield "nobody found"
    page.get_by_label("Find a patient").press("Enter")
    expect(page.locator("main .empty")).to_be_visible()
    yield "page of nobody"
    page.get_by_label("Find a patient").fill("vance")
    page.get_by_label("Find a patient").press("Enter")
    expect(page.get_by_text("Nothing is booked.")).to_be_visible()
    yield "patient without a course"
    page.goto("/patients/new/")
    page.get_by_label("Mail address").fill("x@")
    page.get_by_role("button", name="Register patient").click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield "errors"
    for label, text in (
        ("Family", LONG),
        ("First", "Maximiliana Theodora"),
        ("Birth", "1980-05-17"),
        ("Mail", "x@example.org"),
    ):
        page.get_by_label(re.compile(f"^{label}")).fill(text)
    page.get_by_role("radio", name="Neutral mails").check()
    page.get_by_role("button", name="Register patient").click()
    expect(page.get_by_role("link", name="This is the one")).to_be_visible()
    yield "a likely double"


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_every_state_fits_and_can_be_used_by_everybody(
    course: Course, many: list[Patient], chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    found = {}
    for name in states(page):
        fits(page)
        if size != NARROW and (faulty := faults(page)):
            found[name] = faulty

    assert found == {}, json.dumps(found, indent=1)


def test_a_usual_patient_is_seen_without_scrolling(course: Course, chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server)
    sign_in(page, to=f"/patients/{course.patient_id}/")
    expect(page.get_by_role("heading", name="Next visit")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollHeight") == DESKTOP[1]
