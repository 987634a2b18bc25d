"""The page on which a visit gets another time, and the look before it that the calendar shows, too: what the move
breaks, which later visits could move with it, who has to sign. It reads; `sessions.move` hands its wish to the verb."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from uuid import uuid4

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from clinic.errors import DomainError, RulesBroken
from clinic.findings import Finding, Level
from clinic.http import actor, back_of
from scheduling import drafts, moving
from scheduling.booking import Change, SlotTaken
from scheduling.drafts import Names, Shown
from scheduling.forms import DayForm, EditForm, SignForm
from scheduling.judging import place_of
from scheduling.models import Session
from scheduling.moving import Cascade, Window
from scheduling.protocols.types import Place
from scheduling.views.signing import request_id_of, sign

#: Days in which possible times are looked for, and how many times of a day are offered (P).
DAYS = 14
A_DAY = 3
#: Of how many dates times are offered in place of one that is lost, in the calendar's panel (P).
A_PANEL = 2

#: Levels of times that can be offered, the gentlest first.
GENTLEST = (None, Level.WARN, Level.OVERRIDE)


@dataclass(frozen=True, slots=True)
class Offered:
    """A time that the page offers, with the worst that the rules would say."""

    shown: Shown
    level: Level | None


@dataclass(frozen=True, slots=True)
class OfferedDay:
    """A date with a few times to choose from."""

    date: date
    times: tuple[Offered, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """A later visit that would move along."""

    session: Session
    was: Shown
    now: Shown

    @property
    def code(self) -> str:
        return f"{self.session.pk} {self.now.code}"


class Move:
    """One request to move a visit: choose a time, look at what the rules say, move."""

    def __init__(self, request: HttpRequest, session: Session, now: datetime) -> None:
        self.request, self.session, self.now = request, session, now
        self.site = session.course.site
        act = "take" if "take" in request.POST else request.POST.get("act", "")
        committing = act == "move"
        offered = self._offered_place(act)
        self.edit = EditForm(
            request.POST if act == "look" else None,
            initial=EditForm.values(offered or place_of(session), self.site),
            site=self.site,
        )
        self.sign = SignForm(request.POST if committing else None, site=self.site, actor=actor(request), prefix="sign")
        self.place = self.edit.place if act == "look" and self.edit.is_valid() else offered
        self.commits = committing and self.place is not None
        self.together = request.POST.get("with") == "all"
        self.findings: tuple[Finding, ...] = ()
        self.cascade: Cascade | None = None
        self.refusal = ""
        self.lost: date | None = None
        self.status = 422 if self.edit.is_bound and not self.edit.is_valid() else 200

    def _offered_place(self, act: str) -> Place | None:
        """The one whose button was pressed, or that the look was about."""
        try:
            name = {"take": "take", "move": "place"}.get(act)
            return drafts.decode(self.request.POST[name]) if name else None
        except (KeyError, ValueError) as error:
            raise SuspiciousOperation("a time that the page did not offer") from error

    @property
    def back(self) -> str:
        """Where to go after the move: to the page that asked, otherwise to the course."""
        return back_of(self.request)

    @property
    def also(self) -> list[tuple[Session, Place]]:
        """The visits that move along, as the page has shown them; none for the move alone."""
        if not self.together:
            return []
        try:
            wanted = [text.split(" ", 1) for text in self.request.POST.getlist("also")]
            places = {int(pk): drafts.decode(code) for pk, code in wanted}
        except ValueError as error:
            raise SuspiciousOperation("a time that the page did not offer") from error
        found = Session.objects.filter(course=self.session.course_id, pk__in=places)
        return [(session, places[session.pk]) for session in found]

    # The two acts: a look, and the move

    def look(self) -> None:
        """What the rules say to the chosen time, and what could mend it; nothing is written."""
        if self.place is None:
            return
        try:
            change = moving.move_session(
                actor=actor(self.request), session=self.session, place=self.place, dry_run=True, now=self.now
            )
            self.findings = change.findings
        except RulesBroken as error:
            self.findings = error.findings
            self.cascade = moving.cascade(
                actor=actor(self.request), session=self.session, place=self.place, now=self.now
            )
            if self.blocked and not self.status >= 400:
                self.status = 422
        except SlotTaken:
            self.taken()
        except DomainError as error:
            self.refusal, self.status, self.place = error.message, 422, None

    def commit(self) -> Change:
        """The move; raises what the verb raises."""
        assert self.place is not None  # noqa: S101 it commits only with a place
        return moving.move_session(
            actor=actor(self.request),
            session=self.session,
            place=self.place,
            also=self.also,
            override=None if self.together else sign(self.request, self.sign),
            request_id=request_id_of(self.request),
            now=self.now,
        )

    def refused(self, error: DomainError) -> None:
        """Keep what was chosen and say why it cannot be; a time that is taken gives way to others."""
        self.status = 409 if error.status == 409 else 422
        if isinstance(error, SlotTaken):
            self.taken()
            return
        self.refusal = error.message
        self.look()

    def taken(self) -> None:
        """Another booking was quicker: the times that are left are offered."""
        self.lost = self.place.starts_at.astimezone(self.site.zone).date() if self.place else None
        self.status, self.place = 409, None
        self.refusal = _("The time that was chosen is taken. These are the next possible ones.")

    # What is shown

    @property
    def blocked(self) -> bool:
        """Nobody can move it there alone."""
        return any(finding.level == Level.BLOCK for finding in self.findings)

    def render(self) -> HttpResponse:
        """The page as it stands; for htmx only the look."""
        course = self.session.course
        shape = course.protocol.protocol.visit
        context = {
            "section": "patients",
            "session": self.session,
            "course": course,
            "patient": course.patient,
            "site": self.site,
            "was": self.names.show(place_of(self.session), shape),
            "chosen": self.names.show(self.place, shape) if self.place else None,
            "edit": self.edit,
            "sign": self.sign,
            "findings": self.findings,
            "together": self._together(),
            "after": self.cascade.findings if self.cascade and self.cascade.moves else (),
            "hopeless": self.cascade.none if self.cascade else None,
            "alone": self.sign.is_bound and not self.together,
            "blocked": self.blocked,
            "needed": sorted({finding.rule for finding in self.findings if finding.level == Level.OVERRIDE}),
            "refusal": self.refusal,
            "back": self.back,
            "request_id": request_id_of(self.request) or uuid4(),
        }
        if self.request.htmx:  # type: ignore[attr-defined]  # set by HtmxMiddleware
            context["others"] = self._offered(self._first())[:A_PANEL] if self.lost else ()
            return render(self.request, "courses/look.html", context | {"part": True}, status=self.status)
        first = self._first()
        context |= {
            "days": self._offered(first),
            "first": first,
            "later": first + timedelta(days=DAYS),
            "earlier": max(self._today, first - timedelta(days=DAYS)) if first > self._today else None,
        }
        return render(self.request, "courses/move.html", context, status=self.status)

    @cached_property
    def names(self) -> Names:
        return Names.of(self.site)

    def _together(self) -> list[Together]:
        shape = self.session.course.protocol.protocol.visit
        return [
            Together(other, self.names.show(place_of(other), shape), self.names.show(place, shape))
            for other, place in (self.cascade.moves if self.cascade else ())
        ]

    @cached_property
    def _today(self) -> date:
        return self.now.astimezone(self.site.zone).date()

    def _first(self) -> date:
        """From which date times are offered: the one that was asked for, that of a time that is lost, otherwise around
        the visit's own."""
        asked = DayForm(self.request.GET)
        if asked.is_valid():
            wanted: date = asked.cleaned_data["date"]
            return max(self._today, wanted)
        return max(self._today, self.lost or self.session.local_date - timedelta(days=2))

    def _offered(self, first: date) -> list[OfferedDay]:
        """A few times of each date, the gentlest level of the date first of all; none when nothing can be offered."""
        last = first + timedelta(days=DAYS - 1)
        try:
            windows = moving.possible_starts(
                actor=actor(self.request), session=self.session, first=first, last=last, now=self.now
            )
        except DomainError as error:
            self.refusal = self.refusal or error.message
            return []
        shape = self.session.course.protocol.protocol.visit
        days = []
        for day, found in groupby(windows, key=lambda window: window.date):
            times = [
                Offered(self.names.show(place, shape), level)
                for place, level in self._few(list(found))
                if place != place_of(self.session)
            ]
            if times:
                days.append(OfferedDay(day, tuple(times)))
        return days

    def _few(self, windows: Sequence[Window]) -> list[tuple[Place, Level | None]]:
        """Of the gentlest windows the first start, the last and the one nearest to the old hour, in the old chair."""
        gentlest = min((window.level for window in windows), key=GENTLEST.index)
        fitting = [window for window in windows if window.level == gentlest]
        wall = self.session.starts_at.astimezone(self.site.zone).time()
        aim = datetime.combine(windows[0].date, wall, self.site.zone).astimezone(UTC)
        starts = {_nearest(window, aim, timedelta(minutes=self.site.start_step)) for window in fitting}
        nearest = min(starts, key=lambda start: abs(start - aim))
        wanted = {min(window.first for window in fitting), nearest, max(window.last for window in fitting)}
        return [self._at(start, fitting) for start in sorted(wanted)[:A_DAY]]

    def _at(self, start: datetime, windows: Iterable[Window]) -> tuple[Place, Level | None]:
        able = [window for window in windows if window.first <= start <= window.last]
        best = min(able, key=lambda window: window.chair != self.session.chair_id)
        return Place(start, best.chair, best.prescriber), best.level


def _nearest(window: Window, aim: datetime, step: timedelta) -> datetime:
    """The start of a window that is nearest to a time."""
    steps = round((min(max(aim, window.first), window.last) - window.first) / step)
    return window.first + steps * step
