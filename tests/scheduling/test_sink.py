"""The page of what arrived in the demonstration's mail sink."""

from __future__ import annotations

import base64
import hashlib
import re
import smtplib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from clinic.local.sink import Store
from scheduling.mails import emails
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.emails import Letter
from scheduling.models import MailKind
from tests.factories import SiteFactory, StaffFactory
from tests.mail_server import free_port

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 28, 15, tzinfo=UTC)
HOST = Host("House <&>", "18 Alder Row", "(555) 010-0400", "visits@house.example", ZoneInfo("America/New_York"))

Deliver = Callable[[MailKind], None]


@pytest.fixture
def deliver(settings: Settings, tmp_path: Path) -> Iterator[Deliver]:
    """Sends a mail to a running sink."""
    settings.MAIL_SINK = tmp_path / "mail"
    port = free_port()
    sink = Controller(Store(settings.MAIL_SINK), hostname="127.0.0.1", port=port)
    sink.start()

    def send(kind: MailKind) -> None:
        visit = Visit("one", 1, START, START + timedelta(minutes=190))
        letter = Letter(kind, "key", "ann@example.org", "Ann", "en", HOST, visits=(visit,))
        with smtplib.SMTP("127.0.0.1", port) as connection:
            mail = emails.compose(letter, now=START - timedelta(days=2))
            connection.sendmail(mail.sender, [mail.recipient], mail.as_bytes())

    yield send
    sink.stop()


@pytest.fixture
def browser(client: Client) -> Client:
    """Somebody signed in."""
    client.force_login(StaffFactory.create(sites=[SiteFactory.create()]), "django.contrib.auth.backends.ModelBackend")
    return client


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.eml"))


def test_the_newest_mail_stands_first(browser: Client, deliver: Deliver) -> None:
    deliver(MailKind.BOOKED)
    deliver(MailKind.TWO_DAYS)
    page = browser.get(reverse("mailbox")).content.decode()
    assert re.findall(r"<b>(.*)</b></a> <span", page) == [
        "Reminder: Saturday 28 November 2026, 10:00",
        "Your dates with us",
    ]


def test_an_empty_sink_says_so(browser: Client, deliver: Deliver) -> None:
    assert "No mail has arrived yet." in browser.get(reverse("mailbox")).content.decode()


def test_a_mail_shows_its_text_headers_and_calendar(browser: Client, deliver: Deliver, settings: Settings) -> None:
    deliver(MailKind.BOOKED)
    (name,) = names(settings.MAIL_SINK)
    page = browser.get(reverse("mail", args=[name])).content.decode()
    shown = [
        "this is the date that we agreed on:",
        "From: &quot;House &lt;&amp;&gt;&quot; &lt;visits@house.example&gt;",
        "DTSTART;TZID=America/New_York:20261128T100000",
        f'<iframe class="letter" src="/demo/mail/{name}/page/" sandbox',
    ]
    assert [words for words in shown if words not in page] == []


def test_the_mails_page_may_use_its_own_styles_and_nothing_else(
    browser: Client, deliver: Deliver, settings: Settings
) -> None:
    deliver(MailKind.BOOKED)
    (name,) = names(settings.MAIL_SINK)
    response = browser.get(reverse("mail-page", args=[name]))
    content = response.content.decode()
    (style,) = re.findall(r"<style>(.*?)</style>", content, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert response["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'self'; sandbox"
    )
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert ("\r" in content, "style=" in content, "<p>House &lt;&amp;&gt;</p>" in content) == (False, False, True)


@pytest.mark.parametrize("address", ["mail", "mail-page"])
@pytest.mark.parametrize("name", ["1700000000-1", "passwd"])
def test_a_mail_that_is_not_there_is_not_found(browser: Client, deliver: Deliver, address: str, name: str) -> None:
    assert browser.get(reverse(address, args=[name])).status_code == 404


def test_a_clinic_with_a_mail_server_of_its_own_has_no_such_page(browser: Client, settings: Settings) -> None:
    settings.MAIL_SINK = None
    assert browser.get("/demo/mail/").status_code == 404


@pytest.mark.parametrize("path", ["/demo/mail/", "/demo/mail/one/", "/demo/mail/one/page/"])
def test_nobody_sees_mails_without_signing_in(client: Client, deliver: Deliver, path: str) -> None:
    assert client.get(path).headers["Location"] == f"/sign-in/?next={path}"
