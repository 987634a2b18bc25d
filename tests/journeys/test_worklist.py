"""The worklist in a browser: walked by its keys, the chosen line beside it, item 9 acknowledged by a clinician only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from patients import scoring, worklist
from patients.models import TaskKind
from scheduling import booking
from scheduling.models import Course
from scheduling.protocols.types import Place
from tests.factories import Clinic, PatientFactory, local, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, paper, sign_in

LONG = "Wolfensteinhausen-Bergerdorff-Hohenlohe"


def next_monday() -> date:
    today = timezone.localdate()
    return today + timedelta(days=7 - today.weekday())


@pytest.fixture
def course(clinic: Clinic) -> Course:
    """Of somebody with a long name and no mail address, from next Monday on; so there is a line of the worklist."""
    patient = PatientFactory.create(last_name=LONG, first_name="Maximiliana Theodora Josephine", email="")
    days = [next_monday() + timedelta(days=number) for number in (0, 3, 7, 10, 14, 17)]
    places = [Place(local(day), clinic.chairs[0].pk, clinic.prescriber.pk) for day in days]
    return booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=timezone.now()
    ).course


@pytest.fixture
def lines(clinic: Clinic, course: Course) -> None:
    """Item 9 above 0 after scores that fell, a visit without a time, a mail that did not arrive, and one of each other
    kind."""
    Staff.objects.filter(pk=clinic.prescriber.pk).update(username="prescriber")
    now, patient = timezone.now(), course.patient
    for days, items in ((21, (2,) * 8 + (0,)), (14, (2,) * 6 + (1, 1, 0)), (0, (3, 3, 3, 3, 2, 3, 1, 1, 2))):
        at = now - timedelta(days=days, minutes=23)
        scoring.record(actor=None, patient=patient, instrument="phq9", items=items, taken_at=at, now=at)
    session = course.sessions.in_order()[1]
    worklist.open_task(kind=TaskKind.FAILED_MAIL, patient=patient, course=course, key="mail-1", now=now)
    worklist.open_task(kind=TaskKind.NEEDS_TIME, patient=patient, course=course, key=str(session.pk), now=now)
    for number, kind in enumerate(set(TaskKind) - {TaskKind.ITEM_9, TaskKind.NEEDS_TIME, TaskKind.FAILED_MAIL}):
        other = PatientFactory.create(last_name="Abernathy-Kowalczyk", first_name="Wilhelmina")
        since = now - timedelta(hours=7 * number)
        for days, items in ((21, (2,) * 8 + (0,)), (7, (number % 4,) * 8 + (0,))):
            at = now - timedelta(days=days)
            scoring.record(actor=None, patient=other, instrument="phq9", items=items, taken_at=at, now=at)
        worklist.open_task(kind=kind, patient=other, key="0", now=since)


@pytest.fixture
def three(course: Course) -> None:
    """Lines of one patient: a call about the visits to come, a mail that did not arrive, a visit without a time."""
    now, session = timezone.now(), course.sessions.in_order()[1]
    worklist.open_task(kind=TaskKind.FAILED_MAIL, patient=course.patient, course=course, key="mail-1", now=now)
    worklist.open_task(kind=TaskKind.NEEDS_TIME, patient=course.patient, course=course, key=str(session.pk), now=now)


def test_arrows_walk_the_lines_and_the_panel_follows(lines: None, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, "prescriber", to="/worklist/")
    picks, panel = page.locator("tbody [data-open]"), page.locator("#chosen")
    expect(panel.get_by_role("heading", level=2)).to_have_text("Item 9: 2 (“more than half the days”)")
    for key, place, told in (
        ("ArrowDown", 1, "Prescriber called"),
        ("ArrowDown", 2, "Worse"),
        ("ArrowUp", 1, "Prescriber called"),
    ):
        page.keyboard.press(key)
        expect(picks.nth(place)).to_be_focused()
        expect(panel.get_by_role("heading", level=2)).to_have_text(told)
        expect(picks.nth(place)).to_have_attribute("aria-current", "true")
    page.keyboard.press("Enter")
    expect(panel.locator("header")).to_be_focused()
    page.keyboard.press("g")
    expect(panel.get_by_label("Who deals with it")).to_be_focused()
    panel.get_by_role("button", name="Give", exact=True).click()
    expect(page.get_by_text("Given to nobody in particular")).to_be_visible()
    page.locator("tbody [data-open]").nth(4).click()
    expect(panel.get_by_role("heading", level=2)).to_have_text("End of the initial phase")
    page.keyboard.press("s")
    panel.get_by_role("button", name="3 days").click()
    expect(page.get_by_text("Put off for 3 days")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Put off 1"))).to_be_visible()
    page.locator("tbody tr", has_text="Needs a new time").locator("[data-open]").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text("Needs a new time")
    wanted = panel.locator("a.primary").get_attribute("href")
    page.keyboard.press("a")

    expect(page).to_have_url(re.compile(re.escape(wanted or "nowhere") + "$"))
    assert complaints == []


def test_item_9_is_acknowledged_with_a_note(lines: None, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, "prescriber", to="/worklist/")
    panel = page.locator("#chosen")
    expect(panel.get_by_role("link", name="Call now")).to_have_attribute("href", re.compile(r"^tel:\+1555"))
    panel.get_by_text("Acknowledge…").click()
    expect(panel.get_by_label("What was found, what was done")).to_be_focused()
    page.keyboard.type("Called: safe tonight.")
    panel.get_by_role("button", name="Acknowledge item 9").click()
    expect(page.get_by_text("Done: Item 9 above 0")).to_be_visible()
    expect(panel.get_by_role("heading", level=2)).to_have_text("Prescriber called")
    page.get_by_role("link", name=re.compile("^Done today")).click()

    expect(page.locator("tbody tr")).to_contain_text("Item 9 above 0")
    assert complaints == []


def test_what_is_typed_about_one_line_stays_there_when_a_worse_one_comes(
    three: None, chromium: Browser, live_server: LiveServer
) -> None:
    (working, complaints), (other, others) = (open_page(chromium, live_server) for _ in range(2))
    for page in (working, other):
        sign_in(page, to="/worklist/")
    panel = working.locator("#chosen")
    title = panel.get_by_role("heading", level=2).inner_text()
    working.keyboard.press("g")
    panel.get_by_label("Who deals with it").select_option(index=1)
    chosen = panel.get_by_label("Who deals with it").input_value()
    other.locator("tbody tr", has_text="Mail not delivered").locator("[data-open]").click()
    expect(other.locator("#chosen h2")).to_have_text("Mail not delivered")
    other.locator("#chosen").get_by_role("button", name="Done").click()
    expect(working.locator("tbody tr")).to_have_count(2, timeout=5_000)

    expect(panel.get_by_role("heading", level=2)).to_have_text(title)
    expect(panel.get_by_label("Who deals with it")).to_have_value(chosen)
    assert (complaints, others) == ([], [])


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_lines_are_done_without_javascript(
    three: None, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=False)
    sign_in(page, to="/worklist/")
    for kind, left in (("No mail address", 2), ("Mail not delivered", 1)):
        page.locator("tbody tr", has_text=kind).locator("[data-open]").click()
        expect(page.locator("#chosen h2")).to_have_text(kind)
        page.locator("#chosen").get_by_role("button", name="Done").click()
        expect(page.locator("tbody tr")).to_have_count(left)
    page.locator("tbody a.button").click()

    expect(page).to_have_url(re.compile("/move/$"))
    assert complaints == []


def states(page: Page) -> Iterator[str]:
    """Every state of the page, one after the other."""
    sign_in(page, "prescriber", to="/worklist/")
    yield "item 9"
    for kind in ("Little or no benefit", "Needs a new time"):
        page.locator("tbody tr", has_text=kind).locator("[data-open]").click()
        expect(page.locator("#chosen h2")).to_have_text(kind)
        yield kind
    page.locator("#chosen summary", has_text="Put off").click()
    yield "putting off"
    page.locator("#chosen summary", has_text="Give to").click()
    yield "giving"
    for show in ("mine", "desk", "done"):
        page.goto(f"/worklist/?show={show}")
        yield f"shows {show}"


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_every_state_fits_and_can_be_used_by_everybody(
    lines: None, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    found = {}
    for name in states(page):
        page.evaluate("Promise.allSettled(document.getAnimations().map(one => one.finished))")  # colours on their way
        fits(page)
        if size != NARROW and (faulty := faults(page)):
            found[name] = faulty
        if size == DESKTOP:
            assert page.evaluate("document.documentElement.scrollHeight") == DESKTOP[1], name

    assert found == {}, json.dumps(found, indent=1)


def test_it_is_printed_without_buttons_on_few_sheets(lines: None, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page, "prescriber", to="/worklist/")
    page.emulate_media(media="print")

    expect(page.locator("#chosen")).to_be_hidden()
    expect(page.locator("tbody a.button:visible")).to_have_count(0)
    assert paper(page) == [(792.0, 612.0)] * 2
    assert complaints == []
