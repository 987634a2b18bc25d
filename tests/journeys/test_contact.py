"""Reaching patients: what the desk is told, and the page on which a patient stops mails."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from patients import contact
from patients.models import AddressFault, Channel, ConsentSource, ContactLevel, Patient
from scheduling import booking
from scheduling.mails import links
from scheduling.models import Mail, MailKind
from scheduling.protocols.types import Place
from tests.factories import Clinic, PatientFactory, local, protocol
from tests.journeys.desk import DESKTOP, NARROW, PHONE, faults, fits, open_page, sign_in

LONG = "a.very.long.mail.address.of.somebody@department.of.university.example"


@pytest.fixture
def known(clinic: Clinic) -> Patient:
    """Somebody who has verified a long address, agreed to detailed mails and lost the mailbox since."""
    now = timezone.now()
    patient = PatientFactory.create(
        last_name="Konstantinopolsky-Wolfensteinhausen", first_name="Maximiliana", email=LONG, mail_level="neutral"
    )
    contact.verify(patient=patient, address=LONG, now=now - timedelta(days=9))
    for level, actor in ((ContactLevel.NEUTRAL, clinic.desk), (ContactLevel.DETAILED, None)):
        contact.agree(
            actor=actor,
            patient=patient,
            channel=Channel.EMAIL,
            level=level,
            source=ConsentSource.DESK if actor else ConsentSource.PAGE,
            now=now - timedelta(days=8),
        )
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=now - timedelta(days=1))
    return patient


@pytest.fixture
def link(clinic: Clinic, patient: Patient) -> str:
    """The page on which the patient stops mails, behind the link of the mail with all dates."""
    today = timezone.localdate()
    start = today + timedelta(days=7 - today.weekday())
    places = [
        Place(local(start + timedelta(days=number)), clinic.chairs[0].pk, clinic.prescriber.pk)
        for number in (0, 3, 7, 10, 14, 17)
    ]
    booking.book_course(actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=timezone.now())
    return f"/dates/{links.token(Mail.objects.get(patient=patient, kind=MailKind.BOOKED).seed)}/stop/"


def looked_at(page: Page) -> None:
    """Nothing scrolls sideways, and axe finds nothing, light and dark."""
    fits(page)
    assert faults(page) == {}


def test_the_desk_reads_out_what_is_mailed_and_writes_the_answer_down(
    chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, bypass_csp=True)
    sign_in(page, to="/patients/new/")
    page.get_by_label("Family name").fill("Whitlock")
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("Birth date").fill("1980-05-17")
    page.get_by_label("Mail address").fill("ada@example.org")
    expect(page.get_by_role("radio", name="Neutral mails")).not_to_be_checked()
    page.get_by_role("radio", name="Neutral mails").check()
    expect(page.locator("q[lang=en]").first).to_be_visible()
    expect(page.locator("q[lang=es]").first).to_be_hidden()
    page.get_by_label("Language of mails").select_option("es")
    expect(page.locator("q[lang=en]").first).to_be_hidden()
    looked_at(page)
    page.keyboard.press("Control+Enter")
    panel = page.get_by_role("region", name="Contact")
    expect(panel).to_contain_text("not yet verified")
    panel.get_by_text("Change what is mailed").click()
    panel.get_by_role("button", name="No mails").click()
    expect(panel).to_contain_text("stopped")
    panel.get_by_text("What was said before").click()
    expect(panel.get_by_role("listitem")).to_have_count(2)

    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, NARROW], ids=["desktop", "narrow"])
def test_what_is_known_of_an_address_fits_every_screen(
    known: Patient, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size, bypass_csp=True)
    sign_in(page, to=f"/patients/{known.pk}/")
    panel = page.get_by_role("region", name="Contact")
    expect(panel).to_contain_text("bounced on")
    panel.get_by_text("Change what is mailed").click()
    panel.get_by_text("What was said before").click()
    looked_at(page)
    panel.get_by_role("button", name="Asked: the address is right").click()
    expect(panel).to_contain_text("verified on")

    assert complaints == []


def test_a_patient_stops_mails_and_takes_it_back_without_javascript(
    link: str, chromium: Browser, live_server: LiveServer
) -> None:
    page, complaints = open_page(chromium, live_server, NARROW, bypass_csp=True)  # axe is a script itself
    page.goto(link)
    looked_at(page)
    page.context.close()
    page, more = open_page(chromium, live_server, NARROW, java_script_enabled=False)
    page.goto(link)
    page.get_by_role("button", name="Stop mails").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You get no more mails from us.")
    page.get_by_role("button", name="keep mails").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You get our mails again.")

    assert (complaints, more) == ([], [])


def test_the_desk_sees_who_has_stopped_mails(link: str, chromium: Browser, live_server: LiveServer) -> None:
    page, complaints = open_page(chromium, live_server, PHONE, bypass_csp=True)
    page.goto(link)
    page.get_by_role("button", name="Stop mails").click()
    looked_at(page)
    page, more = open_page(chromium, live_server)
    sign_in(page, to="/worklist/")
    expect(page.get_by_text("Mails stopped").first).to_be_visible()

    assert (complaints, more) == ([], [])
