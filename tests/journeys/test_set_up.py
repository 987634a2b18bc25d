"""A manager sets up a clinic in a real browser: the admin works under the policy that allows no inline code."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from tests import browser
from tests.factories import PASSWORD, Clinic, make_clinic, protocol
from tests.journeys.desk import DESKTOP, open_page


@pytest.fixture
def clinic(live_server: LiveServer) -> Clinic:
    protocol()
    clinic = make_clinic(weeks=1)
    Staff.objects.filter(pk=clinic.manager.pk).update(username="manager")
    return clinic


@pytest.fixture
def chromium(clinic: Clinic) -> Iterator[Browser]:
    """The last fixture that is made, for nothing may ask the database while it is there."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser.executable(), args=list(browser.OPTIONS))
        yield started
        started.close()


def follow(page: Page, *names: str) -> None:
    """From the admin's first page, link by link."""
    page.goto("/admin/")
    for name in names:
        page.locator("#content").get_by_role("link", name=name, exact=True).first.click()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()


def test_a_manager_sets_up_the_clinic(chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server, DESKTOP)
    page.goto("/admin/")
    page.get_by_label("User name").fill("manager")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="What the clinic consists of")).to_be_visible()

    follow(page, "Sites", "Add site")
    page.get_by_label("Name", exact=False).first.fill("North")
    page.get_by_label("Neutral name in mails").fill("Practice North")
    page.get_by_label("Time zone").select_option("America/Chicago")
    page.locator(".add-row .addlink").click()
    page.locator("[name=opening_hours-0-weekday]").select_option("Monday")
    page.locator("[name=opening_hours-0-opens]").fill("08:00")
    page.locator("[name=opening_hours-0-closes]").fill("17:00")
    save(page)

    follow(page, "Chairs", "Add chair")
    page.get_by_label("Site").select_option("North")
    page.get_by_label("Name").fill("Window")
    save(page)

    follow(page, "Staff", "Add staff member")
    page.get_by_label("Username").fill("quist")
    page.locator("[name=password1]").fill("a long and lawful password")
    page.locator("[name=password2]").fill("a long and lawful password")
    page.get_by_label("Last name").fill("Quist")
    page.get_by_label("Role").select_option("Clinician")
    page.get_by_label("Prescriber").check()
    page.locator("#id_sites_from").select_option("North")
    page.locator("#id_sites_add").click()
    save(page)

    follow(page, "Shifts", "Add a weekly pattern")
    page.get_by_label("Who").select_option("Quist (Prescriber)")
    page.get_by_label("Site").select_option("North")
    page.get_by_label("Monday").check()
    page.get_by_label("Begins").fill("08:00")
    page.get_by_label("Ends").fill("17:00")
    page.get_by_label("First day").fill("2027-03-01")
    page.get_by_label("Last day").fill("2027-03-28")
    page.get_by_role("button", name="Add these shifts").click()
    expect(page.get_by_text("4 shifts were added.")).to_be_visible()

    follow(page, "Closures", "Add closure")
    page.get_by_label("Site").select_option("North")
    page.get_by_label("First day").fill("2027-03-09")
    page.get_by_label("Reason").fill("Painting")
    save(page)

    follow(page, "Protocol versions", "New version from this")
    text = json.loads(page.get_by_label("Protocol").input_value())
    page.get_by_label("Protocol").fill(json.dumps(text | {"name": "As we do it"}))
    save(page)
    expect(page.get_by_role("link", name="As we do it", exact=True)).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    # Django's form for a new user asks for the focus that the page has given already, and whoever goes on before a page
    # has loaded breaks its requests off.
    expected = ("Autofocus", "net::ERR_ABORTED")
    assert [text for text in complaints if not any(known in text for known in expected)] == []
