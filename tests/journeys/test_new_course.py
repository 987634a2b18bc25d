"""Planning a course at the desk: clicks and keys counted, two windows, every state of the page for everybody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from patients.models import Patient
from tests.factories import PASSWORD, Clinic, PatientFactory
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in

#: From search to booked, as the issue of the desk's pages promises.
MOST_CLICKS = 8

#: Counts what the hand does: the mouse's buttons and the keys, over all pages of a journey.
COUNTER = """
for (const [name, event] of [["clicks", "pointerdown"], ["keys", "keydown"]])
  addEventListener(event, (e) => {
    if (e.isTrusted) sessionStorage[name] = Number(sessionStorage[name] ?? 0) + 1;
  }, true);
"""


@pytest.fixture
def other(clinic: Clinic) -> Patient:
    return PatientFactory.create(last_name="Abernathy-Featherstonehaugh", first_name="Maximiliane Theodora", email="")


def count(page: Page, what: str) -> int:
    return int(page.evaluate("name => sessionStorage[name] ?? '0'", what))


def rows(page: Page) -> Locator:
    return page.locator("tr[id^=row-]")


def plan_for(page: Page, name: str = "Vance") -> None:
    """To the page of a new course, by a link of the patient's."""
    page.goto("/patients/")
    page.locator("main").get_by_role("link", name=re.compile(name)).first.click()
    page.get_by_role("link", name="New course").first.click()
    expect(rows(page)).to_have_count(6)


def booked(page: Page, visits: int = 6) -> None:
    expect(page).to_have_url(re.compile(r"/courses/\d+/$"))
    expect(page.get_by_text(f"{visits} visits are booked.")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_search_to_booked_in_at_most_eight_clicks(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size)
    page.add_init_script(COUNTER)
    sign_in(page)
    page.evaluate("sessionStorage.clear()")
    page.get_by_label("Find a patient").click()
    page.keyboard.type("vance")
    page.locator("#found").get_by_role("link", name="New course").click()
    expect(rows(page)).to_have_count(6)
    expect(page.get_by_label("Protocol").locator("option:checked")).to_contain_text("IV ketamine")
    page.get_by_text("Fri", exact=True).click()
    expect(page.get_by_role("button", name="Best for wishes")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Soonest").click()
    expect(page.get_by_role("button", name="Soonest")).to_have_attribute("aria-pressed", "true")
    page.locator("#take-1-0").click()
    expect(page.locator("#row-1 s")).not_to_have_count(0)
    page.get_by_role("button", name="Book 6 visits").click()
    booked(page)

    assert count(page, "clicks") <= MOST_CLICKS
    assert (count(page, "clicks"), count(page, "keys")) == (6, len("vance"))
    assert complaints == []


def test_from_search_to_booked_by_keyboard_only(chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    page.add_init_script(COUNTER)
    sign_in(page)
    page.evaluate("sessionStorage.clear()")
    keys = page.keyboard
    keys.press("/")
    keys.type("vance")
    expect(page.locator("#found").get_by_role("link", name="New course")).to_be_visible()
    reach(page, page.locator("#found").get_by_role("link", name="New course"), "ArrowDown", "Tab")
    keys.press("Enter")
    expect(rows(page)).to_have_count(6)
    page.wait_for_load_state()
    keys.press("1")
    expect(page.get_by_role("button", name="Soonest")).to_have_attribute("aria-pressed", "true")
    keys.press("w")
    expect(page.get_by_label("Not before")).to_be_focused()
    keys.type("1000AM")
    reach(page, page.get_by_label("Home by"), "Tab")
    expect(page.get_by_role("button", name="Drop the wish: not before 10:00")).to_be_visible()
    expect(page.get_by_label("Home by")).to_be_focused()
    keys.press("Escape")
    expect(page.locator("#wish-open")).to_be_focused()
    reach(page, page.locator("#edit-2"), "Tab")
    keys.press("e")
    expect(page.get_by_label("Date", exact=True)).to_be_focused()
    reach(page, page.get_by_label("Start", exact=True), "Tab")
    keys.type("1130AM")
    keys.press("Enter")
    expect(page.locator("#row-2 s")).not_to_have_count(0)
    keys.press("Control+Enter")
    booked(page)

    assert count(page, "clicks") == 0
    assert complaints == []


def reach(page: Page, wanted: Locator, *keys: str) -> None:
    """Press keys, the last one again and again, until the focus is where it is wanted."""
    for key in (*keys, *[keys[-1]] * 40):
        page.keyboard.press(key)
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("the keyboard does not lead there")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_without_javascript_wishes_edits_and_booking_work(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=False)
    sign_in(page)
    plan_for(page)
    page.locator("#wish-open").click()
    page.get_by_label("Not before").fill("09:30")
    page.locator("#show").click()
    expect(page.get_by_role("button", name="Drop the wish: not before 09:30")).to_be_visible()
    page.get_by_text("Mon", exact=True).click()
    page.locator("button.plainer").click()
    expect(page.get_by_text("Mon", exact=True).locator("input")).not_to_be_checked()
    page.get_by_role("button", name="Drop the wish: not before 09:30").click()
    expect(page.locator("button.chip")).to_have_count(0)
    page.get_by_role("button", name="One visit fewer").click()
    expect(rows(page)).to_have_count(5)
    page.get_by_role("button", name="Drop visit 5").click()
    page.get_by_role("button", name="Add again").click()
    page.get_by_role("button", name="Edit visit 2").click()
    page.get_by_label("Start", exact=True).fill("10:30")
    page.get_by_role("button", name="Take this time").click()
    expect(page.locator("#row-1")).to_contain_text("10:30")
    fits(page)
    page.get_by_role("button", name="Book 5 visits").click()

    booked(page, 5)
    assert complaints == []


def test_six_visits_are_seen_and_booked_without_scrolling(chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server)
    sign_in(page)
    plan_for(page)
    page.locator("#wish-open").click()
    page.get_by_label("Not before").fill("09:00")
    page.get_by_label("Home by").fill("15:00")
    expect(page.locator("button.chip")).to_have_count(2)
    page.locator("#show").click()
    expect(page.locator("#wish")).not_to_have_attribute("open", "")

    page.wait_for_load_state("networkidle")  # the plan that the button asks for has replaced the one before
    box = "selector => document.querySelector(selector).getBoundingClientRect().toJSON()"
    last, footer, chip, wish = (
        page.evaluate(box, selector) for selector in ("#row-5", "footer.commit", "button.chip", "#wish-open")
    )
    assert last["bottom"] <= footer["top"]
    assert footer["bottom"] <= DESKTOP[1]
    assert wish["top"] == chip["top"]


def test_what_is_typed_while_a_plan_is_on_its_way_is_not_lost(chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server)
    sign_in(page)
    plan_for(page)
    sign_needed(page)
    page.get_by_label("Reason").fill("Travels from Thu")
    page.get_by_label("Password of the prescriber").fill(PASSWORD)
    held: list[Route] = []
    page.route("**/course/new/", lambda route: route.continue_() if held else held.append(route))
    page.get_by_text("Fri", exact=True).click()
    page.get_by_label("Reason").fill("Travels from Thursday on")
    page.get_by_text("Thu", exact=True).click()
    while not held:
        page.wait_for_timeout(10)
    held[0].continue_()
    expect(page.get_by_role("button", name="Best for wishes")).to_be_visible()

    expect(page.get_by_text("Thu", exact=True).locator("input")).not_to_be_checked()
    expect(page.get_by_text("Fri", exact=True).locator("input")).not_to_be_checked()
    expect(page.get_by_label("Reason")).to_have_value("Travels from Thursday on")
    expect(page.get_by_label("Password of the prescriber")).to_have_value(PASSWORD)


def sign_needed(page: Page) -> None:
    """Move a visit to the day after the one before it: a prescriber has to sign that."""
    dates = [row.locator("td").nth(1).inner_text().split("\n")[-1] for row in rows(page).all()]
    days = [int(row.locator("td").nth(2).inner_text().removeprefix("day ")) for row in rows(page).all()]
    place = next(place for place, day in enumerate(dates) if not day.startswith("Fri"))  # nobody works on Saturdays
    page.locator(f"[id^=take-{place}-]").last.click()  # both are changed, so that both stay in a new plan
    expect(page.locator(f"#row-{place} s")).not_to_have_count(0)
    page.locator(f"#edit-{place + 1}").click()
    field = page.get_by_label("Date", exact=True)
    expect(field).to_be_visible()
    before = date.fromisoformat(field.input_value()) - timedelta(days=days[place + 1] - days[place])
    field.fill(str(before + timedelta(days=1)))
    page.get_by_role("button", name="Take this time").click()
    expect(page.locator("#sign")).to_be_visible()


def test_a_prescriber_is_asked_instead_and_the_reason_goes_along(
    other: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page)
    plan_for(page)
    sign_needed(page)
    page.locator("#id_sign-prescriber").select_option(index=1)
    page.get_by_label("Reason").fill("Travels from Thursday")
    page.get_by_role("button", name="Hold and send to them instead").click()

    expect(page.get_by_text("a prescriber is asked to sign")).to_be_visible()
    page.goto("/worklist/")
    expect(page.get_by_role("region", name="Lines").get_by_text("Travels from Thursday")).to_be_visible()
    assert complaints == []


def test_of_two_windows_the_second_keeps_its_edits_and_books_replacements(
    other: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    page, _ = open_page(chromium, live_server, bypass_csp=True)
    rival, _ = open_page(chromium, live_server)
    for window, name in ((page, "Vance"), (rival, "Abernathy")):
        sign_in(window)
        plan_for(window, name)
    page.locator("#take-4-0").click()
    expect(page.locator("#row-4 s")).not_to_have_count(0)
    edited = page.locator("#row-4 td").nth(3).inner_text()
    rival.get_by_role("button", name="Soonest").click()
    expect(rival.get_by_role("button", name="Soonest")).to_have_attribute("aria-pressed", "true")
    rival.get_by_role("button", name="Book 6 visits").click()
    booked(rival)
    page.get_by_role("button", name="Book 6 visits").click()

    replaced = page.get_by_role("button", name=re.compile(r"Book with \d replacement"))
    expect(page.get_by_text(re.compile(r"Nothing was booked yet: \d of the 6 times"))).to_be_visible()
    expect(replaced).to_be_focused()
    expect(page.locator("#row-4")).to_contain_text("Your edit is kept")
    assert page.locator("#row-4 td").nth(3).inner_text() == edited
    assert 0 < page.locator("tr.taken").count() < 6
    fits(page)
    still(page)
    assert faults(page) == {}
    page.keyboard.press("Enter")
    booked(page)


def test_a_double_click_books_once(chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page)
    plan_for(page)
    page.get_by_role("button", name="Book 6 visits").dblclick()

    booked(page)
    assert complaints == []


def test_without_a_connection_the_page_says_so_and_the_button_works_again(
    chromium: Browser, live_server: LiveServer
) -> None:
    page, _ = open_page(chromium, live_server)
    sign_in(page)
    plan_for(page)
    page.context.set_offline(True)
    page.locator("#book").click()
    expect(page.get_by_text("No connection: nothing was sent.")).to_be_visible()
    expect(page.locator("#book")).not_to_have_attribute("aria-busy", "true")
    page.context.set_offline(False)
    expect(page.get_by_text("No connection: nothing was sent.")).to_be_hidden()
    page.locator("#book").click()

    booked(page)


@pytest.fixture
def long_names(clinic: Clinic, other: Patient) -> None:
    for number, chair in enumerate(clinic.chairs):
        type(chair).objects.filter(pk=chair.pk).update(name=f"Reclining chair by the north window {number}")
    for member in clinic.prescribers:
        type(member).objects.filter(pk=member.pk).update(last_name=f"Wolfeschlegelsteinhausen-{member.last_name}")


def states(page: Page) -> Iterator[str]:
    """The page in every state that one window can bring about."""
    plan_for(page, "Abernathy")
    yield "fresh"
    page.locator("#wish-open").click()
    today = date.fromisoformat(page.get_by_label("Earliest").input_value())
    page.get_by_label("Not before").fill("09:00")
    page.get_by_label("Cannot come from").first.fill(str(today + timedelta(days=2)))
    page.get_by_label("until").first.fill(str(today + timedelta(days=4)))
    expect(page.locator("button.chip")).to_have_count(2)
    yield "wishes"
    page.get_by_label("until").first.fill(str(today))
    expect(page.locator("#id_away-0-last_error")).to_be_visible()
    yield "dates that cannot be meant"
    page.get_by_label("until").first.fill(str(today + timedelta(days=60)))
    expect(page.locator("#id_away-0-last_error")).to_have_count(0)
    page.locator("#show").click()
    page.get_by_label("Sessions").fill("6")
    page.get_by_label("Earliest").fill(str(today + timedelta(days=2)))
    expect(page.get_by_text("do not fit with what is asked")).to_be_visible()
    yield "no plan"
    page.get_by_role("button", name="Drop the wish: not").last.click()
    expect(rows(page)).to_have_count(6)
    page.locator("#edit-1").click()
    expect(page.get_by_label("Date", exact=True)).to_be_focused()
    yield "a row is open"
    page.get_by_label("Start", exact=True).fill("17:30")
    page.get_by_role("button", name="Take this time").click()
    expect(page.locator("#row-1")).to_contain_text("BLOCK")
    page.locator("#book").click()
    expect(page.get_by_role("alert")).to_be_focused()
    yield "a row is blocked"
    page.locator("#take-1-0").click()
    expect(page.locator("#row-1")).not_to_contain_text("BLOCK")
    sign_needed(page)
    page.locator("#book").click()
    expect(page.locator("#id_sign-prescriber")).to_be_focused()
    yield "a signature is missing"
    page.get_by_role("button", name="Drop visit 6").click()
    expect(page.get_by_role("button", name="Add again")).to_be_visible()
    yield "a row is dropped"


def still(page: Page) -> None:
    """Bars that stay in sight scroll along: for the checker, what lies half under them would be too small to press."""
    page.add_style_tag(content=".topbar, .commit { position: static !important; }")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")


@pytest.mark.parametrize("sizes", [(DESKTOP,), (NARROW, PHONE)], ids=["desktop", "phone"])
def test_every_state_fits_and_can_be_used_by_everybody(
    long_names: None, chromium: Browser, live_server: LiveServer, sizes: tuple[tuple[int, int], ...]
) -> None:
    page, _ = open_page(chromium, live_server, sizes[0], bypass_csp=True)
    sign_in(page)
    found = {}
    for name in states(page):
        for width, height in sizes:
            page.set_viewport_size({"width": width, "height": height})
            fits(page)
            assert page.evaluate("[...document.querySelectorAll('.panel')].every(p => p.scrollWidth <= p.clientWidth)")
        still(page)
        if faulty := faults(page):
            found[name] = faulty

    assert found == {}, json.dumps(found, indent=1)
