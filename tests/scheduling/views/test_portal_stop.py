"""The page on which a patient stops mails, and the one-click request of mail programs (RFC 8058)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from patients import contact, registering
from patients.models import AddressFault, Channel, Consent, ContactLevel, Patient, Task, TaskKind
from scheduling import cancelling
from scheduling.mails import links
from scheduling.models import Course, Mail, MailKind, MailState
from tests.factories import NOW, Clinic
from tests.pages import says

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def patient(patient: Patient) -> Patient:
    Patient.objects.filter(pk=patient.pk).update(language="es", email_since=NOW)
    return Patient.objects.get(pk=patient.pk)


@pytest.fixture
def mail(at_now: None, course: Course) -> Mail:
    """The mail with all dates, sent."""
    mail = Mail.objects.get(course=course, kind=MailKind.BOOKED)
    Mail.objects.filter(pk=mail.pk).update(state=MailState.SENT, sent_at=NOW, settled_at=NOW)
    return mail


@pytest.fixture
def link(mail: Mail) -> str:
    return f"/dates/{links.token(mail.seed)}/stop/"


def strict() -> Client:
    """A mail program: no cookies, and nobody lets it off a CSRF token."""
    return Client(enforce_csrf_checks=True)


def known() -> tuple[str, list[tuple[str, str]], int]:
    """The level on mails, each consent's level and source, how many lines tell the desk."""
    consents = Consent.objects.order_by("pk").values_list("level", "source")
    return (
        Patient.objects.get().mail_level,
        list(consents),
        Task.objects.filter(kind=TaskKind.MAIL_STOPPED, done_at=None).count(),
    )


def test_a_mail_program_stops_mails_by_one_request_however_often_it_sends_it(link: str) -> None:
    answers = [strict().post(link, ONE_CLICK) for _ in range(3)]

    assert [(answer.status_code, answer.content, answer.cookies.output()) for answer in answers] == [(200, b"", "")] * 3
    assert known() == ("stopped", [("stopped", "unsubscribe")], 1)


def test_the_request_can_come_in_either_encoding_of_a_form(link: str) -> None:
    answer = strict().post(link, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")

    assert (answer.status_code, known()[0]) == (200, "stopped")


def test_opening_the_page_changes_nothing(link: str) -> None:
    answers = [strict().get(link), strict().head(link), strict().get(link, ONE_CLICK), strict().options(link)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 405]
    assert known() == ("neutral", [], 0)


def test_a_request_that_says_nothing_changes_nothing(link: str) -> None:
    answer = strict().post(link)

    assert (answer.status_code, known()) == (400, ("neutral", [], 0))


def test_the_page_stops_mails_and_takes_that_back(link: str) -> None:
    client = strict()
    asks = says(client.get(f"{link}?language=en"), "h1")
    stopped = client.post(link, {"act": "stop"})
    told = says(client.get(link), "h1")
    after = known()
    kept = client.post(link, {"act": "keep"})

    assert (asks, told) == (["Do you want no more mails from us?"], ["You get no more mails from us."])
    assert [(one.status_code, one["Location"]) for one in (stopped, kept)] == [(302, link), (302, f"{link}?kept")]
    assert after == ("stopped", [("stopped", "page")], 1)
    assert known() == ("neutral", [("stopped", "page"), ("neutral", "page")], 0)
    again = client.get(kept["Location"])
    assert (says(again, "h1"), says(again, "button")) == (["You get our mails again."], [])
    assert says(again, "a.primary") == ["Back to your dates"]
    assert says(client.get(link), "h1") == asks
    client.post(link, {"act": "stop"})
    assert says(client.get(kept["Location"]), "h1") == told


def test_what_is_agreed_to_again_is_what_the_page_says_in_its_language(link: str) -> None:
    client = strict()
    client.get(f"{link}?language=en")
    client.post(link, {"act": "stop"})
    words = says(client.get(link), "p.words")
    client.post(link, {"act": "keep"})
    kept = Consent.objects.latest("pk")

    assert (words, kept.language) == ([contact.wording(Channel.EMAIL, ContactLevel.NEUTRAL, "en")], "en")
    assert [kept.wording] == words


def test_nobody_agrees_to_mails_here_who_has_not_stopped_them(link: str) -> None:
    strict().post(link, {"act": "keep"})

    assert known() == ("neutral", [], 0)


def test_mails_that_were_not_queued_meanwhile_are_queued(clinic: Clinic, patient: Patient, link: str) -> None:
    strict().post(link, ONE_CLICK)
    Mail.objects.filter(session__isnull=False).delete()
    strict().post(link, {"act": "keep"})

    assert Mail.objects.filter(session__isnull=False, state=MailState.DUE).exists()


def test_the_link_works_for_ever(clinic: Clinic, course: Course, link: str) -> None:
    cancelling.cancel_course(actor=clinic.desk, course=course, reason="other plans", now=NOW)
    Mail.objects.update(sent_at=None, settled_at=NOW, state=MailState.WITHDRAWN)

    assert (strict().post(link, ONE_CLICK).status_code, known()[0]) == (200, "stopped")


def test_who_has_an_earlier_address_stops_nothing_at_the_next(clinic: Clinic, patient: Patient, link: str) -> None:
    registering.change(actor=clinic.desk, patient=patient, now=LATER, email="new@example.org")
    answer = strict().post(link, ONE_CLICK)
    shown = says(strict().get(f"{link}?language=en"), "h1")

    assert (answer.status_code, shown) == (200, ["No more mails go to this address."])
    assert known() == ("neutral", [("neutral", "desk")], 0)


def test_who_has_an_earlier_address_agrees_to_nothing(clinic: Clinic, patient: Patient, link: str) -> None:
    strict().post(link, ONE_CLICK)
    registering.change(actor=clinic.desk, patient=patient, now=LATER, email="new@example.org")
    strict().post(link, {"act": "keep"})

    assert known()[0] == "stopped"


def test_a_mailbox_that_is_somebody_elses_says_nothing_for_the_patient(patient: Patient, link: str) -> None:
    contact.fault(patient=patient, fault=AddressFault.NOT_MINE, now=NOW)
    strict().post(link, ONE_CLICK)

    assert known() == ("neutral", [], 0)


@pytest.mark.parametrize("token", ["0", "0" * 48])
def test_a_link_that_was_never_made_stops_nothing(link: str, token: str) -> None:
    assert [strict().post(f"/dates/{token}/stop/", ONE_CLICK).status_code, known()] == [404, ("neutral", [], 0)]


def test_the_page_names_nobody_and_is_kept_by_nobody(patient: Patient, link: str) -> None:
    answer = strict().get(link)
    text = answer.content.decode()

    assert (answer["Cache-Control"], answer["Content-Language"]) == ("no-store, private", "es")
    assert [word for word in ("Eleanor", "Vance", "eleanor@example.org", patient.record_number) if word in text] == []


def test_the_desk_sees_the_line_and_what_to_do(clinic: Clinic, desk: Client, link: str) -> None:
    strict().post(link, ONE_CLICK)

    assert says(desk.get("/worklist/"), ".kind") == ["Mails stopped"]
    assert says(desk.get("/worklist/?show=desk"), ".kind") == ["Mails stopped"]


def test_who_chooses_neutral_mails_again_hears_what_was_withheld(link: str) -> None:
    strict().post(link, ONE_CLICK)
    Mail.objects.filter(session__isnull=False).delete()
    Client().post(link.replace("/stop/", "/mails/"), {"level": "neutral"})

    assert known()[0] == "neutral"
    assert Mail.objects.filter(session__isnull=False, state=MailState.DUE).exists()
