"""A real browser at the desk, with JavaScript and without: from signing in to a booked course, on every page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_desk_books_a_whole_course(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int], javascript: bool
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=javascript)
    sign_in(page)
    page.get_by_label("Find a patient").fill("nobody")
    page.get_by_label("Find a patient").press("Enter")
    expect(page.locator("main").get_by_text("Nobody is found by “nobody”.")).to_be_visible()
    page.get_by_label("Find a patient").fill("okonkwo")
    page.get_by_label("Find a patient").press("Enter")
    page.get_by_role("link", name="New course").click()
    expect(page.locator("tr[id^=row-]")).to_have_count(6)
    page.get_by_role("button", name="Soonest").click()
    expect(page.get_by_role("button", name="Soonest")).to_have_attribute("aria-pressed", "true")

    page.locator("[name=act][value='take:1:0']").click()
    expect(page.locator("#row-1 s")).not_to_have_count(0)
    page.get_by_role("button", name="Edit visit 6").click()
    expect(page.get_by_label("Start", exact=True)).to_be_visible()
    page.get_by_label("Start", exact=True).fill("09:30")
    page.get_by_role("button", name="Take this time").click()
    expect(page.locator("#row-5")).to_contain_text("09:30")
    page.get_by_role("button", name="Drop visit 5").click()
    expect(page.get_by_role("button", name="Book 5 visits")).to_be_visible()
    page.get_by_role("button", name="Add again").click()
    page.get_by_role("button", name="Book 6 visits").click()

    expect(page).to_have_url(re.compile(r"/courses/\d+/$"))
    expect(page.get_by_text("6 visits are booked.")).to_be_visible()
    expect(page.locator("[aria-labelledby=visits] tbody tr")).to_have_count(6)
    expect(page.locator("[aria-labelledby=visits]")).to_contain_text("09:30")
    assert complaints == []


def pages(page: Page) -> Iterator[str]:
    """Every page of the desk, one after the other, the browser being there when its name comes."""
    yield "sign-in"
    sign_in(page)
    for path in ("/", "/board/2027-01-02/", "/patients/", "/patients/new/", "/worklist/", "/password/", "/nowhere/"):
        page.goto(path)
        yield path
    page.goto("/patients/")
    page.get_by_role("link", name="Vance-Okonkwo, Eleanor Marguerite").first.click()
    yield "patient"
    page.get_by_role("link", name="New course").click()
    yield "new course"
    page.get_by_role("button", name="Edit visit 2").click()
    page.get_by_label("Start", exact=True).fill("17:00")
    page.get_by_role("button", name="Take this time").click()
    expect(page.locator("#row-1")).to_contain_text("BLOCK")
    page.locator("[name=act][value=book]").click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield "a row that is blocked"
    page.get_by_role("button", name="Most even").click()
    expect(page.locator("#row-1")).not_to_contain_text("BLOCK")
    page.locator("[name=act][value=book]").click()
    expect(page).to_have_url(re.compile(r"/courses/\d+/$"))
    yield "course"


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_every_page_fits_and_can_be_used_by_everybody(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    found = {}
    page.goto("/")
    for name in pages(page):
        fits(page)
        if faulty := faults(page):
            found[name] = faulty

    assert found == {}, json.dumps(found, indent=1)


def test_a_page_is_light(chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP)
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())) if answer.status == 200 else None)
    sign_in(page)
    page.wait_for_load_state("networkidle")

    assert sum(sizes) < 300_000
