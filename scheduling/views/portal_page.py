"""What the patient's page shows: the visit in words, what to prepare, what is open, all dates. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from patients import contact
from patients.models import Channel, ContactLevel, TaskKind
from scheduling import missing, wording
from scheduling.missing import Missing
from scheduling.models import UNDER_WAY, Reply, Session, SessionState
from scheduling.portal import moving
from scheduling.portal.access import AWAITED, Access


@dataclass(frozen=True, slots=True)
class Date:
    """A line among all dates: `visit` is what a form sends of it."""

    day: str
    clock: str
    visit: str
    comes: bool
    here: bool
    first: bool
    answers: bool


@dataclass(frozen=True)
class PortalPage:
    """The page for one link, in the language that is active."""

    access: Access
    now: datetime
    problem: Mapping[str, str]
    typed: Mapping[str, str]

    # The visit

    @property
    def session(self) -> Session | None:
        return self.access.session

    @property
    def zone(self) -> tzinfo:
        return self.access.site.zone

    @property
    def starts_at(self) -> datetime | None:
        about = self.session or self.access.evaluation
        return about.starts_at if about else None

    @property
    def home_at(self) -> datetime | None:
        if self.session:
            return self.session.discharge_at
        return self.access.evaluation.ends_at if self.access.evaluation else None

    @property
    def day(self) -> str:
        """ "Saturday 28 November", with the year when it is another one."""
        return _day(self.starts_at, self.now, self.zone) if self.starts_at else ""

    @property
    def clock(self) -> str:
        """ "10:00 – about 13:10"."""
        if self.starts_at is None or self.home_at is None:
            return ""
        times = {"start": wording.clock(self.starts_at, self.zone), "end": wording.clock(self.home_at, self.zone)}
        return _("%(start)s – about %(end)s") % times

    @property
    def length(self) -> str:
        """ "3 h 10 min"."""
        return wording.length(self.home_at - self.starts_at) if self.home_at and self.starts_at else ""

    @property
    def zone_name(self) -> str:
        return wording.zone_name(self.starts_at or self.now, self.zone)

    @property
    def visit(self) -> str:
        return _visit(self.session) if self.session else ""

    # Where it stands

    @property
    def state(self) -> str:
        """`open`, `comes`, `late` for one that should have begun, `new-time`, `here`, `over`, or nothing."""
        if self.session is None:
            return ""
        if self.session.state in UNDER_WAY:
            return "here"
        if self.session.state not in AWAITED:
            return "over"
        if self.session.needs_replan:
            return "new-time"
        if self.session.starts_at <= self.now:
            return "late"
        return "comes" if self.session.state == SessionState.CONFIRMED else "open"

    @property
    def is_next(self) -> bool:
        """No other visit comes before it."""
        return not self.access.sessions or self.session in (None, self.access.sessions[0])

    @property
    def to_come(self) -> bool:
        return self.state in ("open", "comes", "late", "new-time")

    @cached_property
    def _asked(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What waits for the desk: the kinds of lines, and of what, with what was said."""
        kinds = (TaskKind.CALL_ASKED, TaskKind.MOVE_ASKED)
        lines = self.access.patient.tasks.filter(kind__in=kinds, done_at=None)
        return {(kind, key): details for kind, key, details in lines.values_list("kind", "key", "details")}

    @property
    def called(self) -> dict[str, Any] | None:
        """When and at which number the desk has yet to call, empty for that which we have; None when it has not."""
        return self._asked.get((TaskKind.CALL_ASKED, ""))

    @property
    def best(self) -> str:
        """When to call, as it was just typed or asked for before."""
        return self.typed.get("best", (self.called or {}).get("best", ""))

    @property
    def number(self) -> str:
        """Where to call, as it was just typed or asked for before."""
        return self.typed.get("phone", (self.called or {}).get("phone", ""))

    @property
    def known_number(self) -> str:
        """The last two digits of the number that we have."""
        return self.access.patient.phone_digits[-2:]

    @cached_property
    def request_id(self) -> UUID:
        return uuid4()

    @property
    def wished(self) -> bool:
        """Another time was asked for, and the desk has not answered yet."""
        return self.session is not None and (TaskKind.MOVE_ASKED, str(self.session.pk)) in self._asked

    @cached_property
    def offered(self) -> bool:
        """The desk offers other times for the visit."""
        return self.session is not None and bool(moving.offers_of(self.session, self.now))

    # To prepare

    @cached_property
    def food(self) -> str:
        """From when on to eat nothing: "04:00", "23:00 the evening before"."""
        return self._before(self._fasting[0])

    @cached_property
    def drink(self) -> str:
        return self._before(self._fasting[1])

    @cached_property
    def _fasting(self) -> tuple[datetime, datetime]:
        course, session = self.access.course, self.session
        assert course is not None and session is not None  # noqa: S101, PT018 asked for visits of a course only
        return course.protocol.protocol.fasting(session.starts_at)

    def _before(self, at: datetime) -> str:
        clock = wording.clock(at, self.zone)
        if self.session and at.astimezone(self.zone).date() < self.session.local_date:
            return _("%(clock)s the evening before") % {"clock": clock}
        return clock

    @cached_property
    def _missing(self) -> frozenset[Missing]:
        return missing.of([self.session], now=self.now)[self.session.pk] if self.session else frozenset()

    @property
    def form_url(self) -> str:
        """Where the questionnaire is, when one is due."""
        return _url("portal-form", self.access.token) if Missing.FORM in self._missing else ""

    @cached_property
    def escort(self) -> Reply | None:
        reply = Reply.objects.filter(session=self.session).first() if self.session else None
        return reply if reply and reply.escort_name else None

    @property
    def escort_missing(self) -> bool:
        return Missing.ESCORT in self._missing

    # All dates

    @cached_property
    def dates(self) -> list[Date]:
        mine = self.session.pk if self.session else None
        return [
            Date(
                day=date_format(session.starts_at.astimezone(self.zone), "D j M"),
                clock=wording.clock(session.starts_at, self.zone),
                visit=_visit(session),
                comes=session.state == SessionState.CONFIRMED,
                here=session.pk == mine,
                first=number == 0,
                answers=not session.needs_replan,
            )
            for number, session in enumerate(self.access.sessions)
        ]

    @property
    def unanswered(self) -> list[Date]:
        return [date for date in self.dates if date.answers and not date.comes]

    @property
    def answered(self) -> list[Date]:
        return [date for date in self.dates if date.answers and date.comes]

    # Mails and links

    @property
    def move_url(self) -> str:
        return _url("portal-move", self.access.token)

    @property
    def stop_url(self) -> str:
        return _url("portal-stop", self.access.token)

    @property
    def asks_for_address(self) -> bool:
        return self.access.patient.email_verified_at is None

    @property
    def address(self) -> str:
        """The patient's mail address, as much of it as they recognise: "i…@example.org"."""
        user, _at, domain = self.access.patient.email.rpartition("@")
        return f"{user[:1]}…@{domain}"

    @property
    def detailed(self) -> bool:
        return self.access.patient.mail_level == ContactLevel.DETAILED

    @property
    def mailed(self) -> bool:
        return self.access.patient.mail_level in (ContactLevel.NEUTRAL, ContactLevel.DETAILED)

    @property
    def neutral_words(self) -> str:
        return contact.wording(Channel.EMAIL, ContactLevel.NEUTRAL, translation.get_language() or "en")

    @property
    def detailed_words(self) -> str:
        return contact.wording(Channel.EMAIL, ContactLevel.DETAILED, translation.get_language() or "en")

    @property
    def other_language(self) -> bool:
        """The page is read in another language than mails are written in."""
        return self.access.language != (translation.get_language() or "")


def _visit(session: Session) -> str:
    """What a form sends of a visit: which, and the version of the times that were shown."""
    return f"{session.pk}.{session.times_version}"


def _day(at: datetime, now: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    if local.year == now.astimezone(zone).year:
        return date_format(local.date(), pgettext("a date without its year, in Django's format", "l j F"))
    return wording.day(at, zone)


def _url(name: str, token: str) -> str:
    """The address of a page, empty where this clinic has none of it."""
    try:
        return reverse(name, args=[token])
    except NoReverseMatch:
        return ""
