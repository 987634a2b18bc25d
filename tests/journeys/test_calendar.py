"""The calendar in a real browser: moving by mouse, by keyboard and without scripts, and two windows at once."""

from __future__ import annotations

import gzip
import json
import re
from datetime import date, datetime, time, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, Response, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import Closure
from patients.models import Patient
from scheduling import booking
from scheduling.models import Course
from scheduling.protocols.types import Place
from tests.factories import NEW_YORK, PASSWORD, Clinic, ClosureFactory, PatientFactory, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, paper, sign_in

NAME = "Vance-Okonkwo, Eleanor Marguerite"


@pytest.fixture
def monday() -> date:
    """Of next week: what the browser's clock says today is then the same on every weekday."""
    today = timezone.localdate()
    return today + timedelta(days=7 - today.weekday())


def book(clinic: Clinic, patient: Patient, monday: date, chair: int) -> Course:
    """Six visits at nine: Monday and Thursday for three weeks."""
    starts = [datetime.combine(monday + timedelta(days=day), time(9), NEW_YORK) for day in (0, 3, 7, 10, 14, 17)]
    return booking.book_course(
        actor=clinic.desk,
        patient=patient,
        protocol=protocol(),
        places=[Place(start, clinic.chairs[chair].pk, clinic.prescriber.pk) for start in starts],
        now=timezone.now(),
    ).course


@pytest.fixture
def course(clinic: Clinic, patient: Patient, monday: date) -> Course:
    return book(clinic, patient, monday, chair=0)


@pytest.fixture
def rival(clinic: Clinic, course: Course, monday: date) -> Course:
    """Somebody else on the same days, in the second chair."""
    return book(clinic, PatientFactory.create(last_name="Asante", first_name="Kwame"), monday, chair=1)


@pytest.fixture
def closed(clinic: Clinic, monday: date) -> list[Closure]:
    """The last day of the week, and a chair for a day."""
    return [
        ClosureFactory.create(site=clinic.site, day=monday + timedelta(days=4), reason="A long weekend for everybody"),
        ClosureFactory.create(site=clinic.site, chair=clinic.chairs[2], day=monday, reason="Pump service"),
    ]


def visit(page: Page, number: int, name: str = "Vance") -> Locator:
    """A visit as it is drawn."""
    return page.locator(f"#drawn .ec-event:not(.ec-preview) a[title^={name}][title*='visit {number} of 6']")


def at(page: Page, number: int) -> str:
    """When and where a visit is, as it is read aloud."""
    label = visit(page, number).get_attribute("title") or ""
    return label.removeprefix(f"{NAME}, ").split(",")[0]


def day(start: date, days: int) -> str:
    return f"{start + timedelta(days=days):%a %-d %b}"


def drag(page: Page, number: int, *, days: int, rows: int, name: str = "Vance", drop: bool = True) -> None:
    """Take a visit with the mouse, so many days and rows further, and let go of it."""
    box = visit(page, number, name).bounding_box()
    cell = page.locator("#drawn .ec-body .ec-day").first.bounding_box()
    assert box
    assert cell
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 8, y + 4, steps=3)
    expect(page.locator("#calendar .mark").first).to_be_visible()
    page.mouse.move(x + days * cell["width"], y + rows * cell["height"], steps=6)
    if drop:
        page.mouse.up()


def panel(page: Page) -> Locator:
    return page.get_by_role("dialog", name="What this move does")


def sign(page: Page, clinic: Clinic) -> None:
    prescriber = clinic.prescriber
    panel(page).get_by_label("Prescriber", exact=True).select_option(f"{prescriber.title} {prescriber}")
    panel(page).get_by_label(re.compile("^Reason")).fill("Travels")
    panel(page).get_by_label(re.compile("^Password")).fill(PASSWORD)


def test_a_visit_is_dragged_looked_at_and_moved(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday}/")
    drag(page, 2, days=1, rows=1, drop=False)
    expect(page.locator("#moving")).to_contain_text(f"{day(monday, 4)} 09:00, Chair 2: fits")
    page.mouse.up()

    expect(panel(page)).to_contain_text("No finding")
    assert panel(page).evaluate("panel => panel.contains(document.activeElement)")
    assert at(page, 2) == f"{day(monday, 3)} 09:00"  # a drop commits nothing
    panel(page).get_by_role("button", name=f"Move to {day(monday, 4)} 09:00").click()

    expect(page.get_by_text(re.compile("^Moved to"))).to_be_visible()
    expect(page).to_have_url(re.compile(f"/calendar/{monday}/$"))
    assert at(page, 2) == f"{day(monday, 4)} 09:00"
    assert complaints == []


def test_escape_leaves_everything_as_it_was(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday}/")
    drag(page, 2, days=1, rows=0)
    expect(panel(page)).to_be_visible()
    page.keyboard.press("Escape")

    expect(panel(page)).to_be_hidden()
    expect(page.locator("#calendar .mark")).to_have_count(0)
    expect(visit(page, 2)).to_be_focused()
    page.reload()
    assert at(page, 2) == f"{day(monday, 3)} 09:00"
    assert complaints == []


def test_a_visit_is_moved_with_the_keyboard_alone(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday}/")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('a.card')"):
            break
    expect(visit(page, 1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(visit(page, 2)).to_be_focused()
    page.keyboard.press("m")
    expect(page.locator("#calendar .mark").first).to_be_visible()
    for key in ("Shift+ArrowRight", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#said")).to_have_text(f"{day(monday, 4)} 09:30, Chair 2: fits")
    page.keyboard.press("Enter")
    expect(panel(page)).to_contain_text("No finding")
    page.keyboard.press("Control+Enter")

    expect(page.get_by_text(re.compile("^Moved to"))).to_be_visible()
    assert at(page, 2) == f"{day(monday, 4)} 09:30"
    assert complaints == []


def test_a_visit_is_taken_along_to_another_week(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday + timedelta(days=14)}/")
    visit(page, 6).focus()
    page.keyboard.press("m")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page).to_have_url(re.compile(rf"/calendar/{monday + timedelta(days=21)}/\?move=\d+$"))
    expect(page.locator("#moving")).to_contain_text(f"{day(monday, 21)} 09:00, Chair 1: ")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(f"/calendar/{monday + timedelta(days=21)}/$"))
    assert complaints == []


def test_what_a_move_pushes_away_moves_with_it(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    week = monday + timedelta(days=7)
    sign_in(page, to=f"/calendar/{week}/")
    drag(page, 3, days=2, rows=0)
    expect(panel(page)).to_contain_text("Move visit 4 as well")
    panel(page).get_by_role("button", name="Move both visits").click()

    expect(page.get_by_text(re.compile("^2 visits are moved"))).to_be_visible()
    assert at(page, 3) == f"{day(week, 2)} 09:00"
    expect(page.get_by_role("link", name=re.compile(f"{day(week, 3)} 09:00"))).to_have_count(0)
    assert [text for text in complaints if "422" not in text] == []


def test_an_override_is_signed_in_the_panel(
    clinic: Clinic, course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday}/")
    drag(page, 2, days=-2, rows=1, drop=False)
    expect(page.locator("#moving")).to_contain_text("needs an override")
    page.mouse.up()
    expect(panel(page)).to_contain_text("OVERRIDE")
    sign(page, clinic)
    panel(page).get_by_role("button", name=re.compile("^Move to")).click()

    expect(page.get_by_text(re.compile("^Moved to"))).to_be_visible()
    assert at(page, 2) == f"{day(monday, 1)} 09:00"
    assert [text for text in complaints if "422" not in text] == []


def test_two_windows_see_what_the_other_does(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    one, _ = open_page(chromium, live_server)
    other, complaints = open_page(chromium, live_server)
    for page in (one, other):
        sign_in(page, to=f"/calendar/{monday}/")
    drag(one, 2, days=1, rows=0)
    expect(panel(one)).to_contain_text("No finding")

    drag(other, 2, days=1, rows=1)
    panel(other).get_by_role("button", name=re.compile("^Move to")).click()
    expect(other.get_by_text(re.compile("^Moved to"))).to_be_visible()
    panel(one).get_by_role("button", name=re.compile("^Move to")).click()
    expect(one.get_by_text(re.compile("^Moved to"))).to_be_visible()
    expect(visit(other, 2)).to_have_attribute("title", re.compile(day(monday, 4)), timeout=5000)
    assert complaints == []


def test_a_stale_drop_says_what_has_happened(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    one, _ = open_page(chromium, live_server)
    other, complaints = open_page(chromium, live_server)
    for page in (one, other):
        sign_in(page, to=f"/calendar/{monday}/")
    drag(one, 2, days=1, rows=0)
    expect(panel(one)).to_contain_text("No finding")
    address = other.locator("#listed a", has_text="Move").nth(1).get_attribute("href") or ""
    other.goto(address.replace("/move/", "/cancel/"))
    other.get_by_label("In words").fill("Ill")
    other.get_by_role("button", name=re.compile("^Cancel visit")).click()
    expect(other.get_by_text("The visit is cancelled")).to_be_visible()
    panel(one).get_by_role("button", name=re.compile("^Move to")).click()

    expect(panel(one)).to_contain_text("Nothing was changed.")
    expect(panel(one)).to_contain_text("cancelled: Ill")
    one.keyboard.press("Escape")
    expect(one.locator("#drawn a.card")).to_have_count(1)
    assert complaints == []


def test_a_time_that_is_lost_is_said_and_what_is_left_is_marked(
    course: Course, rival: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    one, _ = open_page(chromium, live_server)
    other, complaints = open_page(chromium, live_server)
    for page in (one, other):
        sign_in(page, to=f"/calendar/{monday}/")
    drag(one, 2, days=1, rows=0)
    expect(panel(one)).to_contain_text("No finding")
    drag(other, 2, days=1, rows=-1, name="Asante")
    panel(other).get_by_role("button", name=re.compile("^Move to")).click()
    expect(other.get_by_text(re.compile("^Moved to"))).to_be_visible()
    panel(one).get_by_role("button", name=re.compile("^Move to")).click()

    expect(panel(one).get_by_role("alert")).to_contain_text("is taken")
    panel(one).get_by_role("link", name="Another time").click()
    expect(panel(one)).to_be_hidden()
    expect(one.locator("#moving")).to_contain_text("cannot be dropped here")
    one.keyboard.press("ArrowDown")
    expect(one.locator("#moving")).to_contain_text(f"{day(monday, 4)} 09:00, Chair 2: fits")
    one.keyboard.press("Enter")
    panel(one).get_by_role("button", name=re.compile("^Move to")).click()
    expect(one.get_by_text(re.compile("^Moved to"))).to_be_visible()
    assert complaints == []


def test_the_first_load_asks_for_data_once_and_is_light(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to="/calendar/")
    fresh = page.context.new_page()
    asked: list[Response] = []
    fresh.on("response", lambda answer: asked.append(answer))  # noqa: PLW0108 Playwright marks what it is given
    fresh.goto(f"/calendar/{monday}/", wait_until="networkidle")
    paths = [answer.url.removeprefix(live_server.url) for answer in asked]

    assert [path for path in paths if not path.startswith("/static/")] == [f"/calendar/{monday}/"]
    assert sum(len(gzip.compress(answer.body())) for answer in asked) < 300_000  # as they are served
    assert complaints == []


def test_who_has_switched_keys_off_moves_by_the_button_that_names_the_key(
    clinic: Clinic, course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday}/")
    page.evaluate("document.documentElement.dataset.keys = 'off'")
    visit(page, 2).focus()
    page.keyboard.press("m")
    expect(page.locator("#moving")).to_be_hidden()
    page.get_by_role("button", name="on a visit, then arrows").click()
    expect(page.locator("#moving")).to_contain_text("visit 2 of 6")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#said")).to_have_text(re.compile("Chair 2: fits$"))
    assert complaints == []


def test_without_scripts_a_table_leads_to_the_page_that_moves(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, java_script_enabled=False)
    sign_in(page, to=f"/calendar/{monday}/")
    expect(page.locator("#listed li")).to_have_count(2)
    page.locator("#listed").get_by_role("link", name="Move").first.click()

    expect(page.get_by_role("heading", name="Possible times")).to_be_visible()
    assert complaints == []


def test_on_the_phone_a_day_is_a_list(course: Course, monday: date, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server, PHONE)
    sign_in(page, to=f"/calendar/{monday}/")
    expect(page.locator("#listed li:visible")).to_have_count(1)
    page.get_by_role("navigation", name="Days").get_by_role("link", name=re.compile("^Tue")).click()
    expect(page.locator("#listed li:visible")).to_have_count(0)
    page.get_by_role("navigation", name="Days").get_by_role("link", name=re.compile("^Thu")).click()
    expect(page.locator("#listed li:visible")).to_have_text(re.compile(f"^09:00 {NAME}"))
    page.locator("#listed li:visible").get_by_role("link", name="Move").click()
    expect(page.get_by_role("heading", name="Possible times")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("view", ["", "?view=day"], ids=["week", "day"])
def test_it_is_printed_on_one_page(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer, view: str
) -> None:
    page, _ = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday}/{view}")
    [(width, height)] = paper(page)

    assert width > height


def test_keys_lead_to_other_dates_and_views(
    course: Course, monday: date, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, to=f"/calendar/{monday}/")
    for key, address in (
        ("ArrowRight", f"/calendar/{monday + timedelta(days=7)}/"),
        ("ArrowLeft", f"/calendar/{monday}/"),
        ("d", f"/calendar/{monday}/?view=day"),
        ("ArrowRight", f"/calendar/{monday + timedelta(days=1)}/?view=day"),
        ("w", f"/calendar/{monday + timedelta(days=1)}/"),
    ):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"{re.escape(address)}$"))
        expect(page.locator("#drawn .ec-day").first).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"view=day$"))
    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_every_state_fits_and_can_be_used_by_everybody(
    course: Course,
    closed: list[Closure],
    monday: date,
    chromium: Browser,
    live_server: LiveServer,
    size: tuple[int, int],
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    sign_in(page, to=f"/calendar/{monday}/")
    found = {}
    for query in ("", "?view=day", "?by=prescriber", "?view=day&by=prescriber"):
        page.goto(f"/calendar/{monday}/{query}")
        fits(page)
        found[query] = faults(page)
    if size == DESKTOP:
        page.goto(f"/calendar/{monday}/")
        visit(page, 2).focus()
        page.keyboard.press("m")
        page.keyboard.press("Shift+ArrowLeft")
        expect(page.locator("#calendar .mark").first).to_be_visible()
        fits(page)
        found["moving"] = faults(page)
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Enter")
        expect(panel(page)).to_contain_text("OVERRIDE")
        fits(page)
        found["panel"] = faults(page)

    assert {name: faulty for name, faulty in found.items() if faulty} == {}, json.dumps(found, indent=1)
