"""A screening in the browser: the rules speak while it is filled in, and it works without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from clinic.models import Staff
from patients.models import Patient
from tests.factories import Clinic, PatientFactory
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    Staff.objects.filter(pk=clinic.prescriber.pk).update(username="doctor")
    return PatientFactory.create(last_name="Vance-Okonkwo", first_name="Eleanor Marguerite", screened=False)


def fill(page: Page) -> None:
    """Everything that a screening asks, as somebody in whom nothing speaks against ketamine."""
    for number, drug in enumerate(("sertraline", "duloxetine")):
        page.locator(f"#id_trials-{number}-drug").select_option(drug)
        page.locator(f"#id_trials-{number}-weeks").fill("8")
        page.locator(f"#id_trials-{number}-adequate").select_option("yes")
        page.locator(f"#id_trials-{number}-outcome").select_option("failed")
    page.locator("#id_therapies-0-kind").select_option("group")
    for question in page.locator(".question:not(.kind)").all():
        question.get_by_text("No", exact=True).click()
    for role in ("doctor", "therapist", "psychologist"):
        page.locator(f"#id_{role}_name").fill("Dana Ruiz")
        page.locator(f"#id_{role}_on").fill("2026-01-05")
        page.locator(f"#id_{role}_note").fill("A good candidate.")
    for paper in ("treatment_consent", "off_label_consent"):
        page.locator(f"#id_{paper}").fill("2026-01-05")


def test_a_screening_is_filled_in_and_the_rules_fall_silent(
    patient: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, bypass_csp=True)
    sign_in(page, "doctor")
    page.goto(f"/patients/{patient.pk}/course/new/")
    page.get_by_role("link", name="Not screened").click()
    found = page.locator("#findings")
    expect(found).to_contain_text("History question unanswered")
    assert faults(page) == {}

    page.locator("#at-stroke").get_by_text("Yes", exact=True).click()
    expect(found).to_contain_text("There was a stroke.")
    page.locator("#at-stroke_kind").get_by_text("Bleed", exact=True).click()
    expect(found).to_contain_text("The stroke was a bleeding in the brain: ketamine cannot be given.")
    fill(page)
    expect(found).to_contain_text("Treatment-resistant")
    expect(found.locator(".said-so-far > li")).to_have_count(1)
    page.get_by_text("Accepted", exact=True).click()
    expect(found).to_contain_text("Nothing speaks against the treatment")
    page.get_by_role("button", name="Another antidepressant").click()
    expect(page.locator(".trial")).to_have_count(4)
    expect(page.locator("#id_trials-1-drug")).to_have_value("duloxetine")
    page.keyboard.press("Control+Enter")

    expect(page).to_have_url(re.compile(rf"/patients/{patient.pk}/course/new/$"))
    expect(page.get_by_role("link", name="Screening accepted")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW])
def test_the_page_fits_and_can_be_used_by_everybody(
    patient: Patient, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size, bypass_csp=True)
    sign_in(page, "doctor")
    page.goto(f"/patients/{patient.pk}/screening/")

    fits(page)
    assert faults(page) == {}
    assert complaints == []


def test_without_scripts_everything_is_there(patient: Patient, chromium: Browser, live_server: LiveServer) -> None:
    page = chromium.new_page(base_url=live_server.url, java_script_enabled=False)
    sign_in(page, "doctor")
    page.goto(f"/patients/{patient.pk}/screening/")
    fill(page)
    page.get_by_role("button", name="Judge again").click()
    expect(page.locator("#findings")).to_contain_text("Treatment-resistant")
    page.get_by_text("Accepted", exact=True).click()
    page.get_by_role("button", name="Save screening").last.click()

    expect(page.get_by_role("link", name="Screening accepted")).to_be_visible()
