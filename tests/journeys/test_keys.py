"""Single keys press what is on the page, outside of text fields only, are listed by "?", and can be switched off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from tests.factories import Clinic
from tests.journeys.desk import open_page, sign_in


def test_keys_act_outside_of_text_and_are_listed(chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server)
    sign_in(page)
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"/board/\d{4}-\d\d-\d\d/$"))
    page.keyboard.press("/")
    search = page.get_by_label("Find a patient")
    expect(search).to_be_focused()
    page.keyboard.type("n?t/")
    expect(search).to_have_value("n?t/")
    search.blur()

    for _ in range(2):  # the list opens as often as it is asked for
        page.keyboard.press("?")
        keys = page.get_by_role("dialog", name="Keys of this page")
        expect(keys).to_be_visible()
        expect(keys.locator("dt")).to_contain_text(["/"])
        keys.get_by_role("button", name="Close").click()
        expect(keys).to_be_hidden()
    assert complaints == []


@pytest.fixture
def no_single_keys(clinic: Clinic) -> None:
    Staff.objects.filter(pk=clinic.desk.pk).update(single_keys=False)


@pytest.mark.usefixtures("no_single_keys")
def test_keys_can_be_switched_off(live_server: LiveServer, chromium: Browser) -> None:
    page, _ = open_page(chromium, live_server)
    sign_in(page)
    for key in ("ArrowRight", "/", "?"):
        page.keyboard.press(key)

    expect(page).to_have_url(re.compile(r":\d+/$"))
    expect(page.get_by_label("Find a patient")).not_to_be_focused()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("kbd:visible")).to_have_count(0)
