"""Mails to patients: what they say, and how they look on the way.

A mail is neutral (protocol.md, part 5): the clinic's neutral name, the first name, dates and times with their zone,
how long, where, the clinic's phone. It comes as text, as HTML and with the dates for a calendar. `compose` reads no
database: everything it says is in the `Letter`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.encoding import punycode

from patients.models import ContactLevel
from scheduling import wording
from scheduling.mails import calendars
from scheduling.mails.calendars import Host, Visit
from scheduling.models import MailKind

#: Both reminders read the same: the date, not the time left, is what counts when a mail is late.
TEMPLATES = {
    MailKind.BOOKED: "booked",
    MailKind.CHANGED: "changed",
    MailKind.CANCELLED: "cancelled",
    MailKind.PREPARATION: "reminder",
    MailKind.SCORE_DUE: "reminder",
    MailKind.MISSED: "reminder",
    MailKind.OFFER: "reminder",
    MailKind.CALL_US: "reminder",
    MailKind.TWO_DAYS: "reminder",
    MailKind.TWO_HOURS: "reminder",
}

#: Lines of texts may be long ones, headers may not; everything is 7 bit on the way.
POLICY = SMTP.clone(cte_type="7bit")

_LINES = re.compile(r"[ \t]*\n")
_GAPS = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Preparation:
    """What to keep to before a visit, and only who has agreed to detailed mails is told in one: until when to eat, and
    until when to drink clear liquids."""

    food_until: datetime
    drink_until: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that one mail says.

    `visits` are the dates that stand, of a reminder its only one, of a missed visit that one, of an offer the one that
    may be moved; `moved` pairs an earlier start with what stands now, `added` are new, `cancelled` are given up,
    `offers` are the starts of other times. `key` names the mail for ever: the same mail sent again is recognised.

    `link` is the whole address of the patient's page, `until` the end of that link; `stop` the address that ends all
    mails. `missing` names what is still open (answer, escort, form). `level` is what the patient has agreed to, on
    `agreed_on`; only a detailed mail says `preparation`.
    """

    kind: MailKind
    key: str
    recipient: str
    first_name: str
    language: str
    host: Host
    visits: tuple[Visit, ...] = ()
    moved: tuple[tuple[datetime, Visit], ...] = ()
    added: tuple[Visit, ...] = ()
    cancelled: tuple[Visit, ...] = ()
    level: str = ContactLevel.NEUTRAL
    link: str = ""
    until: datetime | None = None
    stop: str = ""
    missing: frozenset[str] = frozenset()
    preparation: Preparation | None = None
    agreed_on: date | None = None
    offers: tuple[datetime, ...] = ()


class BadAddress(ValueError):
    """The recipient's address is none to which mail can go."""


def compose(letter: Letter, *, now: datetime) -> EmailMessage:
    """The mail as it is sent, in the patient's language. Raises BadAddress, and ValueError for what else no header
    can hold."""
    template = TEMPLATES[letter.kind]
    with translation.override(letter.language):
        context = _context(letter)
        context["subject"] = " ".join(_text(f"emails/{template}.subject.txt", context).split())
        text = _text(f"emails/{template}.txt", context)
        page = render_to_string(f"emails/{template}.html", context)
    message = EmailMessage(policy=POLICY)
    message["Subject"] = context["subject"]
    message["From"] = Address(letter.host.name, addr_spec=_ascii(letter.host.mail))
    try:
        message["To"] = Address(addr_spec=_ascii(letter.recipient))
    except (ValueError, MessageError) as error:
        raise BadAddress from error
    message["Date"] = format_datetime(now.astimezone(UTC))
    message["Message-ID"] = f"<{letter.key}@{_ascii(letter.host.mail).rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    if letter.visits:
        calendar = calendars.published(letter.visits, host=letter.host, now=now)
        _attach(message, calendar, "PUBLISH", "calendar.ics")
    for visit in letter.cancelled:
        calendar = calendars.cancelled(visit, host=letter.host, now=now)
        _attach(message, calendar, "CANCEL", "cancelled.ics")
    message["Content-Language"] = letter.language  # last: setting the content drops what was said about it
    return message


def _attach(message: EmailMessage, calendar: str, method: str, filename: str) -> None:
    message.add_attachment(
        calendar.encode(),
        maintype="text",
        subtype="calendar",
        filename=filename,
        params={"charset": "utf-8", "method": method},
    )


def _text(template: str, context: dict[str, Any]) -> str:
    """A text without the blank lines that a template's tags leave."""
    return _GAPS.sub("\n\n", _LINES.sub("\n", render_to_string(template, context))).strip() + "\n"


def _context(letter: Letter) -> dict[str, Any]:
    host = letter.host
    return {
        "language": letter.language,
        "first_name": " ".join(letter.first_name.split()),
        "host": host,
        "visits": [_row(visit, host) for visit in letter.visits],
        "moved": [{"was": wording.when(was, host.zone), "now": _row(visit, host)} for was, visit in letter.moved],
        "added": [_row(visit, host) for visit in letter.added],
        "cancelled": [_row(visit, host) for visit in letter.cancelled],
    }


def _row(visit: Visit, host: Host) -> dict[str, str]:
    return {
        "day": wording.day(visit.starts_at, host.zone),
        "clock": wording.clock(visit.starts_at, host.zone),
        "time": wording.time(visit.starts_at, host.zone),
        "when": wording.when(visit.starts_at, host.zone),
        "length": wording.length(visit.home_at - visit.starts_at),
    }


def _ascii(address: str) -> str:
    """The address with its domain as mail servers know it."""
    user, _, domain = address.rpartition("@")
    return f"{user}@{punycode(domain)}"
