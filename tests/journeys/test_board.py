"""The day board in a real browser: at a glance, by keyboard, on a phone, on paper, and while others work."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, FloatRect, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from clinic import clock
from scheduling.models import SessionState, VisitRecord
from tests.factories import Clinic, ClosureFactory, CourseFactory, PatientFactory, SessionFactory, local, make_clinic
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, paper, sign_in
from tests.scheduling import measure

#: A Monday that is always ahead, and far from the change of the clocks.
DAY = date(timezone.localdate().year + 1, 6, 1)
DAY -= timedelta(days=DAY.weekday())


def at(moment: str) -> datetime:
    return local(DAY, moment)


@pytest.fixture
def clinic(live_server: LiveServer, settings: Settings, tmp_path: Path, chairs: int) -> Clinic:
    """It is 11:42 on DAY, for the server as for the page."""
    settings.CLOCK_FILE = str(tmp_path / "clock")
    clock.set_shift(at("11:42") - timezone.now())
    clinic = make_clinic(chairs=chairs, first=DAY, weeks=1)
    clinic.desk.username = "desk"
    clinic.desk.save(update_fields=["username"])
    clinic.nurse.username = "nurse"
    clinic.nurse.save(update_fields=["username"])
    return clinic


@pytest.fixture
def chairs() -> int:
    return 6


def visit(
    clinic: Clinic,
    moment: str,
    chair: int,
    name: str,
    state: SessionState = SessionState.BOOKED,
    until: datetime | None = None,
    measured: str = "",
) -> None:
    """A visit on DAY, with a hold until that time, and a round of measurements."""
    last, first = name.split(", ")
    hold = {"state": "held", "held_until": until} if until else {}
    patient = PatientFactory.create(last_name=last, first_name=first)
    session = SessionFactory.create(
        course=CourseFactory.create(site=clinic.site, patient=patient, **hold),
        chair=clinic.chairs[chair],
        prescriber=clinic.prescribers[chair % 2],
        starts_at=at(moment),
        state=state,
    )
    if measured:
        VisitRecord.objects.create(session=session, changed={}, checked_in_by=clinic.nurse, drug="ketamine", mg=40)
        measure(session, at(measured))


@pytest.fixture
def busy(clinic: Clinic) -> None:
    """Every state at once, and long names."""
    visit(clinic, "08:00", 0, "Fitzgerald-Achterberg, Maximiliana", SessionState.DISCHARGED)
    visit(clinic, "12:00", 0, "Lindqvist, Tobias", SessionState.CONFIRMED)
    visit(clinic, "08:10", 1, "Oyelaran, Marguerite", SessionState.READY, measured="11:30")
    visit(clinic, "09:00", 2, "Halvorsen, Dmitri", SessionState.MONITORING, measured="11:35")
    visit(clinic, "10:50", 3, "Brückner, Anneliese", SessionState.GIVING, measured="11:35")
    visit(clinic, "14:10", 3, "Raman, Priya", SessionState.HELD, until=at("18:00"))
    visit(clinic, "11:20", 4, "Aaltonen-Whitmore, Solveig", SessionState.CHECKED_IN)
    visit(clinic, "08:00", 5, "Volkov, Dmitri", SessionState.NO_SHOW)
    visit(clinic, "11:30", 5, "Asante, Kwame")
    ClosureFactory.create(site=clinic.site, during=(at("17:30"), at("18:00")), reason="Staff training")


@pytest.fixture
def full(clinic: Clinic) -> None:
    """Three visits in each chair, as many as shifts allow; one of them is running."""
    states = (SessionState.DISCHARGED, SessionState.CHECKED_IN, SessionState.BOOKED)
    for chair in range(2 * 4):
        for moment, state in zip(("08:00", "11:20", "14:40"), states, strict=True):
            visit(clinic, moment, chair, f"Morgan{chair}, Alex", state)


def stands(page: Page, selector: str) -> FloatRect:
    """Where an element stands."""
    found = page.locator(selector).bounding_box()
    assert found
    return found


def overflow(page: Page, selector: str) -> tuple[int, int]:
    """By how much an element's content is wider and higher than the element."""
    width, height = page.locator(selector).evaluate(
        "element => [element.scrollWidth - element.clientWidth, element.scrollHeight - element.clientHeight]"
    )
    return width, height


def test_six_chairs_are_seen_at_once_and_drawn_to_scale(busy: None, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    expect(page.locator("li.visit")).to_have_count(8)
    heights = [box["height"] for part in page.locator(".giving .part").all() if (box := part.bounding_box())]

    assert overflow(page, "html") == (0, 0)
    assert overflow(page, "#chairs") == (0, 0)
    assert [round(height / sum(heights) * 200 / 5) * 5 for height in heights] == [30, 40, 120, 10]
    # The line of now is as far down in its chair as the visit's dose that began 22 minutes ago.
    dose, line = stands(page, ".giving .give"), stands(page, ".now-line .flat")
    assert abs((line["y"] - dose["y"]) / dose["height"] - 22 / 40) < 0.05
    assert page.locator("#now .title").all_inner_texts() == [
        "Overrun +22 min",
        "Not arrived, 12 min late",
        "May go home, since 11:20",
    ]
    assert complaints == []


def test_days_go_by_with_the_arrow_keys(busy: None, chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    for key, day in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"/board/{DAY + timedelta(days=day)}/$"))
    page.keyboard.press("t")
    expect(page.locator("li.visit")).to_have_count(8)
    page.get_by_label("Another day").fill(str(DAY + timedelta(days=3)))
    expect(page).to_have_url(re.compile(f"/board/{DAY + timedelta(days=3)}/$"))
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/patients/$"))


def test_by_tab_the_chairs_are_lists_in_order_of_time(busy: None, chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    page.locator("#chairs").focus()
    names = []
    for _number in range(8):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.querySelector('.name').textContent.split(',')[0]"))

    assert names == [
        *("Fitzgerald-Achterberg", "Lindqvist", "Oyelaran", "Halvorsen"),
        *("Brückner", "Raman", "Aaltonen-Whitmore", "Asante"),
    ]


def states(page: Page) -> Iterator[str]:
    """The board in its states, the browser being there when its name comes."""
    for name, path in (
        ("busy", "/"),
        ("the day after", f"/board/{DAY + timedelta(days=1)}/"),
        ("closed", f"/board/{DAY - timedelta(days=1)}/"),
        ("far", "/board/2199-12-31/"),
        ("next", "/#next"),
        ("load", "/#load"),
    ):
        page.goto("about:blank")
        page.goto(path)
        yield name


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_it_fits_and_can_be_used_by_everybody(
    busy: None, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    sign_in(page)
    found = {}
    for name in states(page):
        fits(page)
        if faulty := faults(page):
            found[name] = faulty

    assert found == {}, json.dumps(found, indent=1)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_on_a_phone_there_is_a_row_for_each_chair_and_a_part_at_a_time(
    busy: None, chromium: Browser, live_server: LiveServer, javascript: bool
) -> None:
    page, complaints = open_page(chromium, live_server, PHONE, java_script_enabled=javascript)
    sign_in(page)
    tabs = page.get_by_role("navigation", name="Parts of the day")
    expect(page.locator("#now .item")).to_have_count(3)
    expect(page.get_by_role("heading", name="Chair 1")).to_be_visible()
    expect(page.locator("#next")).to_be_hidden()
    widths = [box["width"] for part in page.locator(".giving .part").all() if (box := part.bounding_box())]
    assert [round(width / sum(widths) * 200 / 10) * 10 for width in widths] == [30, 40, 120, 10]

    tabs.get_by_role("link", name="Next").click()
    expect(page.locator("#next")).to_be_visible()
    expect(page.locator(".lanes")).to_be_hidden()
    tabs.get_by_role("link", name="Load").click()
    expect(page.get_by_role("rowheader", name="11:30")).to_be_visible()
    expect(page.locator("#next")).to_be_hidden()
    tabs.get_by_role("link", name="Chairs").click()
    expect(page.locator(".lanes")).to_be_visible()
    assert complaints == []


def test_it_is_printed_on_one_page(busy: None, chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    [(width, height)] = paper(page)

    assert width > height


def test_every_open_board_follows_and_keeps_what_one_is_doing(
    busy: None, clinic: Clinic, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    other = page.context.new_page()
    other.goto("/")
    page.bring_to_front()
    page.locator("details.more summary").click()
    focused = page.locator("li.visit a").last
    focused.focus()
    kept = focused.get_attribute("id")

    other.locator("#now .item", has_text="Asante").get_by_role("link", name="Not coming").click()
    other.get_by_role("button", name="Write down: nobody came").click()

    expect(page.locator("ol.gone")).to_contain_text("Asante", timeout=5_000)
    expect(page.locator("li.visit")).to_have_count(7)
    expect(page.locator("details.more")).to_have_attribute("open", "")
    assert kept
    assert complaints == []


def test_a_nurses_step_is_seen_by_every_other_within_seconds(
    busy: None, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    chair = page.locator("section.chair", has_text="Chair 4")
    expect(chair.locator(".does")).to_have_text(re.compile(r"Giving\s+22/40 min"))
    nurse, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(nurse, "nurse")
    nurse.get_by_role("link", name="End dose Brückner").click()
    nurse.get_by_role("button", name="Dose ended").click()
    nurse.get_by_role("heading", name="Brückner").wait_for()

    expect(chair.locator(".does")).to_have_text(re.compile(r"Monitoring\s+0:00"), timeout=5_000)
    expect(chair.locator(".monitoring .home")).to_contain_text(re.compile(r"Home from 13:4\d"))
    assert complaints == []


def test_clocks_go_on_without_asking(busy: None, chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    page.clock.install()
    sign_in(page)
    page.route("**/version/*", lambda route: route.abort())
    given, monitored = page.locator(".giving .state b"), page.locator(".monitoring .state b")
    expect(given).to_have_text("22/40 min")
    expect(monitored).to_have_text("1:32")
    page.clock.run_for(2 * 60_000)

    expect(given).to_have_text("24/40 min")
    expect(monitored).to_have_text("1:34")
    assert page.locator("#live-said").inner_text() == ""


def test_a_lost_connection_is_told_and_mended(busy: None, chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    page.route("**/version/*", lambda route: route.abort())
    expect(page.locator("#banner")).to_contain_text("Not live since 11:4", timeout=15_000)
    expect(page.locator("#banner")).to_contain_text("What is shown may be out of date.")
    page.unroute("**/version/*")
    page.get_by_role("button", name="Try again").click()

    expect(page.locator("#banner")).to_be_empty()


def test_trying_again_in_vain_is_told_and_live_is_not_said(
    busy: None, chromium: Browser, live_server: LiveServer
) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    expect(page.locator(".live")).to_have_text("live", use_inner_text=True)
    page.route("**/version/*", lambda route: route.abort())
    expect(page.locator(".live")).to_have_text("not live", use_inner_text=True, timeout=10_000)
    page.get_by_role("button", name="Try again").click(timeout=15_000)

    expect(page.locator("#banner")).to_contain_text(re.compile(r"Tried again at 11:4\d: no answer\."))
    expect(page.get_by_role("button", name="Try again")).not_to_have_attribute("aria-busy", "true")


def test_without_a_connection_nothing_is_sent_and_what_was_typed_stays(
    busy: None, chromium: Browser, live_server: LiveServer
) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    address = page.url
    search = page.get_by_label("Find a patient")
    page.context.set_offline(True)
    search.fill("Asante")
    search.press("Enter")
    told = page.locator("#banner [data-no-connection]")
    expect(told).to_have_text("No connection: nothing was sent. What you typed stays here.", use_inner_text=True)
    search.blur()
    page.keyboard.press("ArrowRight")
    expect(search).to_have_value("Asante")
    assert page.url == address

    page.context.set_offline(False)
    expect(told).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(f"/board/{DAY + timedelta(days=1)}/$"))


@pytest.fixture
def booked(busy: None, clinic: Clinic) -> None:
    """And one that can still be confirmed."""
    visit(clinic, "14:10", 1, "Zhou, An")


def test_a_message_makes_the_rows_lower_and_cuts_nothing(
    booked: None, chromium: Browser, live_server: LiveServer
) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    page.locator("details.more summary").click()
    page.get_by_role("button", name="Confirm Zhou").click()
    expect(page.locator(".messages .notice")).to_be_visible()

    assert overflow(page, "html") == (0, 0)
    assert overflow(page, "#chairs") == (0, 0)


def test_who_is_signed_out_elsewhere_is_told(busy: None, chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    page.context.clear_cookies()

    expect(page.locator("#banner")).to_contain_text("You are signed out.", timeout=10_000)
    expect(page.locator("#banner")).not_to_contain_text("Not live")


@pytest.mark.parametrize("chairs", [40])
def test_forty_chairs_scroll_in_their_panel_and_stay_light(
    full: None, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, DESKTOP)
    sign_in(page)
    page.goto("about:blank")
    asked: list[str] = []
    weights: list[int] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    network.on("Network.loadingFinished", lambda loaded: weights.append(int(loaded["encodedDataLength"])))
    page.on("request", lambda request: asked.append(request.url.removeprefix(live_server.url)))
    page.goto("/")
    page.wait_for_load_state("networkidle")

    assert [url for url in asked if not url.startswith("/static/")] == ["/"]
    assert sum(weights) < 300_000
    fits(page)
    assert overflow(page, "html") == (0, 0)
    assert overflow(page, "#chairs")[0] > 2_000
    expect(page.locator("#next")).to_be_visible()
    page.locator("#chairs").evaluate("panel => panel.scrollTo(1500, 0)")
    assert abs(stands(page, ".axis")["x"] - stands(page, "#chairs")["x"]) < 3
    assert complaints == []
