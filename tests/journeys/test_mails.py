"""The deliveries in a browser: narrowed down, followed to the story of one visit, at a desk and on a phone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from patients.models import Patient
from scheduling import booking
from scheduling.models import Attempt, Course, Mail, MailState
from scheduling.protocols.types import Place
from tests.factories import Clinic, PatientFactory, local, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in

LONG = "Wolfensteinhausen-Bergerdorff-Hohenlohe"
SILENT = "The mail server cannot be reached (ConnectionRefusedError)."


def next_monday() -> date:
    today = timezone.localdate()
    return today + timedelta(days=7 - today.weekday())


@pytest.fixture
def course(clinic: Clinic) -> Course:
    """Booked an hour ago; the mail server has not answered since, one mail was refused before."""
    patient = PatientFactory.create(last_name=LONG, first_name="Maximiliana Theodora Josephine")
    days = [next_monday() + timedelta(days=number) for number in (0, 3, 7, 10, 14, 17)]
    places = [Place(local(day), clinic.chairs[0].pk, clinic.prescriber.pk) for day in days]
    now = timezone.now()
    made = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=now - timedelta(hours=1)
    ).course
    booked = Mail.objects.get(course=made, kind="booked")
    for minutes in (50, 30, 10):
        Attempt.objects.create(mail=booked, at=now - timedelta(minutes=minutes), state=MailState.DUE, answer=SILENT)
    Mail.objects.filter(pk=booked.pk).update(attempts=3, error=SILENT, try_at=now)
    refused = Mail.objects.filter(course=made, kind="two-days").latest("due_at")
    refused.state, refused.attempts, refused.error = MailState.FAILED, 1, "550 5.1.1 " + "Mailbox-does-not-exist" * 6
    refused.due_at = refused.settled_at = now - timedelta(hours=3)
    refused.save(update_fields=["state", "attempts", "error", "due_at", "settled_at"])
    return made


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW])
def test_a_late_mail_is_followed_to_its_story(
    size: tuple[int, int], course: Course, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, size, bypass_csp=True)
    sign_in(page, to="/mails/")
    expect(page.get_by_role("status").get_by_text("Nothing could be sent since")).to_be_visible()
    expect(page.locator(".deliveries tbody tr")).to_have_count(2)
    fits(page)
    assert faults(page) == {}
    page.get_by_role("navigation", name="Which mails").get_by_role("link", name="Late now").click()
    page.locator(".deliveries tbody tr").get_by_role("link", name="Course booked").click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    expect(page.get_by_text("could not go out in 3 tries")).to_be_visible()
    fits(page)
    assert faults(page) == {}
    page.goto("/mails/?state=failed")
    page.locator(".deliveries tbody tr").get_by_role("link", name="Reminder two days before").click()
    expect(page.get_by_role("region", name="Reminders of this visit").get_by_role("listitem")).to_have_count(4)
    fits(page)
    assert faults(page) == {}
    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_patient_is_found_by_name_and_nothing_is_said_calmly(
    size: tuple[int, int], course: Course, patient: Patient, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, size, bypass_csp=True)
    sign_in(page, to="/mails/")
    finding = page.get_by_role("search", name="Mails of one patient")
    finding.get_by_label("Patient").fill("vance")
    finding.get_by_role("button", name="Find").click()
    expect(page).to_have_url(f"{live_server.url}/mails/?patient={patient.pk}")
    expect(page.get_by_text("No such mail.")).to_be_visible()
    fits(page)
    assert faults(page) == {}
    page.get_by_role("link", name="All patients").click()
    page.get_by_label("Kind").select_option("booked")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".deliveries tbody tr")).to_have_count(1)
    assert complaints == []
