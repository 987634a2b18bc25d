"""Why a patient got a mail, or did not: what patients, desk and mail server did, in order of time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patients import contact
from patients.models import AddressFault, Channel, ConsentSource, ContactLevel, Patient
from scheduling import cancelling, timelines
from scheduling.mails import links
from scheduling.models import Course, Mail, MailKind, MailState, Session
from scheduling.portal import access, answering
from tests.factories import NOW, Clinic, PatientFactory
from tests.scheduling.views import book

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def course(clinic: Clinic, patient: Patient) -> Course:
    return book(clinic, patient)


@pytest.fixture
def visit(course: Course) -> Session:
    """The second one, in three days."""
    return course.sessions.in_order()[1]


def happened(visit: Session) -> list[tuple[str, str]]:
    """What happened after the booking, and what is said of it."""
    told = timelines.of_session(visit.pk, now=LATER).told
    return [(one.what, one.text) for one in told if one.at > NOW]


def test_what_a_patient_does_behind_a_link_is_told(clinic: Clinic, course: Course, visit: Session) -> None:
    mail = Mail.objects.get(course=course, kind=MailKind.BOOKED)
    mail.state, mail.sent_at = MailState.SENT, NOW + timedelta(minutes=1)
    mail.settled_at = mail.sent_at
    mail.save(update_fields=["state", "sent_at", "settled_at"])
    opened = access.read(links.token(mail.seed), now=LATER)
    answering.come(access=opened, visits={visit.pk: visit.times_version}, now=LATER)
    answering.acted(access=opened, now=LATER)

    assert happened(visit) == [
        ("mail-sent", "“Course booked” went out and was accepted by the mail server."),
        ("confirmed", "Thu 4 Feb 09:00: the patient said yes."),
        ("link-used", "The link in “Course booked” was used for the first time."),
        ("address-verified", "The patient acted on a mail: the address is verified."),
    ]
    told = timelines.of_session(visit.pk, now=LATER).told
    assert [one.what for one in told if one.alone] == ["confirmed"]


def test_consent_and_address_are_told(visit: Session, patient: Patient) -> None:
    contact.stop(actor=None, patient=patient, source=ConsentSource.UNSUBSCRIBE, now=NOW + timedelta(minutes=1))
    contact.agree(
        actor=None,
        patient=patient,
        channel=Channel.EMAIL,
        level=ContactLevel.NEUTRAL,
        source=ConsentSource.PAGE,
        now=NOW + timedelta(minutes=2),
    )
    contact.fault(fault=AddressFault.BOUNCED, patient=patient, now=NOW + timedelta(minutes=3))

    assert happened(visit) == [
        ("consent-stopped", "The patient stopped all mails. (Unsubscribed by mail program)"),
        ("consent", "The patient agreed to neutral mails. (On the patient's page)"),
        ("address-faulty", "A mail came back: the address does not work."),
    ]


def test_a_cancelled_visit_says_how_that_was_told(clinic: Clinic, visit: Session) -> None:
    cancelling.cancel_session(actor=clinic.desk, session=visit, reason="ill", now=NOW + timedelta(minutes=5))
    told = timelines.of_session(visit.pk, now=LATER)

    assert (told.summary, told.tone) == ("“Dates cancelled” goes out on Mon 1 Feb 07:05.", "")
    assert {one.state for one in told.reminders} == {"withdrawn"}


def test_a_held_visit_is_announced_to_nobody(clinic: Clinic) -> None:
    held = book(clinic, PatientFactory.create(), hold=True)
    told = timelines.of_session(held.sessions.in_order()[1].pk, now=LATER)

    assert {(one.state, one.why) for one in told.reminders} == {("not-made", "The times are only held.")}
    assert told.summary == "No reminder goes out. The times are only held."
