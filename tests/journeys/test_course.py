"""A course in a real browser: moved, cancelled, late and not come, held and booked; by mouse, by keyboard and without
scripts; what an older window is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from clinic import clock
from patients.models import Patient
from scheduling import booking, cancelling
from scheduling.models import Course
from scheduling.protocols.types import Place
from tests.factories import NEW_YORK, PASSWORD, Clinic, PatientFactory, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, paper, sign_in

PATTERN = (0, 3, 7, 10, 14, 17)
WAYS = pytest.mark.parametrize(
    ("size", "scripts"),
    [(DESKTOP, True), (PHONE, True), (DESKTOP, False)],
    ids=["mouse", "phone", "without JavaScript"],
)


@pytest.fixture
def monday() -> date:
    """Of next week, on whichever weekday this runs."""
    today = timezone.localdate()
    return today + timedelta(days=7 - today.weekday())


@pytest.fixture
def quarter_past(settings: Settings, tmp_path: Path, monday: date, clinic: Clinic) -> datetime:
    """The clinic's clock goes on from that Monday, a quarter past nine."""
    settings.CLOCK_FILE = str(tmp_path / "clock")
    at = datetime.combine(monday, time(9, 15), NEW_YORK)
    clock.set_shift(at - timezone.now())
    return at


def places(clinic: Clinic, monday: date, days: tuple[int, ...], chair: int = 0) -> list[Place]:
    starts = [datetime.combine(monday + timedelta(days=day), time(9), NEW_YORK) for day in days]
    return [Place(start, clinic.chairs[chair].pk, clinic.prescriber.pk) for start in starts]


@pytest.fixture
def course(clinic: Clinic, patient: Patient, monday: date) -> Course:
    """Six visits at nine in the first chair: Monday and Thursday for three weeks."""
    return booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=places(clinic, monday, PATTERN),
        now=timezone.now(),
    ).course


@pytest.fixture
def held(clinic: Clinic, monday: date) -> Course:
    """Somebody else's, two days running: a prescriber has to sign."""
    return booking.book_course(
        actor=clinic.desk,
        patient=PatientFactory.create(last_name="Castellanos-Brandvold", first_name="Johanna"),
        protocol=protocol(),
        places=places(clinic, monday, (1, 2, 8, 11), chair=1),
        hold=True,
        reason="Travels afterwards",
        now=clock.now(),
    ).course


@pytest.fixture
def ended(clinic: Clinic, monday: date) -> Course:
    """A third patient's, cancelled."""
    course = booking.book_course(
        actor=clinic.desk,
        patient=PatientFactory.create(email=""),
        protocol=protocol(),
        places=places(clinic, monday, (1, 4, 8, 11), chair=2),
        now=timezone.now(),
    ).course
    cancelling.cancel_course(actor=clinic.desk, course=course, reason="moves away", now=timezone.now())
    return course


def day(monday: date, days: int) -> str:
    return f"{monday + timedelta(days=days):%a %-d %b}"


def row(page: Page, text: str) -> Locator:
    """The visit of a date."""
    return page.locator("section[aria-labelledby=visits] tbody tr").filter(has_text=text)


def choose(page: Page, visit: str, step: str) -> None:
    """A step from the menu of a visit's row."""
    row(page, visit).locator("summary").click()
    row(page, visit).get_by_role("link", name=step).click()


def sign(scope: Page | Locator, clinic: Clinic, reason: str) -> None:
    prescriber = clinic.prescriber
    scope.get_by_label("Prescriber", exact=True).select_option(f"{prescriber.title} {prescriber}")
    scope.get_by_label(re.compile("^Reason")).fill(reason)
    scope.get_by_label(re.compile("^Password")).fill(PASSWORD)


@WAYS
def test_a_visit_is_moved_and_a_later_one_goes_with_it(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer, size: tuple[int, int], scripts: bool
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=scripts)
    sign_in(page, to=f"/courses/{course.pk}/")
    choose(page, day(monday, 3), "Move")
    page.locator("form.offered li").filter(has_text=day(monday, 8)).get_by_role("button").first.click()

    look = page.locator("#look")
    expect(look).to_contain_text("OVERRIDE")
    expect(look.get_by_role("radio", name="Move visit 3 as well")).to_be_checked()
    expect(look.get_by_label("Prescriber", exact=True)).to_be_hidden()
    look.get_by_role("button", name="Move both visits").click()

    expect(page.locator(".messages")).to_contain_text("2 visits are moved: ")
    expect(row(page, day(monday, 8))).to_have_count(1)
    expect(row(page, day(monday, 7))).to_have_count(0)
    expect(page.get_by_role("link", name="Print the dates")).to_be_visible()
    assert complaints == []


@WAYS
def test_a_visit_is_cancelled_for_a_usual_reason_and_made_up(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer, size: tuple[int, int], scripts: bool
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=scripts)
    sign_in(page, to=f"/courses/{course.pk}/")
    choose(page, day(monday, 3), "Cancel…")
    page.get_by_text("Patient is ill").click()
    page.get_by_label("In words").fill("fever")
    page.get_by_role("button", name=f"Cancel visit of {day(monday, 3)}").click()

    expect(row(page, day(monday, 3)).first).to_contain_text("Patient is ill: fever")
    page.locator("section[aria-labelledby=acts]").get_by_role("link", name="Book a make-up").click()
    expect(page).to_have_url(re.compile(r"/add/\?sessions=1&earliest=" + str(monday + timedelta(days=4))))
    page.get_by_role("button", name=re.compile("^Book 1 visit")).click()
    expect(page).to_have_url(re.compile(r"/courses/\d+/$"))
    expect(page.locator("section[aria-labelledby=visits]").get_by_text("Booked")).to_have_count(6)
    assert complaints == []


@WAYS
def test_who_is_late_is_expected_later_and_then_does_not_come(
    course: Course,
    monday: date,
    quarter_past: datetime,
    chromium: Browser,
    live_server: LiveServer,
    size: tuple[int, int],
    scripts: bool,
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=scripts)
    sign_in(page, to=f"/courses/{course.pk}/")
    today = row(page, day(monday, 0))
    expect(today).to_contain_text(re.compile(r"Late 1\d min, can start until 14:40"))
    today.get_by_role("link", name="Comes later…").click()
    page.get_by_label("Comes at").fill("10:15")
    page.get_by_role("button", name="Write down").click()
    expect(today).to_contain_text("Comes 10:15.")

    choose(page, day(monday, 0), "Nobody came…")
    page.get_by_label("What is known about it").fill("Did not answer the phone")
    page.get_by_role("button", name="Write down: nobody came").click()
    expect(today.first).to_contain_text("No-show")
    expect(today.first).to_contain_text("Did not answer the phone")
    expect(page.locator("a.primary")).to_have_text(re.compile("Book a make-up"))
    assert complaints == []


@WAYS
def test_a_held_course_is_signed_and_booked(
    held: Course,
    clinic: Clinic,
    chromium: Browser,
    live_server: LiveServer,
    size: tuple[int, int],
    scripts: bool,
) -> None:
    page, _ = open_page(chromium, live_server, size, java_script_enabled=scripts)
    sign_in(page, to=f"/courses/{held.pk}/")
    expect(page.locator("section[aria-labelledby=acts]")).to_contain_text("A prescriber has to sign: gap too short.")
    page.get_by_role("button", name="Book 4 visits").click()
    expect(page.locator("#book .error").first).to_be_visible()
    sign(page.locator("#book"), clinic, "Travels afterwards")
    page.get_by_role("button", name="Book 4 visits").click()

    expect(page.locator(".messages")).to_contain_text("The course is booked.")
    expect(page.locator("section[aria-labelledby=overrides]")).to_contain_text("“Travels afterwards”")


def test_everything_is_done_by_keyboard(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/courses/{course.pk}/")
    menu = row(page, day(monday, 3)).locator("summary")
    menu.focus()
    page.keyboard.press("Enter")
    expect(row(page, day(monday, 3)).get_by_role("link", name="Move")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, day(monday, 3)).get_by_role("link", name="Move")).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("form.offered li").filter(has_text=day(monday, 4)).get_by_role("button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#look")).to_contain_text("No finding")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".messages")).to_contain_text(f"Moved to {day(monday, 4)}")

    row(page, day(monday, 4)).locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_label("Patient is ill").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".messages")).to_contain_text("The visit is cancelled")

    page.keyboard.press("p")
    expect(page).to_have_url(re.compile(r"/dates/$"))
    expect(page.get_by_role("heading", name="Your dates")).to_be_visible()
    [(width, height)] = paper(page)
    assert width < height
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/courses/\d+/$"))
    assert complaints == []


def test_an_older_window_is_told_what_happened_meanwhile(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    older, _ = open_page(chromium, live_server)
    sign_in(older, to=f"/courses/{course.pk}/")
    newer = older.context.new_page()
    newer.goto(f"/courses/{course.pk}/")
    choose(newer, day(monday, 3), "Cancel…")
    newer.get_by_text("Patient’s wish").click()
    newer.get_by_role("button", name=re.compile("^Cancel visit")).click()
    expect(newer.locator(".messages")).to_contain_text("The visit is cancelled")

    row(older, day(monday, 3)).get_by_role("button", name="Said yes").click()
    expect(older.locator(".messages")).to_contain_text("cancelled: Patient’s wish (Robin Keller")
    expect(row(older, day(monday, 3))).to_contain_text("Cancelled")


def states(page: Page, monday: date, course: Course, held: Course, ended: Course) -> Iterator[str]:
    """Every page about a course in every state, the browser being there when its name comes."""
    sign_in(page, to=f"/courses/{course.pk}/")
    yield "late"
    row(page, day(monday, 3)).locator("summary").click()
    page.evaluate("scrollTo(0, 0)")  # what lies half below the bar of a phone would count as too small
    yield "menu"
    row(page, day(monday, 3)).get_by_role("link", name="Move").click()
    yield "move"
    page.locator("form.offered li").filter(has_text=day(monday, 8)).get_by_role("button").first.click()
    yield "look with a cascade"
    page.get_by_role("radio", name="Only this visit").check()
    page.get_by_role("button", name=re.compile("^Move to")).click()
    expect(page.locator("#look .error").first).to_be_visible()
    yield "not signed"
    page.goto(f"/courses/{course.pk}/")
    choose(page, day(monday, 3), "Cancel…")
    yield "cancel"
    address = page.url
    page.get_by_role("button", name=re.compile("^Cancel visit")).click()
    yield "no reason"
    page.get_by_text("The clinic", exact=True).click()
    page.get_by_role("button", name=re.compile("^Cancel visit")).click()
    yield "fell out"
    page.goto(address)
    yield "gone"
    page.goto(f"/courses/{course.pk}/")
    choose(page, day(monday, 0), "Nobody came…")
    yield "no-show"
    page.go_back()
    row(page, day(monday, 0)).get_by_role("link", name="Comes later…").click()
    yield "comes later"
    page.goto(f"/courses/{course.pk}/cancel/")
    yield "cancel the course"
    page.goto(f"/courses/{course.pk}/dates/")
    yield "dates"
    page.goto(f"/courses/{held.pk}/")
    yield "held"
    page.get_by_role("button", name="Book 4 visits").click()
    expect(page.locator("#book .error").first).to_be_visible()
    yield "held, not signed"
    page.goto(f"/courses/{ended.pk}/")
    yield "cancelled"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_state_can_be_used_by_everybody(
    course: Course,
    quarter_past: datetime,
    held: Course,
    ended: Course,
    monday: date,
    chromium: Browser,
    live_server: LiveServer,
    size: tuple[int, int],
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    found = {}
    for name in states(page, monday, course, held, ended):
        fits(page)
        if faulty := faults(page):
            found[name] = faulty

    assert found == {}, json.dumps(found, indent=1)


def test_nothing_is_wider_than_a_narrow_phone_and_a_desk_scrolls_nothing(
    course: Course,
    quarter_past: datetime,
    held: Course,
    ended: Course,
    monday: date,
    chromium: Browser,
    live_server: LiveServer,
) -> None:
    page, _ = open_page(chromium, live_server, NARROW)
    for name in states(page, monday, course, held, ended):
        fits(page)
        if name in ("late", "held", "cancelled"):
            page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
            assert page.evaluate("document.documentElement.scrollHeight - window.innerHeight") == 0, name
            page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
