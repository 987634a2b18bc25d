"""A clinician decides how a course goes on, in a real browser: three clicks, by keyboard alone, without scripts, on a
phone; and what somebody is told whose page is older than another one's decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from clinic import clock
from clinic.models import Staff
from patients.models import Patient
from scheduling import booking
from scheduling.models import Course
from scheduling.protocols.types import Place
from tests import treated
from tests.factories import NEW_YORK, Clinic, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in

PATTERN = (0, 3, 7, 10, 14, 17)


@pytest.fixture
def course(clinic: Clinic, patient: Patient, settings: Settings, tmp_path: Path) -> Course:
    """Five of six visits were given; the clinic's clock stands on the day after the fifth, a Tuesday."""
    today = timezone.localdate()
    monday = today + timedelta(days=7 - today.weekday())
    starts = [datetime.combine(monday + timedelta(days=day), time(9), NEW_YORK) for day in PATTERN]
    booked = booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=[Place(start, clinic.chairs[0].pk, clinic.prescriber.pk) for start in starts],
        now=timezone.now(),
    ).course
    treated.give(booked, clinic.nurse, 5)
    treated.answer(booked)
    Staff.objects.filter(pk=clinic.prescriber.pk).update(username="doctor")
    Staff.objects.filter(pk=clinic.prescribers[1].pk).update(username="second")
    settings.CLOCK_FILE = str(tmp_path / "clock")
    clock.set_shift(datetime.combine(monday + timedelta(days=15), time(10, 30), NEW_YORK) - timezone.now())
    return booked


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["mouse", "phone"])
def test_a_decision_takes_three_clicks(
    course: Course, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size)
    sign_in(page, "doctor", to=f"/courses/{course.pk}/")
    expect(page.locator("#effect")).to_contain_text("Frees")
    clicks = [
        page.locator(".option label").filter(has_text="Pause"),
        page.locator(".reasons label").filter(has_text="Patient’s wish"),
        page.get_by_role("button", name="Record: pause"),
    ]
    clicks[0].click()
    expect(page.locator("#effect")).to_contain_text("Frees")
    for click in clicks[1:]:
        click.click()

    expect(page.locator(".messages")).to_contain_text("Recorded. Freed: ")
    expect(page.locator(".decided")).to_contain_text("Patient’s wish")
    expect(page.locator("header.head-patient")).to_contain_text("Paused")
    assert len(clicks) == 3
    assert complaints == []


def test_a_decision_is_taken_by_keyboard_alone(course: Course, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, "doctor", to=f"/courses/{course.pk}/")
    page.keyboard.press("3")
    expect(page.get_by_role("button", name="Record: extend")).to_be_visible()
    expect(page.locator("#effect")).to_contain_text("OVERRIDE")
    page.keyboard.press("r")
    page.keyboard.press("r")
    expect(page.get_by_role("radio", name="Remission")).to_be_checked()
    page.get_by_role("checkbox", name="Passed over by").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")

    expect(page.locator(".messages")).to_contain_text("Recorded. Booked: ")
    expect(page.locator("section[aria-labelledby=findings]")).to_contain_text("“Remission”")
    page.keyboard.press("m")
    expect(page.get_by_role("radio", name="Change the dose")).to_be_visible()
    assert complaints == []


def test_an_override_without_its_tick_is_asked_for_in_place(
    course: Course, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, bypass_csp=True)
    sign_in(page, "doctor", to=f"/courses/{course.pk}/")
    page.locator(".option label").filter(has_text="Extend").click()
    expect(page.locator("#effect")).to_contain_text("Passed over by")
    page.locator(".reasons label").filter(has_text="Side effects").click()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("Passed over by")).to_be_focused()
    expect(page.locator("#effect")).to_contain_text("Books")
    assert faults(page) == {}
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")

    expect(page.get_by_text("Recorded.")).to_be_visible()
    assert [complaint for complaint in complaints if "422" not in complaint] == []


def test_it_works_without_scripts(course: Course, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server, java_script_enabled=False)
    sign_in(page, "doctor", to=f"/courses/{course.pk}/")
    page.get_by_role("button", name="See what it does").click()
    expect(page.locator("#effect")).to_contain_text("Frees")
    page.get_by_role("link", name="GAD-7").click()
    expect(page.locator("#score")).to_contain_text("No GAD-7 yet.")
    page.locator(".reasons label").filter(has_text="Response").click()
    page.locator("[data-records]").click()
    expect(page.locator(".messages")).to_contain_text("Recorded. Freed: ")
    assert complaints == []


def test_who_comes_second_is_told_what_was_decided_and_loses_nothing(
    course: Course, chromium: Browser, live_server: LiveServer
) -> None:
    older, _ = open_page(chromium, live_server)
    sign_in(older, "doctor", to=f"/courses/{course.pk}/")
    newer, _ = open_page(chromium, live_server)
    sign_in(newer, "second", to=f"/courses/{course.pk}/")
    newer.locator(".reasons label").filter(has_text="Side effects").click()
    newer.keyboard.press("Control+Enter")
    expect(newer.locator(".messages")).to_contain_text("Recorded.")

    older.locator(".option label").filter(has_text="Stop").click()
    older.locator(".reasons label").filter(has_text="Other").click()
    older.get_by_label("Reason in words").fill("Moves away")
    older.get_by_role("button", name="Record: stop").click()
    expect(older.get_by_role("alert")).to_contain_text("Somebody has decided on this course meanwhile")
    expect(older.get_by_role("alert")).to_contain_text("Side effects")
    expect(older.get_by_label("Reason in words")).to_have_value("Moves away")
    older.get_by_role("button", name="Record: stop").click()
    expect(older.locator("#decision")).to_contain_text("Stopped on")


def test_nothing_has_to_be_scrolled_at_a_desk(course: Course, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, "doctor", to=f"/courses/{course.pk}/")
    expect(page.locator("#effect")).to_contain_text("Frees")
    height = "document.documentElement.scrollHeight - window.innerHeight"
    inside = (
        "[...document.querySelectorAll('.response .scroll')].filter(e => e.scrollHeight > e.clientHeight + 1).length"
    )

    assert (page.evaluate(height), page.evaluate(inside)) == (0, 0)
    page.get_by_role("link", name="MADRS").click()
    expect(page.locator("#score")).to_contain_text("No MADRS yet.")
    expect(page.locator("#effect")).to_contain_text("Frees")
    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_everybody_can_use_it(
    course: Course, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)
    for state in states(page, course):
        page.evaluate("scrollTo(0, 0)")  # what lies half below the bar of a phone would count as too small
        fits(page)
        assert faults(page) == {}, state


def states(page: Page, course: Course) -> Iterator[str]:
    """The page in its states, the browser being there when the name comes."""
    sign_in(page, "doctor", to=f"/courses/{course.pk}/")
    expect(page.locator("#effect")).to_contain_text("Frees")
    yield "advised"
    page.locator(".fold summary").last.click()
    page.locator(".option label").filter(has_text="Extend").click()
    expect(page.locator("#effect")).to_contain_text("OVERRIDE")
    yield "to sign"
    page.locator("[data-records]").click()
    expect(page.locator(".error").first).to_be_visible()
    yield "no reason"
    page.get_by_role("link", name="GAD-7").click()
    expect(page.locator("#score")).to_contain_text("No GAD-7 yet.")
    yield "no score"
    page.locator(".option label").filter(has_text="Stop").click()
    page.locator(".reasons label").filter(has_text="Response").click()
    page.get_by_role("button", name="Record: stop").click()
    expect(page.locator("#decision")).to_contain_text("Stopped on")
    yield "stopped"
