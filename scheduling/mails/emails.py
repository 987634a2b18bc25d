"""Mails to patients: what they say, and how they look on the way.

A mail is neutral (protocol.md, part 5): the clinic's neutral name, the first name, dates and times with their zone,
how long, where, the clinic's phone, and the address of the patient's page. It comes as HTML, as the text of that, and
with dates for a calendar. `compose` reads no database: everything it says is in the `Letter`.

Templates are slow, and mails of one shape differ in a few values only. So each shape is rendered once, with marks where
the values go; a mail is that frame with its values in them. `render` is the plain way, which tests hold it to.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from email.headerregistry import Address
from functools import lru_cache
from html import escape
from itertools import count, groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from patients.models import ContactLevel
from scheduling import wording
from scheduling.mails import calendars, mime, plain
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.mime import Attachment, BadAddress, Message
from scheduling.models import MailKind

__all__ = ["BadAddress", "Letter", "Message", "Preparation", "compose"]

#: Both reminders read the same: the date, not the time left, is what counts when a mail is late.
TEMPLATES = {
    MailKind.BOOKED: "booked",
    MailKind.CHANGED: "changed",
    MailKind.CANCELLED: "cancelled",
    MailKind.PREPARATION: "preparation",
    MailKind.TWO_DAYS: "reminder",
    MailKind.SCORE_DUE: "form",
    MailKind.TWO_HOURS: "reminder",
    MailKind.MISSED: "missed",
    MailKind.OFFER: "offer",
    MailKind.CALL_US: "call",
}

#: Mails that speak about one date, so their link is about that date.
ONE_DATE = frozenset(
    {
        MailKind.PREPARATION,
        MailKind.TWO_DAYS,
        MailKind.SCORE_DUE,
        MailKind.TWO_HOURS,
        MailKind.MISSED,
        MailKind.OFFER,
    }
)

#: Of these kinds the dates that stand go along for a calendar; of a change only what is new in it.
_DATED = frozenset({MailKind.BOOKED, MailKind.PREPARATION, MailKind.TWO_DAYS, MailKind.SCORE_DUE, MailKind.TWO_HOURS})


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


def compose(letter: Letter, *, now: datetime) -> Message:
    """The mail as it is sent, in the patient's language. Raises BadAddress, and ValueError for what else no header
    can hold."""
    host = letter.host
    recipient = mime.recipient(letter.recipient)
    sender = mime.ascii_address(host.mail)
    shape, values = taken_apart(letter)
    frame = _frame(shape)
    headers = [
        ("Subject", frame.subject.filled(values)),
        ("From", _sender(host.name, sender)),
        ("To", recipient),
        ("Date", mime.date(now)),
        ("Message-ID", f"<{letter.key}@{sender.rpartition('@')[2]}>"),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Language", letter.language),
    ]
    if letter.stop:  # RFC 8058: programs show a button, and press it by POST
        headers += [("List-Unsubscribe", f"<{letter.stop}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
    message = Message(
        key=letter.key,
        sender=sender,
        recipient=recipient,
        headers=tuple(headers),
        text=frame.text.filled(values),
        page=frame.page.filled([escape(value) for value in values]),
        attachments=tuple(_calendars(letter, recipient, now)),
    )
    message.as_bytes()  # what cannot be written is found out here, not on the way to the server
    return message


def _calendars(letter: Letter, recipient: str, now: datetime) -> Iterator[Attachment]:
    """A calendar for each date: RFC 5546 allows no more than one UID in a request or a cancellation."""
    if letter.kind in _DATED:
        standing: Sequence[Visit] = letter.visits
    else:
        standing = sorted([*(visit for _, visit in letter.moved), *letter.added], key=lambda visit: visit.starts_at)
    host = letter.host
    for visit in standing:
        text = calendars.requested(visit, host=host, attendee=recipient, now=now)
        yield Attachment(f"{visit.starts_at.astimezone(host.zone):%Y-%m-%d}.ics", "REQUEST", text)
    for visit in letter.cancelled:
        text = calendars.cancelled(visit, host=host, attendee=recipient, now=now)
        yield Attachment(f"{visit.starts_at.astimezone(host.zone):%Y-%m-%d}-cancelled.ics", "CANCEL", text)


@lru_cache(maxsize=64)
def _sender(name: str, mail: str) -> str:
    return str(Address(name, addr_spec=mail))


# What decides how a mail is built, and what is put into it.


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a letter that templates decide by; the numbers count what is listed."""

    kind: MailKind
    language: str
    host: Host
    visits: int
    moved: int
    added: int
    cancelled: int
    offers: int
    prepares: bool
    link: bool
    until: bool
    stop: bool
    agreed: bool
    missing: frozenset[str]


def taken_apart(letter: Letter) -> tuple[Shape, tuple[str, ...]]:
    """A letter as its shape and its values, in the order in which a template is given them."""
    shape = Shape(
        kind=letter.kind,
        language=letter.language,
        host=letter.host,
        visits=len(letter.visits),
        moved=len(letter.moved),
        added=len(letter.added),
        cancelled=len(letter.cancelled),
        offers=len(letter.offers),
        prepares=_prepares(letter),
        link=bool(letter.link),
        until=letter.until is not None,
        stop=bool(letter.stop),
        agreed=letter.agreed_on is not None,
        missing=letter.missing,
    )
    return shape, tuple(_values(letter))


def _prepares(letter: Letter) -> bool:
    """Whether the mail says what to prepare: only to who has agreed to that."""
    return letter.level == ContactLevel.DETAILED and letter.preparation is not None and bool(letter.visits)


def _values(letter: Letter) -> Iterator[str]:
    """What a mail puts into its frame, in the order in which `_context` takes it."""
    zone, language = letter.host.zone, letter.language
    yield " ".join(letter.first_name.split())
    yield letter.link
    yield letter.stop
    yield _date(letter.agreed_on, language) if letter.agreed_on else ""
    yield _short(letter.until, zone, language) if letter.until else ""
    for visit in letter.visits:
        yield from _said(visit.starts_at, visit.home_at, zone, language)
    for was, visit in letter.moved:
        yield _when(was, zone, language)
        yield from _said(visit.starts_at, visit.home_at, zone, language)
    for visit in letter.added:
        yield from _said(visit.starts_at, visit.home_at, zone, language)
    for visit in letter.cancelled:
        yield _when(visit.starts_at, zone, language)
    for start in letter.offers:
        yield _when(start, zone, language)
    if letter.preparation and _prepares(letter):
        start = letter.visits[0].starts_at
        yield _before(letter.preparation.food_until, start, zone, language)
        yield _before(letter.preparation.drink_until, start, zone, language)


def _context(shape: Shape, values: Iterator[str]) -> dict[str, Any]:
    """What templates are given: the shape's facts, with the values in their places."""

    def row() -> dict[str, str]:
        return {name: next(values) for name in ("day", "clock", "time", "length")}

    context: dict[str, Any] = {
        "language": shape.language,
        "host": shape.host,
        "hours": _hours(shape.host.open),
        "one_date": shape.kind in ONE_DATE and shape.kind != MailKind.MISSED,  # that one is over
        "missing": shape.missing,
    }
    told = {"link": shape.link, "stop": shape.stop, "agreed_on": shape.agreed, "until": shape.until}
    context["first_name"] = next(values)
    context |= {name: value if there else "" for (name, there), value in zip(told.items(), values, strict=False)}
    context["visits"] = [row() for _ in range(shape.visits)]
    context["moved"] = [{"was": next(values), "now": row()} for _ in range(shape.moved)]
    context["added"] = [row() for _ in range(shape.added)]
    context["cancelled"] = [next(values) for _ in range(shape.cancelled)]
    context["offers"] = [next(values) for _ in range(shape.offers)]
    context["preparation"] = {"food": next(values), "drink": next(values)} if shape.prepares else None
    return context


# The frame of a shape.

#: Marks the place of a value. Random, so that nobody's name or address holds one.
_MARK = f"~{secrets.token_hex(8)}~"
_PLACES = re.compile(rf"{_MARK}(\d{{4}})")
_BLANK = re.compile(r"\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Filling:
    """A text with places: literal texts, and between each two of them the number of the value that stands there."""

    literals: tuple[str, ...]
    places: tuple[int, ...]

    @classmethod
    def of(cls, marked: str) -> Filling:
        """Read a text in which marks stand for values."""
        parts = _PLACES.split(marked)
        return cls(tuple(parts[0::2]), tuple(int(number) for number in parts[1::2]))

    def filled(self, values: Sequence[str]) -> str:
        """The text with its values."""
        parts = [""] * (2 * len(self.places) + 1)
        parts[0::2] = self.literals
        parts[1::2] = [values[place] for place in self.places]
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """A mail of one shape without its values."""

    subject: Filling
    text: Filling
    page: Filling


@lru_cache(maxsize=1024)
def _frame(shape: Shape) -> Frame:
    subject, text, page = render(shape, (f"{_MARK}{number:04}" for number in count()))
    return Frame(Filling.of(subject), Filling.of(text), Filling.of(page))


def render(shape: Shape, values: Iterator[str]) -> tuple[str, str, str]:
    """Subject, text and page of a mail, by its template."""
    with translation.override(shape.language):
        rendered = render_to_string(f"emails/{TEMPLATES[shape.kind]}.html", _context(shape, values))
    page = _BLANK.sub("\n", rendered).strip() + "\n"
    return *plain.read(page), page


# How things are said; each once for all the mails that say it.


@lru_cache(maxsize=8192)
def _said(starts_at: datetime, home_at: datetime, zone: ZoneInfo, language: str) -> tuple[str, str, str, str]:
    """A date as its day, its clock, its clock with zone, and how long it takes."""
    with translation.override(language):
        return (
            wording.day(starts_at, zone),
            wording.clock(starts_at, zone),
            wording.time(starts_at, zone),
            wording.length(home_at - starts_at),
        )


@lru_cache(maxsize=8192)
def _when(at: datetime, zone: ZoneInfo, language: str) -> str:
    with translation.override(language):
        return wording.when(at, zone)


@lru_cache(maxsize=8192)
def _short(at: datetime, zone: ZoneInfo, language: str) -> str:
    with translation.override(language):
        return wording.short(at, zone)


@lru_cache(maxsize=8192)
def _before(at: datetime, start: datetime, zone: ZoneInfo, language: str) -> str:
    """A time before a date: its clock, with the day when it is another."""
    if at.astimezone(zone).date() != start.astimezone(zone).date():
        return _short(at, zone, language)
    with translation.override(language):
        return wording.clock(at, zone)


@lru_cache(maxsize=8192)
def _date(day: date, language: str) -> str:
    with translation.override(language):
        return date_format(day, pgettext("a date without its weekday, in Django's format", "j F Y"))


def _hours(opened: tuple[tuple[int, time, time], ...]) -> str:
    """When somebody answers: "Monday to Friday, 08:00 to 18:00; Saturday, 08:00 to 12:00"."""
    days: dict[int, list[str]] = {}
    for weekday, opens, closes in opened:
        span = gettext("%(start)s to %(end)s") % {"start": f"{opens:%H:%M}", "end": f"{closes:%H:%M}"}
        days.setdefault(weekday, []).append(span)
    told = []
    # Neighbours keep the same distance to their place in the list.
    for (_, spans), group in groupby(enumerate(sorted(days)), key=lambda at: (at[1] - at[0], days[at[1]])):
        names = [str(WEEKDAYS[day]) for _, day in group]
        if len(names) > 1:
            names = [gettext("%(start)s to %(end)s") % {"start": names[0], "end": names[-1]}]
        told.append(", ".join([*names, *spans]))
    return "; ".join(told)
