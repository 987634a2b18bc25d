"""The patient's page on a phone: from the mail two taps to a yes, and what is answered there at the desk in seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from patients.models import Patient
from scheduling.mails import links
from scheduling.models import Mail, MailKind, MailState, Session
from tests import browser
from tests.factories import Clinic, CourseFactory, SessionFactory
from tests.journeys.desk import NARROW, PHONE, faults, fits, open_page, sign_in
from tests.journeys.test_mail_journey import Desk, in_sink, open_clinic, wait
from tests.mail_server import free_port

#: What somebody does at the page is at the desk so soon.
SOON = 5_000


@pytest.fixture
def sessions(clinic: Clinic, patient: Patient) -> list[Session]:
    """Three visits at nine, the first on the next working day but one."""
    course = CourseFactory.create(patient=patient, site=clinic.site, created_at=timezone.now())
    today = timezone.localdate(timezone.now(), clinic.site.zone)
    days = [day for day in (today + timedelta(days=ahead) for ahead in range(2, 20)) if day.weekday() < 5][::3][:3]
    return [
        SessionFactory.create(
            course=course,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=datetime.combine(day, clock(9), clinic.site.zone),
        )
        for day in days
    ]


@pytest.fixture
def link(sessions: list[Session]) -> str:
    """The page behind the mail of the first visit."""
    now, seed, session = timezone.now(), uuid4(), sessions[0]
    Mail.objects.create(
        patient=session.patient,
        course=session.course,
        session=session,
        kind=MailKind.TWO_DAYS,
        times_version=session.times_version,
        state=MailState.SENT,
        due_at=now,
        try_at=now,
        created_at=now,
        sent_at=now,
        settled_at=now,
        seed=seed,
        link_hash=links.digest(links.token(seed)),
    )
    return f"/dates/{links.token(seed)}/"


@pytest.fixture
def phone(link: str, chromium: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A phone without scripts, on which the link was tapped; it may complain of nothing."""
    page, complaints = open_page(chromium, live_server, PHONE, java_script_enabled=False)
    page.goto(link)
    yield page
    assert [one for one in complaints if "422" not in one] == []  # that is how a field's mistake is answered


@pytest.fixture
def desk(link: str, chromium: Browser, live_server: LiveServer) -> Page:
    """The front desk's screen."""
    page, _complaints = open_page(chromium, live_server)
    sign_in(page)
    return page


def test_a_yes_is_one_tap_and_on_the_open_board_in_seconds(phone: Page, desk: Page, sessions: list[Session]) -> None:
    desk.goto(f"/board/{sessions[0].local_date}/")
    expect(desk.get_by_text("Arrival, booked")).to_be_visible()
    phone.get_by_role("button", name="I’ll come", exact=True).click()
    tapped = time.monotonic()

    expect(phone.get_by_text("You’ll come. Thank you!")).to_be_visible()
    expect(desk.get_by_text("Arrival, confirmed")).to_be_visible(timeout=SOON)
    assert time.monotonic() - tapped < SOON / 1000

    phone.get_by_role("button", name="Take it back").click()
    expect(phone.get_by_role("button", name="I’ll come", exact=True)).to_be_visible()
    expect(desk.get_by_text("Arrival, booked")).to_be_visible(timeout=SOON)


def test_a_wish_for_a_call_is_on_the_open_worklist_in_seconds(phone: Page, desk: Page) -> None:
    desk.goto("/worklist/")
    phone.get_by_text("Call me", exact=True).click()
    phone.get_by_label("Best time").select_option(label="In the morning")
    phone.get_by_role("button", name="Please call me").click()

    expect(phone.get_by_text("We will call you")).to_be_visible()
    expect(desk.get_by_text("The patient asks to be called, best in the morning.").first).to_be_visible(timeout=SOON)


def test_who_takes_the_patient_home_is_asked_until_it_is_said(phone: Page, desk: Page, sessions: list[Session]) -> None:
    desk.goto(f"/board/{sessions[0].local_date}/")
    form = phone.get_by_role("form", name="Who takes you home?")
    form.get_by_label("Name").fill("Marta Lund")
    form.get_by_label("Phone").fill("soon")
    form.get_by_role("button", name="Save").click()
    expect(phone.get_by_text("This is no phone number.")).to_be_visible()

    form.get_by_label("Phone").fill("555 0199 883")
    form.get_by_role("button", name="Save").click()
    expect(phone.get_by_text("Marta Lund, 555 0199 883")).to_be_visible()
    expect(desk.get_by_text("Taken home by Marta Lund.")).to_be_visible(timeout=SOON)


def test_one_tap_says_yes_to_all_dates(phone: Page) -> None:
    phone.get_by_role("button", name="I’ll come to all 3 dates").click()

    expect(phone.get_by_text("You come to all 3 dates.")).to_be_visible()
    expect(phone.get_by_text("you’ll come", exact=True)).to_have_count(3)


def test_the_language_changes_by_a_tap_and_stays(phone: Page, link: str) -> None:
    phone.get_by_role("link", name="Español").click()
    expect(phone.locator("html")).to_have_attribute("lang", "es")
    phone.goto(link)
    expect(phone.locator("html")).to_have_attribute("lang", "es")


def test_somebody_else_s_mailbox_shows_nothing_any_more(phone: Page, link: str) -> None:
    phone.get_by_role("link", name="Tell us").click()
    phone.get_by_role("button", name="This mail is not for me").click()

    expect(phone.get_by_role("heading", name="Thank you for telling us.")).to_be_visible()
    expect(phone.get_by_text("Eleanor")).to_have_count(0)


@pytest.mark.parametrize("size", [PHONE, NARROW], ids=["390", "360"])
def test_everybody_can_use_the_page_in_every_state(
    link: str, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _complaints = open_page(chromium, live_server, size, bypass_csp=True)

    def good() -> None:
        fits(page)
        assert faults(page) == {}
        small = page.evaluate(
            """() => [...document.querySelectorAll("main a, main button, main summary, main input:not([type=hidden])")]
                .filter(one => one.offsetParent && !one.closest("label") && one.getBoundingClientRect().height < 44)
                .map(one => one.outerHTML)"""
        )
        assert small == []

    page.goto(link)
    good()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    good()
    page.get_by_role("button", name="I’ll come", exact=True).click()
    page.get_by_role("form", name="Who takes you home?").get_by_label("Phone").fill("soon")
    page.get_by_role("form", name="Who takes you home?").get_by_role("button", name="Save").click()
    good()
    for path in (f"{link}not-mine/", f"{link}come/", "/dates/0/"):
        page.goto(path)
        good()


def address(var: Path, mailbox: str, number: int = 0) -> str:
    """The page to which the mail's one button leads."""
    (found,) = set(re.findall(r"http://\S+/dates/[0-9a-f]+/(?!\w)", body(var, mailbox, number)))
    return str(found)


def body(var: Path, mailbox: str, number: int) -> str:
    messages = sorted(in_sink(var, mailbox), key=lambda message: str(message["Date"]))
    part = messages[number].get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def move_a_little(desk: Desk, session: Any) -> None:
    """Give a visit the nearest other time that is free."""
    start = datetime.fromisoformat(session["starts_at"])
    for minutes in (10, -10, 20, -20, 30, -30, 60, -60):
        starts_at = (start + timedelta(minutes=minutes)).isoformat()
        with suppress(HTTPError):
            desk.ask(f"sessions/{session['id']}/move/", {"starts_at": starts_at, "request_id": str(uuid4())})
            return
    raise AssertionError("no time is free")


def test_from_the_mail_two_taps_say_yes_and_a_move_makes_the_link_void(var: Path) -> None:
    mailbox = "ingrid@example.org"
    with open_clinic(var, free_port()) as clinic, sync_playwright() as playwright:
        desk = Desk(clinic)
        course = desk.book(mailbox)
        wait(lambda: bool(in_sink(var, mailbox)))
        chromium = playwright.chromium.launch(executable_path=browser.executable(), args=list(browser.OPTIONS))
        page = chromium.new_page(viewport={"width": PHONE[0], "height": PHONE[1]})

        page.goto(address(var, mailbox))  # the first tap, in the mail
        page.get_by_role("button", name="I’ll come", exact=True).click()
        expect(page.get_by_text("You’ll come. Thank you!")).to_be_visible()
        first = desk.ask(f"courses/{course['id']}/")["sessions"][0]
        assert first["state"] == "confirmed"

        old = page.url
        move_a_little(desk, course["sessions"][1])
        page.goto(old)
        expect(page.get_by_role("heading", name="This link is no longer valid.")).to_be_visible()
        wait(lambda: len(in_sink(var, mailbox)) > 1)
        page.goto(address(var, mailbox, 1))
        expect(page.get_by_text("You’ll come. Thank you!")).to_be_visible()
        chromium.close()
