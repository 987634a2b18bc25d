"""An evaluation is booked with two taps, read out, and stands on the board; at a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from patients.models import Patient
from scheduling.models import Room
from tests.factories import Clinic
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in


@pytest.fixture
def desk(clinic: Clinic) -> Staff:
    Room.objects.create(site=clinic.site, name="Room 1")
    Staff.objects.filter(pk=clinic.desk.pk).update(username="front")
    return clinic.desk


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW])
def test_two_taps_book_an_evaluation(
    size: tuple[int, int], desk: Staff, patient: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, size, bypass_csp=True)
    sign_in(page, "front", f"/patients/{patient.pk}/")
    page.get_by_role("link", name="Book an evaluation").click()
    fits(page)
    assert faults(page) == {}
    later = page.locator(".times-day").nth(1)  # today's times may be over
    later.locator("summary").click()
    later.locator("label").first.click()
    page.get_by_role("button", name="Book the evaluation").click()

    expect(page.get_by_text("Tell the patient:")).to_be_visible()
    fits(page)
    assert faults(page) == {}
    day = page.locator(".told time").get_attribute("datetime") or ""
    page.get_by_role("link", name="Back to the patient").click()
    expect(page.get_by_role("region", name="Evaluations").get_by_role("listitem")).to_have_count(1)
    fits(page)
    assert faults(page) == {}
    page.goto(f"{live_server.url}/board/{day[:10]}/")
    expect(page.get_by_text("Evaluations:")).to_be_attached()
    assert faults(page) == {}
    assert complaints == []
