"""What the providers that carry the mails tell of them, as they send it: Postmark and Mailgun."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import clear_url_caches

from clinic.urls import urlpatterns as of_the_site
from patients.models import Consent, Patient, Task, TaskKind
from scheduling.mails import letters
from scheduling.models import Attempt, Course, Mail, MailKind, MailState
from scheduling.views import mail_events
from tests.factories import NOW, PatientFactory

SECRET = "provider:a long word that nobody knows"
SIGNING_KEY = "key-of-mailgun"
SETTINGS = {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY}
LATER = NOW + timedelta(hours=2)
REFUSED = "smtp;550 5.1.1 The email account that you tried to reach does not exist."

PROVIDERS = ("brevo", "mailgun", "mailjet", "postmark", "resend", "sparkpost")

urlpatterns: list[Any] = []


@pytest.fixture(autouse=True)
def mounted() -> Iterator[None]:
    """The addresses that a clinic with both variables has, beside all others."""
    with override_settings(ANYMAIL=SETTINGS, ROOT_URLCONF=__name__):
        urlpatterns[:] = [*mail_events.patterns(), *of_the_site]
        clear_url_caches()
        yield
    clear_url_caches()


@pytest.fixture
def patient(patient: Patient) -> Patient:
    Patient.objects.filter(pk=patient.pk).update(email="maya@example.org", email_since=NOW)
    return Patient.objects.get(pk=patient.pk)


@pytest.fixture
def mail(at_now: None, course: Course) -> Mail:
    """The mail with all dates, sent; a reminder was sent after it."""
    for number, kind in enumerate((MailKind.BOOKED, MailKind.TWO_DAYS)):
        last = Mail.objects.filter(course=course, kind=kind).order_by("pk")[:1]
        at = NOW + timedelta(minutes=number)
        Mail.objects.filter(pk__in=last.values("pk")).update(state=MailState.SENT, sent_at=at, settled_at=at, due_at=at)
    return Mail.objects.get(course=course, kind=MailKind.BOOKED)


def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(secret.encode()).decode()


def post(provider: str, body: dict[str, Any], secret: str | None = SECRET) -> HttpResponse:
    """As the provider asks: without a cookie, and nobody lets it off a CSRF token."""
    client = Client(enforce_csrf_checks=True)
    headers = {"authorization": basic(secret)} if secret is not None else {}
    answer = client.post(f"/mail-events/{provider}/", json.dumps(body), "application/json", headers=headers)
    assert isinstance(answer, HttpResponse)
    return answer


def postmark(record: str = "Bounce", kind: str = "HardBounce", **more: Any) -> dict[str, Any]:
    """What Postmark sends of a bounce or a complaint; its numbers are its own."""
    return {
        "RecordType": record,
        "MessageStream": "outbound",
        "ID": 4323372036854775807,
        "Type": kind,
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Tag": "",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Metadata": {},
        "ServerID": 23,
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": REFUSED,
        "Email": "maya@example.org",
        "From": "appointments@clinic.example",
        "BouncedAt": LATER.isoformat().replace("+00:00", "Z"),
        "DumpAvailable": True,
        "Inactive": True,
        "CanActivate": True,
        "Subject": "Your dates",
        **more,
    }


def mailgun(message_id: str, event: str = "failed", severity: str = "permanent", **more: Any) -> dict[str, Any]:
    """What Mailgun sends of a mail that it was handed by SMTP, which keeps its Message-ID."""
    token, timestamp = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0", str(int(LATER.timestamp()))
    signature = hmac.new(SIGNING_KEY.encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
    return {
        "signature": {"timestamp": timestamp, "token": token, "signature": signature},
        "event-data": {
            "id": "G9Bn5sl1TC6nu79C8C0bwg",
            "timestamp": LATER.timestamp(),
            "log-level": "error",
            "event": event,
            "severity": severity,
            "reason": "suppress-bounce",
            "delivery-status": {
                "attempt-no": 1,
                "message": "",
                "code": 605,
                "description": "Not delivering to previously bounced address",
                "session-seconds": 0.0,
            },
            "flags": {"is-routed": False, "is-authenticated": True, "is-system-test": False, "is-test-mode": False},
            "envelope": {"sender": "appointments@clinic.example", "transport": "smtp", "targets": "maya@example.org"},
            "message": {
                "headers": {
                    "to": "maya@example.org",
                    "message-id": message_id,
                    "from": "Practice <appointments@clinic.example>",
                    "subject": "Your dates",
                },
                "attachments": [],
                "size": 111,
            },
            "recipient": "maya@example.org",
            "recipient-domain": "example.org",
            "campaigns": [],
            "tags": [],
            "user-variables": {},
            **more,
        },
    }


def lines() -> list[tuple[str, dict[str, Any]]]:
    return list(Task.objects.filter(done_at=None).order_by("pk").values_list("kind", "details"))


def failed() -> list[tuple[str, str]]:
    """The mails that have failed: kind and reason."""
    return list(Mail.objects.filter(state=MailState.FAILED).order_by("pk").values_list("kind", "error"))


def fault() -> str:
    return Patient.objects.order_by("pk").values_list("email_fault", flat=True)[0]


def test_a_hard_bounce_fails_the_last_mail_and_is_the_address_s_fault(mail: Mail) -> None:
    answer = post("postmark", postmark())
    last = Mail.objects.get(state=MailState.FAILED)

    assert (answer.status_code, answer.content) == (200, b"")
    assert (last.kind, last.error, last.sent_at) == ("two-days", REFUSED, None)
    assert list(Attempt.objects.values_list("mail", "state", "answer")) == [(last.pk, "failed", REFUSED)]
    assert (fault(), lines()) == ("bounced", [("bad-address", {"fault": "bounced"})])


def test_the_same_event_again_changes_nothing(mail: Mail) -> None:
    for _ in range(3):
        assert post("postmark", postmark()).status_code == 200

    assert (len(failed()), len(lines()), Attempt.objects.count()) == (1, 1, 1)


def test_the_mail_is_the_one_that_the_event_names(mail: Mail) -> None:
    body = mailgun(f"{letters.key_of(mail)}@clinic.example")
    answers = [post("mailgun", body), post("mailgun", body)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert failed() == [("booked", "Not delivering to previously bounced address")]
    assert (fault(), lines()) == ("bounced", [("bad-address", {"fault": "bounced"})])


def test_a_number_behind_the_status_makes_no_fault_a_passing_one(mail: Mail) -> None:
    answer = "smtp;550-5.1.1 No such user. q12-20020a05.si432pfb.45 - gsmtp"
    assert post("postmark", postmark(kind="HardBounce", Details=answer)).status_code == 200
    assert fault() == "bounced"


@pytest.mark.parametrize(
    "body",
    [
        postmark(kind="Transient", Details="smtp;421 4.4.2 Try again later."),
        postmark(kind="SoftBounce", Details="smtp;552 5.2.2 The mailbox is full."),
        postmark(kind="HardBounce", Details="smtp;452 4.2.2 The mailbox is full."),
        postmark(kind="AutoResponder"),
        postmark("Delivery", "", Recipient="maya@example.org"),
        postmark("Open", "", Recipient="maya@example.org"),
        postmark(Email="stranger@example.org"),
        postmark(Email=""),
    ],
)
def test_what_says_nothing_bad_of_an_address_changes_nothing(mail: Mail, body: dict[str, Any]) -> None:
    assert post("postmark", body).status_code == 200
    assert (failed(), fault(), lines()) == ([], "", [])


def test_a_mail_that_is_tried_again_by_the_provider_changes_nothing(mail: Mail) -> None:
    post("mailgun", mailgun(f"{letters.key_of(mail)}@clinic.example", severity="temporary"))

    assert (failed(), fault(), lines()) == ([], "", [])


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (postmark("SpamComplaint", "SpamComplaint"), "complaint"),
        (postmark("SubscriptionChange", "", SuppressSending=True, SuppressionReason="SpamComplaint"), "complaint"),
        (
            postmark("SubscriptionChange", "", SuppressSending=True, SuppressionReason="ManualSuppression"),
            "unsubscribe",
        ),
    ],
)
def test_who_reports_a_mail_or_unsubscribes_gets_no_more(mail: Mail, body: dict[str, Any], source: str) -> None:
    for _ in range(2):
        post("postmark", {**body, "Recipient": "maya@example.org"})

    assert list(Consent.objects.values_list("level", "source")) == [("stopped", source)]
    assert (lines(), failed(), fault()) == ([("mail-stopped", {"source": source})], [], "")


def test_a_bounce_concerns_everybody_at_the_address_and_fails_one_mail(mail: Mail) -> None:
    partner = PatientFactory.create(email="Maya@Example.org")
    post("postmark", postmark())

    assert list(Patient.objects.filter(email_fault="bounced").values_list("pk", flat=True).order_by("pk")) == [
        mail.patient_id,
        partner.pk,
    ]
    assert len(failed()) == 1


def test_an_event_of_long_ago_fails_no_later_mail(mail: Mail) -> None:
    post("postmark", postmark(BouncedAt="2027-01-20T09:00:00Z"))

    assert (failed(), fault()) == ([], "bounced")


def test_a_mail_to_an_earlier_address_is_told_by_phone(mail: Mail) -> None:
    """The address is another one by now, so that the mail that came back is all there is to say."""
    body = mailgun(f"{letters.key_of(mail)}@clinic.example")
    post("mailgun", body)
    Task.objects.update(done_at=NOW)
    Patient.objects.update(email_fault="", email_fault_at=None)
    Mail.objects.filter(pk=mail.pk).update(state=MailState.SENT, sent_at=NOW, settled_at=NOW)
    Patient.objects.update(email_fault="bounced", email_fault_at=NOW)
    post("mailgun", body)

    assert [kind for kind, _details in lines()] == [TaskKind.FAILED_MAIL]


@pytest.mark.parametrize("secret", [None, "", "provider:wrong", "a long word that nobody knows", SECRET + " "])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_without_the_secret_nothing_is_listened_to(mail: Mail, provider: str, secret: str | None) -> None:
    body = mailgun(f"{letters.key_of(mail)}@clinic.example") if provider == "mailgun" else postmark()
    answer = post(provider, body, secret)

    assert (answer.status_code, failed(), fault(), lines()) == (400, [], "", [])


def test_mailgun_has_to_sign_as_well(mail: Mail) -> None:
    body = mailgun(f"{letters.key_of(mail)}@clinic.example")
    body["signature"]["signature"] = "0" * 64

    assert (post("mailgun", body).status_code, failed(), fault()) == (400, [], "")


def test_only_posts_are_answered(mail: Mail) -> None:
    client = Client(headers={"authorization": basic(SECRET)})

    assert [client.get("/mail-events/postmark/").status_code, client.put("/mail-events/postmark/").status_code] == [
        405,
        405,
    ]


def test_nothing_is_mounted_without_a_secret_and_mailgun_not_without_its_key() -> None:
    def names() -> list[str]:
        return [str(pattern.pattern) for pattern in mail_events.patterns()]

    all_of_them = [
        f"mail-events/{name}/" for name in ("brevo", "mailgun", "mailjet", "postmark", "resend", "sparkpost")
    ]
    with override_settings(ANYMAIL={}):
        nothing = names()
    with override_settings(ANYMAIL={"WEBHOOK_SECRET": SECRET}):
        without_mailgun = names()

    assert (nothing, names()) == ([], all_of_them)
    assert without_mailgun == [name for name in all_of_them if "mailgun" not in name]


def test_nothing_of_a_patient_is_written_into_the_log(mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    post("postmark", postmark())
    post("postmark", postmark(), "provider:wrong")

    assert [word for word in ("maya", "example.org", SECRET, "wrong") if word in caplog.text] == []
