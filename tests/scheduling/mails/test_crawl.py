"""A crawl over every mail that patients can get, held to protocol.md, part 5: of every kind, in every protocol,
language and level. Rows are queued by the verbs, letters are written from them, and mails are read back as sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
import time_machine
from django.test import Client
from icalendar import Calendar

from patients.models import ContactLevel
from scheduling import booking, cancelling, evaluating, moving
from scheduling.mails import emails, gathering, letters, outbox, privacy
from scheduling.mails.emails import Letter
from scheduling.models import Course, Mail, MailKind, MailState, Offer, Room, Session, SessionState
from scheduling.protocols import library
from scheduling.protocols.types import Place, Protocol
from scheduling.visits import absence
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, protocol

pytestmark = pytest.mark.django_db

#: Part 5 of protocol.md as it is written there, in small letters, looked for without any pattern. Hours, minutes and
#: the word "visit" are fine.
NEVER = (
    "ketamine", "ketamina", "spravato", "ketalar", "infusion", "infusión", "treatment", "tratamiento", "depress",
    "depresi", "psychiatr", "psiquiatr", "mental health", "salud mental", "session", "sesión", "phase", "maintenance",
    "mantenimiento", " dose", "dosis", "score", "phq", "gad-7", "madrs", "qids", "diagnos", "rems", "birth",
    "nacimiento", "record number",
)  # fmt: skip
OWN = {"record_number": "R0012345", "birth_date": date(1980, 5, 17), "last_name": "Solheimsdottir"}
OWN_VALUES = ("R0012345", "1980-05-17", "17 May 1980", "17 de mayo de 1980", "05/17/1980", "Solheimsdottir")


@dataclass
class Crawl:
    """Sends nothing: writes and reads what is due, and takes it for sent."""

    client: Client
    read: list[tuple[Letter, EmailMessage]] = field(default_factory=list)

    def go(self, now: datetime) -> None:
        """Read what is due now."""
        due = Mail.objects.filter(state=MailState.DUE, due_at__lte=now).order_by("due_at", "pk")
        mails = gathering.read(due.values_list("pk", flat=True))
        for mail, letter in zip(mails, letters.write_all(mails, now=now), strict=True):
            if isinstance(letter, Letter):
                sent = emails.compose(letter, now=now)
                assert privacy.examine(sent, values=letters.private_values(mail.patient)) == ()
                message = message_from_bytes(sent.as_bytes(), policy=policy.default)
                assert isinstance(message, EmailMessage)
                self.read.append((letter, message))
                mail.state, mail.sent_at, mail.settled_at = MailState.SENT, now, now
            else:
                mail.state, mail.settled_at = letter.state, now
            mail.save(update_fields=["state", "sent_at", "settled_at"])
        for letter, message in self.read[-len(mails) :]:
            assert wrong(letter, message) == []

    def open(self, link: str, now: datetime) -> list[str]:
        """What stands around the page behind a link: addresses, headers, title, and the calendar with its name."""
        with time_machine.travel(now, tick=False):
            page = self.client.get(urlsplit(link).path)
            calendar = self.client.get(f"{urlsplit(link).path}calendar/")
        title = page.content.decode().partition("<title>")[2].partition("</title>")[0]
        headers = [f"{name}: {value}" for answer in (page, calendar) for name, value in answer.headers.items()]
        return [str(page.status_code), title, *headers, *found_in("calendar", calendar.content.decode())]


def wrong(letter: Letter, message: EmailMessage) -> list[tuple[str, str]]:
    """Everything in a mail that should not be there, or that is missing."""
    hits = [(where, words) for where, text in texts(letter, message) for words in found_in(where, text)]
    page = message.get_body(("html",))
    hits += [("page", link) for link in (letter.link, letter.stop) if not page or link not in page.get_content()]
    if message["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click":
        hits.append(("List-Unsubscribe-Post", str(message["List-Unsubscribe-Post"])))
    return hits


def texts(letter: Letter, message: EmailMessage) -> Iterator[tuple[str, str]]:
    """Headers, texts, file names and calendar entries, without the recipient's own address."""
    for part in message.walk():
        for name, value in part.items():
            yield name, str(value).replace(letter.recipient, "")
        if not part.is_multipart():
            yield part.get_content_type(), part.get_content().replace(letter.recipient, "")
        if part.get_content_type() == "text/calendar":
            for entry in Calendar.from_ical(part.get_content()).walk():
                yield "entry", " ".join(str(entry[name]) for name in entry if name != "ATTENDEE")


def found_in(where: str, text: str) -> list[str]:
    small = text.lower()
    plainly = [words for words in NEVER if words in small]
    return [*plainly, *privacy.find(text), *(value for value in OWN_VALUES if value.lower() in small)]


def crawl_course(clinic: Clinic, course: Course, crawl: Crawl) -> None:
    """Everything that a course can have mailed: from its booking until its dates are over."""
    first, second, *_others, last = course.sessions.order_by("during__startswith")
    desk = clinic.desk
    crawl.go(NOW)
    outbox.call_us(actor=desk, patient=course.patient, course=course, now=NOW)
    crawl.go(NOW)
    later = Place(second.starts_at + timedelta(hours=1), second.chair_id, second.prescriber_id)
    moving.move_session(actor=desk, session=second, place=later, now=NOW)
    crawl.go(NOW)
    until = first.starts_at - timedelta(days=1)
    Offer.objects.create(
        session=first, times_version=1, turn=0, starts_at=first.starts_at + timedelta(hours=2), until=until,
        made_at=NOW, made_by=desk,
    )  # fmt: skip
    outbox.offer(course=course, session=first, turn=0, expires_at=until, now=NOW)
    crawl.go(NOW)
    cancelling.cancel_session(actor=desk, session=last, reason="On a journey.", now=NOW)
    crawl.go(NOW)
    Session.objects.filter(pk=second.pk).update(state=SessionState.CONFIRMED, confirmed_at=NOW)
    # Of the first dates, one answered and the others not; the later ones are told in the same words.
    due = Mail.objects.filter(course=course, state=MailState.DUE, session__number__lte=3).order_by("due_at")
    for at in list(due.values_list("due_at", flat=True)):
        crawl.go(at)
    absence.no_show(actor=desk, session=first, now=first.starts_at)
    crawl.go(first.starts_at + outbox.MISSED_AFTER)


@pytest.mark.parametrize("known", library.builtin(), ids=lambda known: known.code)
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("level", [ContactLevel.NEUTRAL, ContactLevel.DETAILED])
def test_no_mail_of_a_course_says_what_its_patient_is_treated_for(
    clinic: Clinic, client: Client, known: Protocol, language: str, level: ContactLevel
) -> None:
    patient = PatientFactory.create(language=language, mail_level=level, email_verified_at=NOW, **OWN)
    starts = [local(MONDAY + timedelta(days=7 + day)) for day in known.preferred_days]
    places = [Place(start, clinic.chairs[0].pk, clinic.prescriber.pk) for start in starts]
    course = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(known.code), places=places, now=NOW
    ).course
    crawl = Crawl(client)
    crawl_course(clinic, course, crawl)

    assert {letter.kind for letter, _ in crawl.read} == set(MailKind)
    prepared = {letter.kind for letter, _ in crawl.read if letter.preparation}
    reminders = {MailKind.PREPARATION, MailKind.TWO_DAYS, MailKind.TWO_HOURS, MailKind.SCORE_DUE}
    assert prepared == (reminders if level == ContactLevel.DETAILED else set())
    if known == library.STANDARD:  # the pages behind the links are the same in all protocols
        links = {letter.kind: letter.link for letter, _ in crawl.read}
        around = [words for link in links.values() for words in crawl.open(link, NOW)]
        assert [words for words in around if found_in("page", words)] == []


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("level", [ContactLevel.NEUTRAL, ContactLevel.DETAILED])
def test_no_mail_of_an_evaluation_says_what_it_is_for(
    clinic: Clinic, client: Client, language: str, level: ContactLevel
) -> None:
    patient = PatientFactory.create(language=language, mail_level=level, email_verified_at=NOW, **OWN)
    evaluation, _again = evaluating.book_evaluation(
        actor=clinic.desk,
        patient=patient,
        room=Room.objects.create(site=clinic.site, name="Room 1"),
        prescriber=clinic.prescriber,
        starts_at=local(MONDAY + timedelta(days=7), "10:00"),
        now=NOW,
    )
    crawl = Crawl(client)
    due = Mail.objects.filter(evaluation=evaluation, state=MailState.DUE).order_by("due_at")
    for at in list(due.values_list("due_at", flat=True)):
        crawl.go(at)
    outbox.call_us(actor=clinic.desk, patient=patient, now=NOW)
    evaluating.cancel_evaluation(actor=clinic.desk, evaluation=evaluation, reason="On a journey.", now=NOW)
    crawl.go(NOW)
    assert {letter.kind for letter, _ in crawl.read} == {
        MailKind.BOOKED, MailKind.TWO_DAYS, MailKind.TWO_HOURS, MailKind.CALL_US, MailKind.CANCELLED,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [{"first_name": "Solheimsdottir"}, {"link": "https://house.example/R0012345/"}, {"agreed_on": OWN["birth_date"]}],
)
def test_the_crawl_finds_what_should_not_be_there(clinic: Clinic, client: Client, changed: dict[str, object]) -> None:
    patient = PatientFactory.create(mail_level=ContactLevel.NEUTRAL, **OWN)
    place = Place(local(MONDAY + timedelta(days=7)), clinic.chairs[0].pk, clinic.prescriber.pk)
    booking.book_course(actor=clinic.desk, patient=patient, protocol=protocol(), places=[place], now=NOW)
    crawl = Crawl(client)
    crawl.go(NOW)
    ((letter, _message),) = crawl.read
    other = replace(letter, **changed)  # type: ignore[arg-type]  # fields of the letter
    message = message_from_bytes(emails.compose(other, now=NOW).as_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert wrong(other, message) != []
