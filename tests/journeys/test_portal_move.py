"""A patient who cannot come: two taps to another time, a wish, an offer of the desk; and the desk that opens times."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import SelfServiceHours
from patients.models import Patient
from scheduling.mails import links
from scheduling.models import Mail, MailKind, MailState, Session
from tests.factories import Clinic, CourseFactory, SessionFactory
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in


@pytest.fixture
def day(clinic: Clinic) -> date:
    """A Wednesday at least a week ahead."""
    ahead = timezone.localdate(timezone=clinic.site.zone) + timedelta(days=7)
    return ahead + timedelta(days=(2 - ahead.weekday()) % 7)


@pytest.fixture
def session(clinic: Clinic, patient: Patient, day: date) -> Session:
    """The only visit of a course, on that day at nine."""
    course = CourseFactory.create(patient=patient, site=clinic.site, created_at=timezone.now())
    start = datetime.combine(day, time(9), clinic.site.zone)
    return SessionFactory.create(course=course, chair=clinic.chairs[0], prescriber=clinic.prescriber, starts_at=start)


@pytest.fixture
def link(clinic: Clinic, session: Session) -> str:
    """The patient's page behind the link of the reminder. Patients may move to any start on Thursdays and Fridays."""
    SelfServiceHours.objects.bulk_create(
        SelfServiceHours(site=clinic.site, weekday=weekday, opens=time(8), closes=time(18)) for weekday in (3, 4)
    )
    seed, now = uuid4(), timezone.now()
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
def browser(link: str, chromium: Browser) -> Browser:
    """The browser, once the link is there."""
    return chromium


def said(day: date) -> str:
    """As the page says it: "Thursday 4 February"."""
    return f"{day:%A} {day.day} {day:%B}"


@pytest.mark.parametrize(("size", "scripts"), [(PHONE, True), (NARROW, False)], ids=["phone", "narrow, no scripts"])
def test_two_taps_and_it_is_moved(
    browser: Browser, live_server: LiveServer, link: str, day: date, size: tuple[int, int], scripts: bool
) -> None:
    thursday = day + timedelta(days=1)
    page, complaints = open_page(browser, live_server, size, java_script_enabled=scripts, locale="en-US")
    page.goto(link)

    page.get_by_role("link", name="I need to move it").click()
    expect(page.get_by_role("heading", name="Choose another time")).to_be_visible()
    page.get_by_role("link", name=f"{said(thursday)}, 09:00").click()
    expect(page.get_by_role("heading", name="Move your date?")).to_be_visible()
    page.get_by_role("button", name="Yes, move my date").click()

    expect(page.get_by_role("status")).to_contain_text("Done: your date is moved, and we expect you.")
    expect(page.get_by_text(said(thursday))).to_be_visible()
    page.get_by_role("link", name="See all my dates").click()
    expect(page.get_by_text("09:00 – about 12:10")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("size", [PHONE, NARROW, DESKTOP], ids=["phone", "narrow", "desktop"])
def test_every_page_of_it_fits_and_can_be_used_by_everybody(
    browser: Browser, live_server: LiveServer, link: str, size: tuple[int, int]
) -> None:
    page, _complaints = open_page(browser, live_server, size, bypass_csp=True, locale="es-ES")
    page.goto(f"{link}move/?language=es")
    fits(page)
    page.locator("details.wish summary").click()
    fits(page)
    assert faults(page) == {}

    page.locator(".starts a").nth(1).click()
    fits(page)
    assert faults(page) == {}

    page.locator("button.primary").click()
    fits(page)
    assert faults(page) == {}


def test_a_wish_reaches_the_desk_which_offers_times_of_which_the_patient_takes_one(
    browser: Browser, live_server: LiveServer, link: str, day: date
) -> None:
    phone, _ = open_page(browser, live_server, PHONE, locale="en-US")
    phone.goto(f"{link}move/")
    phone.get_by_text("None of these: ask us").click()
    phone.get_by_label("Monday").check()
    phone.get_by_label("Mornings").check()
    phone.get_by_label("Anything else? (optional)").fill("My sister drives me")
    phone.get_by_role("button", name="Send my request").click()
    expect(phone.locator("#asked")).to_contain_text("We have your request and will call or write.")

    page, complaints = open_page(browser, live_server, DESKTOP, bypass_csp=True)
    sign_in(page, to="/worklist/")
    expect(page.locator("#chosen")).to_contain_text(
        "The patient asks for another time: Monday, mornings. “My sister drives me”"
    )
    assert faults(page) == {}
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name="Offer other times")).to_be_visible()
    fits(page)
    assert faults(page) == {}
    monday = day - timedelta(days=2)
    starts = page.locator("li", has_text=f"{monday:%a} {monday.day} {monday:%b}").get_by_role("checkbox")
    starts.nth(0).check()
    starts.nth(1).check()
    page.get_by_role("button", name="Offer by mail").click()
    expect(page.get_by_text("2 other times are offered by mail")).to_be_visible()
    assert complaints == []

    phone.reload()
    phone.get_by_role("link", name=f"{said(monday)}, 08:00").click()
    phone.get_by_role("button", name="Yes, move my date").click()
    expect(phone.get_by_text(said(monday))).to_be_visible()

    # The course says who has moved it.
    page.goto(page.url)
    page.get_by_role("link", name="Worklist").click()
    expect(page.get_by_text("Patient asks for another time")).to_have_count(0)


def test_the_desk_opens_times_with_one_press_and_reads_what_that_means(
    browser: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(browser, live_server, DESKTOP, bypass_csp=True)
    sign_in(page, to="/calendar/")
    page.get_by_role("link", name="Times for patients").click()

    page.get_by_role("button", name="Open Monday").click()
    expect(page.locator(".said")).to_contain_text("Monday from 08:00 to 14:40")
    page.get_by_role("button", name="24 hours").click()
    expect(page.get_by_text("until 24 hours before it")).to_be_visible()
    page.get_by_role("button", name="Close Monday, 08:00 to 14:40").click()
    expect(page.locator(".said")).not_to_contain_text("Monday")
    assert complaints == []
    for size in (DESKTOP, PHONE, NARROW):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        fits(page)
        assert faults(page) == {}
