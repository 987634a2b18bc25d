"""The questions before a visit on a phone: ten taps, also without scripts, by keyboard, twice at once, and in need."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from patients.models import Patient
from scheduling.mails import links
from scheduling.models import Mail, MailKind, MailState
from tests.factories import Clinic, CourseFactory, SessionFactory
from tests.journeys.desk import NARROW, PHONE, faults, fits, open_page, sign_in

ANSWERS = ("Not at all", "Several days", "More than half the days", "Nearly every day")


@pytest.fixture
def link(clinic: Clinic, patient: Patient) -> str:
    """The questions of a visit on the next working day, behind the link of its mail. A prescriber is "doctor"."""
    Staff.objects.filter(pk=clinic.prescriber.pk).update(username="doctor")
    now = timezone.now()
    day = timezone.localdate(now, clinic.site.zone) + timedelta(days=1)
    while day.weekday() > 4:
        day += timedelta(days=1)
    course = CourseFactory.create(patient=patient, site=clinic.site, created_at=now)
    session = SessionFactory.create(
        course=course,
        chair=clinic.chairs[0],
        prescriber=clinic.prescriber,
        starts_at=datetime.combine(day, time(9), clinic.site.zone),
    )
    seed = uuid4()
    Mail.objects.create(
        patient=patient,
        course=course,
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
    return f"/dates/{links.token(seed)}/form/"


@pytest.fixture
def browser(link: str, chromium: Browser) -> Browser:
    """The browser, once the link is there."""
    return chromium


def answer(page: Page, number: int, value: int, of: int = 9) -> None:
    """One tap, on the page of the question with this number."""
    expect(page.get_by_text(f"{number} of {of}", exact=True)).to_be_visible()
    page.get_by_role("button", name=ANSWERS[value]).click()


@pytest.mark.parametrize(("size", "scripts"), [(PHONE, True), (NARROW, False)], ids=["phone", "narrow, no scripts"])
def test_nine_taps_and_send(
    size: tuple[int, int], scripts: bool, patient: Patient, browser: Browser, link: str, live_server: LiveServer
) -> None:
    page, complaints = open_page(browser, live_server, size, bypass_csp=True, java_script_enabled=scripts)

    def look() -> None:
        if scripts:
            fits(page)
            assert faults(page) == {}

    page.goto(link)
    look()
    for number in range(1, 10):
        answer(page, number, number % 3 if number < 9 else 0)
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
    look()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you. We have your answers.")).to_be_visible()
    look()
    page.get_by_role("link", name="Answer 7 more").click()
    for number in range(1, 8):
        answer(page, number, 1, of=7)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you. We have your answers.")).to_be_visible()
    staff, _complaints = open_page(browser, live_server)
    sign_in(staff, "doctor", f"/patients/{patient.pk}/")
    staff.get_by_role("link", name="IV ketamine").click()
    expect(staff.get_by_text(re.compile("^Now 9"))).to_be_visible()
    expect(staff.get_by_text("the patient has sent the questionnaire.").first).to_be_visible()

    assert complaints == []


def test_who_goes_back_leaves_and_comes_again_finds_every_answer(
    browser: Browser, link: str, live_server: LiveServer
) -> None:
    page, complaints = open_page(browser, live_server, NARROW, bypass_csp=True)
    page.goto(link)
    for number in range(1, 4):
        answer(page, number, 2)
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("button", name=ANSWERS[2], pressed=True)).to_be_visible()
    assert faults(page) == {}
    page.get_by_role("button", name=ANSWERS[0]).click()
    expect(page.get_by_text("4 of 9", exact=True)).to_be_visible()
    other, _complaints = open_page(browser, live_server, NARROW)
    other.goto(link)
    expect(other.get_by_text("4 of 9", exact=True)).to_be_visible()
    kept = []
    for number in range(1, 5):
        other.goto(f"{link}{number}/")
        expect(other.get_by_text(f"{number} of 9", exact=True)).to_be_visible()
        kept.append(other.locator("button[aria-pressed=true]").all_inner_texts())

    assert kept == [[ANSWERS[2]], [ANSWERS[2]], [ANSWERS[0]], []]
    assert complaints == []


def test_the_keyboard_alone_is_enough(browser: Browser, link: str, live_server: LiveServer) -> None:
    page, complaints = open_page(browser, live_server)
    page.goto(link)
    for number in range(1, 10):
        expect(page.get_by_text(f"{number} of 9", exact=True)).to_be_visible()
        page.keyboard.press("Tab")  # from the question to its first answer
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ready to send?")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you. We have your answers.")).to_be_visible()

    assert complaints == []


def test_the_second_tap_of_a_double_tap_answers_nothing(browser: Browser, link: str, live_server: LiveServer) -> None:
    page, complaints = open_page(browser, live_server, PHONE)
    slow = page.context.new_cdp_session(page)  # the time in which a tap is the second of two lasts long here
    slow.send("Animation.enable")
    slow.send("Animation.setPlaybackRate", {"playbackRate": 1})
    page.goto(link)
    button = page.get_by_role("button", name=ANSWERS[3])
    button.click(trial=True)
    box = button.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    slow.send("Animation.setPlaybackRate", {"playbackRate": 0.001})
    page.mouse.click(*middle)
    expect(page.get_by_text("2 of 9", exact=True)).to_be_visible()
    page.mouse.click(*middle)
    page.goto(link)
    expect(page.get_by_text("2 of 9", exact=True)).to_be_visible()

    assert complaints == []


@pytest.mark.parametrize("size", [PHONE, NARROW])
def test_in_need_help_is_one_tap_away_at_once(
    size: tuple[int, int], browser: Browser, link: str, live_server: LiveServer
) -> None:
    page, complaints = open_page(browser, live_server, size, bypass_csp=True)
    page.goto(link)
    for number in range(1, 9):
        answer(page, number, 1)
    answer(page, 9, 2)
    risk = page.get_by_role("alert")
    expect(risk).to_be_focused()
    expect(risk.get_by_role("link", name="Call 988")).to_be_in_viewport()
    fits(page)
    assert faults(page) == {}
    staff, _complaints = open_page(browser, live_server, bypass_csp=True)
    sign_in(staff, "doctor", "/worklist/")
    line = staff.get_by_text("Item 9 is 2 (more than half the days), the PHQ-9 is not sent yet: call the patient now.")
    expect(line.first).to_be_visible()
    expect(staff.get_by_text("Answers so far")).to_be_visible()
    assert faults(staff) == {}
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you. We have your answers.")).to_be_visible()
    expect(page.get_by_role("link", name="Call 988")).to_be_in_viewport()
    assert faults(page) == {}
    staff.reload()
    told = staff.get_by_text("Item 9 is 2 (more than half the days), PHQ-9 10: call the patient now.")
    expect(told).to_be_visible()
    expect(staff.locator("#worklist [id^=line-]")).to_have_count(1)

    assert complaints == []
