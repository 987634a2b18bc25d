"""A session ends in the middle of the work: nothing that was typed is lost, in one window or in two."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.factories import PASSWORD
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in

KEPT = "You are signed in again. What you typed is kept."


def end_session(page: Page) -> None:
    """What the clock does after a quarter of an hour: the browser has no session any more."""
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)


def name_oneself(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill("desk")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def plan_a_course(page: Page) -> None:
    """A new course whose last visit is moved to half past nine, not booked yet."""
    page.goto("/patients/")
    page.get_by_role("link", name="Vance-Okonkwo, Eleanor Marguerite").first.click()
    page.get_by_role("link", name="New course").click()
    page.get_by_role("button", name="Edit visit 6").click()
    page.get_by_label("Start", exact=True).fill("09:30")
    page.get_by_role("button", name="Take this time").click()
    expect(page.locator("#row-5")).to_contain_text("09:30")


def booked(page: Page) -> None:
    expect(page).to_have_url(re.compile(r"/courses/\d+/$"))
    expect(page.get_by_text("6 visits are booked.")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("09:30")


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_course_that_is_being_planned_outlives_the_session(
    chromium: Browser, live_server: LiveServer, javascript: bool
) -> None:
    page, _ = open_page(chromium, live_server, DESKTOP, java_script_enabled=javascript)
    sign_in(page)
    plan_a_course(page)
    end_session(page)
    page.locator("[name=act][value=book]").click()

    expect(page.get_by_text("What you typed is kept.")).to_be_visible()
    expect(page.get_by_label("User name")).to_be_focused()
    name_oneself(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("Name and password do not match. 4 tries left")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    name_oneself(page)
    expect(page.get_by_role("heading", name=KEPT)).to_be_visible()
    page.get_by_role("button", name="Book 6 visits" if javascript else "Send what I typed").click()
    booked(page)


def test_a_field_that_is_typed_into_outlives_a_sign_in_in_another_window(
    chromium: Browser, live_server: LiveServer
) -> None:
    """Signed out there: this page says so, and keeps what it holds; signed in again there, it goes on as if nothing
    had been."""
    page, _ = open_page(chromium, live_server)
    sign_in(page)
    plan_a_course(page)
    other = page.context.new_page()
    other.goto("/")
    other.locator("details.who summary").click()
    other.get_by_role("button", name="Sign out").click()

    notice = page.get_by_role("status").filter(has_text="You are signed out.")
    expect(notice).to_be_visible()
    with page.context.expect_page() as opened:
        notice.get_by_role("link", name="Sign in again").click()
    again = opened.value
    name_oneself(again)
    expect(again.locator("tr[id^=row-]")).to_have_count(6)
    expect(notice).to_be_hidden()
    page.locator("[name=act][value=book]").click()
    booked(page)


def test_without_javascript_a_page_that_is_older_than_the_sign_in_is_sent_by_a_tap(
    chromium: Browser, live_server: LiveServer
) -> None:
    page, _ = open_page(chromium, live_server, java_script_enabled=False)
    sign_in(page)
    plan_a_course(page)
    other = page.context.new_page()
    other.goto("/")
    other.locator("details.who summary").click()
    other.get_by_role("button", name="Sign out").click()
    sign_in(other)
    page.locator("[name=act][value=book]").click()

    expect(page.get_by_role("heading", name=KEPT)).to_be_visible()
    page.get_by_role("button", name="Send what I typed").click()
    booked(page)


def test_who_sends_an_old_page_before_it_has_learnt_of_the_new_sign_in_does_it_by_a_tap(
    chromium: Browser, live_server: LiveServer
) -> None:
    page, _ = open_page(chromium, live_server)
    sign_in(page)
    plan_a_course(page)
    page.evaluate(
        "document.getElementsByName('csrfmiddlewaretoken').forEach(field => { field.value = 'x'.repeat(64) })"
    )
    page.locator("[name=act][value=book]").click()

    expect(page.get_by_role("heading", name=KEPT)).to_be_visible()
    page.get_by_role("button", name="Book 6 visits").click()
    booked(page)


def test_two_minutes_before_the_end_every_window_asks_and_one_answer_counts_for_all(
    chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    page.clock.install()
    sign_in(page)
    other = page.context.new_page()
    other.goto("/worklist/")
    windows = [page, other]
    asked = [window.get_by_role("dialog", name="Are you still there?") for window in windows]
    page.clock.fast_forward("11:30")
    for dialog in asked:
        expect(dialog).to_be_hidden()
    page.clock.fast_forward("01:00")
    for dialog in asked:
        expect(dialog).to_be_visible()
        expect(dialog.get_by_role("timer")).to_have_text(re.compile(r"^1:[0-5]\d$"))
    expect(asked[1].get_by_role("button", name="Stay signed in")).to_be_focused()
    with other.expect_response("**/session/") as renewal:
        other.get_by_role("button", name="Stay signed in").click()

    assert (renewal.value.status, "x-background" in renewal.value.request.headers) == (200, False)
    for dialog in asked:
        expect(dialog).to_be_hidden()
    assert complaints == []


def test_a_key_renews_the_session_and_signing_out_from_the_question_works(
    chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server)
    page.clock.install()
    sign_in(page)
    dialog = page.get_by_role("dialog", name="Are you still there?")
    page.clock.fast_forward("05:00")
    with page.expect_response("**/session/") as renewal:
        page.get_by_label("Find a patient").press("v")
    page.clock.fast_forward("08:00")
    expect(dialog).to_be_hidden()
    page.clock.fast_forward("05:00")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Sign out").click()

    assert renewal.value.status == 200
    expect(page).to_have_url(re.compile(r"/sign-in/$"))
    assert complaints == []


def test_when_nobody_answers_the_page_says_that_it_is_over(chromium: Browser, live_server: LiveServer) -> None:
    page, _ = open_page(chromium, live_server)
    page.clock.install()
    sign_in(page)
    page.get_by_label("Find a patient").fill("Vance")
    page.clock.fast_forward("12:30")
    expect(page.get_by_role("dialog", name="Are you still there?")).to_be_visible()
    end_session(page)
    page.clock.fast_forward("03:00")

    expect(page.get_by_role("dialog", name="Are you still there?")).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text="You are signed out.")).to_be_visible()
    expect(page.get_by_label("Find a patient")).to_have_value("Vance")


def test_the_eye_shows_the_password_and_hides_it_before_it_is_sent(chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    page.goto("/sign-in/")
    password = page.get_by_label("Password", exact=True)
    password.fill(PASSWORD)
    eye = page.get_by_role("button", name="Show the password")
    eye.click()
    shown = password.get_attribute("type")
    eye.click()

    assert (shown, password.get_attribute("type")) == ("text", "password")
    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_the_pages_around_the_session_fit_and_can_be_used_by_everybody(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    page.clock.install()
    found = {}

    def check(name: str) -> None:
        fits(page)
        found[name] = faults(page)

    page.goto("/patients/new/")
    name_oneself(page, "wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    check("wrong password")
    name_oneself(page)
    page.get_by_label("Family name").fill("Vance-Okonkwo")
    page.clock.fast_forward("12:30")
    expect(page.get_by_role("dialog", name="Are you still there?")).to_be_visible()
    check("warning")
    end_session(page)
    page.clock.fast_forward("03:00")
    expect(page.get_by_role("status").filter(has_text="You are signed out.")).to_be_visible()
    check("notice")
    page.locator("#main form button.primary").click()
    expect(page.get_by_text("What you typed is kept.")).to_be_visible()
    check("sign-in with what was typed")
    name_oneself(page)
    expect(page.get_by_role("heading", name=KEPT)).to_be_visible()
    check("resume")
    for path in ("/preferences/", "/password/"):
        page.goto(path)
        check(path)

    assert found == {name: {} for name in found}
