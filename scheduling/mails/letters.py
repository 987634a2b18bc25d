"""What a queued mail says at the moment at which it is sent, or why it is not sent any more.

A row of the outbox says only whom it concerns and what happened; dates are read when it goes out, so no mail tells a
date that has changed since. What the patient has not been told by an earlier mail - it was replaced, or failed - is
told along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from email.utils import parseaddr
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q
from django.utils import translation
from django.utils.formats import date_format

from clinic.findings import gettext_noop
from clinic.models import Site
from patients.models import Patient
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.emails import Letter
from scheduling.models import FREED, Course, Mail, MailKind, MailState, Session, SessionState

#: The patient is expected and has not come yet.
EXPECTED = (SessionState.BOOKED, SessionState.CONFIRMED)

NO_ADDRESS = gettext_noop("The patient has no mail address any more.")
REPLACED = gettext_noop("A later mail says it.")
NOT_EXPECTED = gettext_noop("The patient is not expected then any more.")
NOTHING_NEW = gettext_noop("Nothing is left to tell.")
NEEDS_TIME = gettext_noop("The visit needs a new time.")
TOO_LATE = gettext_noop("It could not be sent in time.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a mail, and why when it is not sent; `tried`: the mail server was asked."""

    state: MailState
    reason: str = ""
    tried: bool = False


def write(mail: Mail, *, now: datetime) -> Letter | Outcome:
    """What the mail says now. Expects patient, course, its site and the session at hand; for news it reads the
    course's sessions and earlier news, two statements."""
    if not mail.patient.email:
        return Outcome(MailState.FAILED, NO_ADDRESS)
    assert mail.course is not None  # noqa: S101 the constraint mail_about; no mail about an evaluation is queued
    return _reminder(mail, mail.session, mail.course, now) if mail.session else _news(mail, mail.course, now)


def private_values(patient: Patient) -> tuple[str, ...]:
    """The patient's own values that no mail may show: record number, and the birth date as it is written."""
    # A shorter number would be found in dates and house numbers.
    number = [patient.record_number] if len(patient.record_number) > 4 else []
    return (*number, *_written(patient.birth_date))


@lru_cache(maxsize=4096)
def _written(day: date) -> tuple[str, ...]:
    """The usual ways to write a date, in all languages of the clinic."""
    numbers = [day.strftime(form) for form in ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d.%m.%Y")]
    numbers += [f"{day.month}/{day.day}/{day.year}", f"{day.day}/{day.month}/{day.year}"]
    words = []
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            words += [date_format(day, form) for form in ("j F Y", "F j, Y", r"j \d\e F \d\e Y")]
    return tuple(dict.fromkeys(numbers + words))


def _reminder(mail: Mail, session: Session, course: Course, now: datetime) -> Letter | Outcome:
    if session.times_version != mail.times_version or session.state not in EXPECTED:
        return Outcome(MailState.WITHDRAWN, NOT_EXPECTED)
    if session.starts_at <= now or _expired(mail, now):
        return Outcome(MailState.FAILED, TOO_LATE)
    if session.needs_replan:  # nobody is reminded of a time that no longer fits; it may fit again, or be moved
        return Outcome(MailState.DUE, NEEDS_TIME)
    return replace(_blank(mail, course), visits=(_visit(session, course),))


def _news(mail: Mail, course: Course, now: datetime) -> Letter | Outcome:
    untold = _untold(mail)
    if untold is None:
        return Outcome(MailState.WITHDRAWN, REPLACED)
    # What a new course takes the place of is told with it, in one mail.
    mine = Q(course=course) | Q(pk__in=untold.cancelled)
    sessions = Session.objects.filter(mine).select_related("course").order_by("during__startswith")
    moved, added, cancelled, standing = [], [], [], []
    for session in sessions:
        visit = _visit(session, session.course)
        was = untold.was.get(session.pk, session.starts_at)
        if session.state in EXPECTED and session.starts_at > now:
            standing.append(visit)
            if session.pk in untold.added:
                added.append(visit)
            elif was != session.starts_at:
                moved.append((was, visit))
        elif session.pk in untold.cancelled and was > now:
            cancelled.append(replace(visit, starts_at=was, home_at=was + (visit.home_at - visit.starts_at)))
    if standing if mail.kind == MailKind.BOOKED else moved or added or cancelled:
        return replace(
            _blank(mail, course),
            visits=tuple(standing),
            moved=tuple(moved),
            added=tuple(added),
            cancelled=tuple(cancelled),
        )
    if _expired(mail, now):
        return Outcome(MailState.FAILED, TOO_LATE)
    return Outcome(MailState.WITHDRAWN, NOTHING_NEW)


@dataclass(slots=True)
class _Untold:
    """What has changed since the patient last heard of a course: earlier starts of what was moved, by session."""

    was: dict[int, datetime] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)

    def also(self, details: Mapping[str, Any]) -> None:
        """Take in what a verb has told `reminders.renew`; the earliest start is the one that the patient knows."""
        for move in details.get("moved", ()):
            self.was.setdefault(move["session"], datetime.fromisoformat(move["from"]["starts_at"]))
        self.added.update(details.get("added", ()))
        self.cancelled.update(details.get("cancelled", ()))


def _untold(mail: Mail) -> _Untold | None:
    """What this mail has to tell beside the dates that stand; None when a later mail tells it."""
    untold = _Untold()
    news = Mail.objects.filter(course=mail.course, session=None).order_by("pk").values_list("pk", "state", "details")
    for pk, state, details in news:
        if pk > mail.pk:
            return None
        if state == MailState.SENT:
            untold = _Untold()
        else:
            untold.also(details)
    return untold


def _expired(mail: Mail, now: datetime) -> bool:
    return mail.expires_at is not None and mail.expires_at <= now


def _blank(mail: Mail, course: Course) -> Letter:
    """The mail without any dates."""
    return Letter(
        kind=MailKind(mail.kind),
        key=key_of(mail),
        recipient=mail.patient.email,
        first_name=mail.patient.first_name,
        language=mail.patient.language,
        host=_host(course.site),
    )


def _host(site: Site) -> Host:
    return Host(
        name=site.neutral_name,
        address=site.address,
        phone=site.phone,
        mail=parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        zone=ZoneInfo(site.time_zone),
    )


def _visit(session: Session, course: Course) -> Visit:
    """One step past its last version for a session that was given up: calendars then take it out."""
    return Visit(
        uid=_key("visit", session.pk, course.created_at),
        sequence=session.times_version + (session.state in FREED),
        starts_at=session.starts_at,
        home_at=session.discharge_at,
    )


def key_of(mail: Mail) -> str:
    """What names a mail for ever, in its Message-ID."""
    return _key("mail", mail.pk, mail.created_at)


def _key(what: str, pk: int, created_at: datetime) -> str:
    """A name that stays the same, is nobody else's in the world, and shows no number of ours."""
    return str(uuid5(NAMESPACE_OID, f"{what} {pk} {created_at.isoformat()}"))
