"""A PHQ-9 by keyboard, and what its ninth item asks for; at a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from patients.models import Patient
from tests.factories import Clinic
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in


@pytest.fixture
def nurse(clinic: Clinic) -> Staff:
    Staff.objects.filter(pk=clinic.nurse.pk).update(username="nurse")
    Staff.objects.filter(pk=clinic.clinician.pk).update(username="clinician")
    return clinic.nurse


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW])
def test_nine_digits_and_a_key_write_a_phq_9_down(
    size: tuple[int, int], nurse: Staff, patient: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, size, bypass_csp=True)
    sign_in(page, "nurse", f"/patients/{patient.pk}/scores/new/")
    fits(page)
    assert faults(page) == {}
    for digit in "333323112":
        page.keyboard.press(digit)
    expect(page.locator("[data-sum]")).to_have_text("21 severe")
    page.keyboard.press("Control+Enter")

    expect(page.get_by_role("alert")).to_contain_text("Item 9: 2 (“More than half the days”)")
    fits(page)
    assert faults(page) == {}
    assert complaints == []


def test_what_is_missing_is_shown_and_a_clinician_acknowledges(
    nurse: Staff, patient: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, bypass_csp=True)
    sign_in(page, "clinician", f"/patients/{patient.pk}/scores/new/")
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved yet.")
    fits(page)
    assert faults(page) == {}
    page.locator("#id_item_2_0").focus()
    for digit in "00000001":
        page.keyboard.press(digit)
    page.keyboard.press("Control+Enter")
    page.get_by_label("What was done").fill("Called, safe.")
    page.get_by_role("button", name="Acknowledge item 9").click()

    expect(page.get_by_text("Acknowledged. A dose and a discharge are possible again.")).to_be_visible()
    assert [complaint for complaint in complaints if "422" not in complaint] == []
