"""What holds on every page alike: pages that belong to no other journey can be used by everybody, on the first day of a
clinic, too; and all of them fit when they speak a language whose words are longer or are read at 200%."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Route, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from clinic.models import Role
from patients.models import Patient
from tests import browser
from tests.factories import SiteFactory, StaffFactory
from tests.journeys.desk import DESKTOP, NARROW, PHONE, SIZES, faults, fits, open_page, sign_in

TABLET = (1024, 768)
#: A desk's screen at 200%.
ZOOMED = (DESKTOP[0] // 2, DESKTOP[1] // 2)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_pages_aside_can_be_used_by_everybody(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    sign_in(page)
    found = {}
    for path in ("/password/", "/nowhere/"):
        page.goto(path)
        fits(page)
        if faulty := faults(page):
            found[path] = faulty

    assert found == {}, json.dumps(found, indent=1)


@pytest.mark.parametrize("size", [DESKTOP, ZOOMED, PHONE, NARROW], ids=["desktop", "zoomed", "phone", "narrow"])
def test_who_chooses_spanish_reads_it_on_every_page_and_every_page_fits(
    patient: Patient, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size)
    sign_in(page, to="/preferences/")
    page.get_by_text("Español").click()
    page.get_by_role("button", name="Save preferences").click()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    for path, title in {
        "/": "Nuevo tratamiento",
        "/calendar/": "Calendario",
        "/patients/": "Pacientes",
        "/patients/new/": "Fecha de nacimiento",
        f"/patients/{patient.pk}/": "Correos",
        f"/patients/{patient.pk}/course/new/": "Reservar 6 visitas",
        "/worklist/": "Pendientes",
        "/preferences/": "Idioma",
        "/password/": "contraseña",
    }.items():
        page.goto(path)
        expect(page.locator("body")).to_contain_text(title)
        fits(page)

    assert complaints == []


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_no_page_needs_scripts_or_shows_what_only_works_with_them(
    patient: Patient, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size, java_script_enabled=False)
    sign_in(page)
    for path in (
        "/",
        "/calendar/",
        "/calendar/?view=day&by=prescriber",
        "/patients/",
        "/patients/new/",
        f"/patients/{patient.pk}/",
        f"/patients/{patient.pk}/edit/",
        f"/patients/{patient.pk}/course/new/",
        "/worklist/",
        "/preferences/",
        "/password/",
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".js:visible")).to_have_count(0)
        fits(page)

    assert complaints == []


@pytest.fixture
def new_site(live_server: LiveServer) -> None:
    """A clinic of which nothing is set up but two people."""
    site = SiteFactory.create()
    for role in (Role.DESK, Role.MANAGER):
        StaffFactory.create(username=role.value, role=role, sites=[site])


@pytest.fixture
def first_visitor(new_site: None) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser.executable(), args=list(browser.OPTIONS))
        yield started
        started.close()


@pytest.mark.parametrize("role", [Role.DESK, Role.MANAGER])
def test_the_first_day_of_a_clinic_says_what_comes_next_to_everybody(
    first_visitor: Browser, live_server: LiveServer, role: Role
) -> None:
    page, complaints = open_page(first_visitor, live_server, bypass_csp=True)
    sign_in(page, role.value)
    found = {}
    for path, says in {
        "/": "This site has no chairs yet.",
        "/calendar/": "This site has no chairs yet.",
        "/patients/": "No patient is registered yet.",
        "/worklist/": "Nothing needs review.",
    }.items():
        page.goto(path)
        expect(page.locator("main")).to_contain_text(says)
        for width, height in (NARROW, PHONE, DESKTOP):
            page.set_viewport_size({"width": width, "height": height})
            fits(page)
        if faulty := faults(page):
            found[path] = faulty

    assert found == {}, json.dumps(found, indent=1)
    assert complaints == []


def shown(written: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=written, content_type="text/html")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_what_went_wrong_is_told_to_everybody(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    """These pages stand where nothing can be asked of a clinic: they are shown as they are written."""
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)
    sign_in(page)
    found = {}
    for name in ("400", "403", "403_csrf", "404", "405", "500", "503"):
        written = render_to_string(f"{name}.html")
        page.route("**/wrong/", shown(written))
        page.goto("/wrong/")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        fits(page)
        if faulty := faults(page):
            found[name] = faulty

    assert found == {}, json.dumps(found, indent=1)


def test_what_opens_over_a_page_can_be_used_by_everybody(
    patient: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    """The list of keys, the menu of who is signed in, and the notice that the connection is lost."""
    page, _ = open_page(chromium, live_server, bypass_csp=True)
    sign_in(page)
    found = {}
    for path in (
        "/",
        "/calendar/",
        "/patients/",
        "/worklist/",
        f"/patients/{patient.pk}/",
        f"/patients/{patient.pk}/course/new/",
    ):
        page.goto(path)
        page.evaluate("document.activeElement.blur()")  # where the focus is in a field, keys are text
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys of this page")).to_be_visible()
        found[f"keys of {path}"] = faults(page)
        page.keyboard.press("Escape")
        page.locator("details.who summary").click()
        found[f"menu of {path}"] = faults(page)
    page.goto("/")
    page.route("**/version/*", lambda route: route.abort())
    expect(page.locator("#banner")).to_contain_text("Not live since", timeout=15_000)
    for width, height in (DESKTOP, NARROW, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        fits(page)
    found["not live"] = faults(page)

    assert {name: faulty for name, faulty in found.items() if faulty} == {}, json.dumps(found, indent=1)


#: What is pressed and is smaller than it should be; a link within a sentence is as high as its line.
TOO_SMALL = """least => [...document.querySelectorAll("a[href], button, summary, select, input:not([type=hidden])")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".hidden, .skip, #drawn"))
  .filter((one) => one.localName !== "a" || getComputedStyle(one).display !== "inline")
  .map((one) => [one, (one.closest("label") ?? one).getBoundingClientRect()])
  .filter(([, box]) => Math.min(box.width, box.height) < least - 2)  // the edge around several belongs to each of them
  .map(([one, box]) => [one.outerHTML.slice(0, 100), box.width, box.height])
"""


@pytest.mark.parametrize(
    ("size", "finger", "least"),
    [(DESKTOP, False, 28), (TABLET, True, 44), (PHONE, True, 44), (PHONE, False, 44)],
    ids=["desktop", "tablet", "phone", "small window"],
)
def test_whatever_is_pressed_is_large_enough(
    patient: Patient, chromium: Browser, live_server: LiveServer, size: tuple[int, int], finger: bool, least: int
) -> None:
    page, _ = open_page(chromium, live_server, size, has_touch=finger, is_mobile=finger)
    sign_in(page)
    found = {}
    for path in (
        "/",
        "/calendar/",
        "/patients/",
        "/patients/new/",
        f"/patients/{patient.pk}/",
        f"/patients/{patient.pk}/course/new/",
        "/worklist/",
        "/preferences/",
        "/password/",
    ):
        page.goto(path)
        fits(page)
        if small := page.evaluate(TOO_SMALL, least):
            found[path] = small

    assert found == {}, json.dumps(found, indent=1)
