"""The calendar: a week or a day by chair or by prescriber, and where a visit on it could go instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.formats import date_format

from clinic import clock
from clinic.errors import DomainError
from clinic.findings import Level
from clinic.http import actor, page, site_of
from clinic.models import Site, Staff
from clinic.permissions import Verb, allowed, declare
from scheduling import moving, weeks
from scheduling.models import PhaseChoice, Session, SessionState
from scheduling.templatetags.calendars import day_note
from scheduling.templatetags.visits import STATES
from scheduling.views import board
from scheduling.views.day_words import initials
from scheduling.weeks import Column, Visit, Week


@dataclass(frozen=True, slots=True)
class Look:
    """What of the calendar is looked at: the date it is about, a week or a day, and what the rows are."""

    day: date
    view: str
    by: str
    today: date

    @classmethod
    def of(cls, request: HttpRequest, day: date | None, today: date) -> Look:
        view = "day" if request.GET.get("view") == "day" else "week"
        by = "prescriber" if request.GET.get("by") == "prescriber" else "chair"
        return cls(day or today, view, by, today)

    @property
    def dates(self) -> list[date]:
        return [self.day] if self.view == "day" else weeks.week_of(self.day)

    def url(self, **other: Any) -> str:
        """The address of this look, or of the one that differs in this from it."""
        day, view, by = (other.get(name, getattr(self, name)) for name in ("day", "view", "by"))
        asked = {name: value for name, value in (("view", view), ("by", by)) if value not in ("week", "chair")}
        return reverse("calendar-day", args=[day]) + (f"?{urlencode(asked)}" if asked else "")

    def links(self) -> dict[str, str]:
        """Where the buttons of the page lead."""
        step = timedelta(days=len(self.dates))
        return {
            "previous": self.url(day=self.day - step),
            "next": self.url(day=self.day + step),
            "today": self.url(day=self.today),
            "day": self.url(view="day"),
            "week": self.url(view="week"),
            "chair": self.url(by="chair"),
            "prescriber": self.url(by="prescriber"),
        }


class Cell(NamedTuple):
    """What a row of the table has on a date."""

    column: Column
    visits: Sequence[Visit]
    off: Sequence[weeks.Off]


class Row(NamedTuple):
    """A chair or a prescriber with its cells."""

    name: str
    cells: Sequence[Cell]


@page(GET=Verb.SEE)
def calendar(request: HttpRequest, day: date | None = None) -> HttpResponse:
    """The week around a date, or the date alone (`?view=day`), by chair or by prescriber (`?by=prescriber`).

    `?move=` takes a visit along that is being moved to these dates.
    """
    now, site = clock.now(), site_of(request)
    look = Look.of(request, day, now.astimezone(site.zone).date())
    week = weeks.read(site, look.dates, shifts=look.by == "prescriber")
    context = {
        "section": "calendar",
        "site": site,
        "look": look,
        "links": look.links(),
        "strip": [(column, look.url(day=column.date)) for column in week.days],
        "week": week,
        "rows": list(_rows(week, look.by)),
        "shown": next((column.date for column in week.days if column.date >= look.day), week.days[-1].date),
        "names": {staff.pk: initials(staff) for staff in week.prescribers}
        if look.by == "chair"
        else {chair.pk: chair.name for chair in week.chairs},
        "now": now,
        "data": _data(week, look, now=now, may_move=allowed(actor(request), Verb.BOOK), moving=_moving(request, site)),
    }
    return render(request, "calendar.html", context)


@declare(GET=Verb.SEE)
def version(request: HttpRequest, day: date) -> HttpResponse:
    """How often the week around a date has changed at a site (`?site=`): what open calendars ask every few seconds."""
    return board.pulse(request, weeks.week_of(day))


@page(GET=Verb.BOOK)
def starts(request: HttpRequest, session_id: int, day: date) -> HttpResponse:
    """Where a visit could go in the week around a date, with anybody or only with `?prescriber=`, for marking it.

    409 with a sentence when it cannot be moved any more.
    """
    found = Session.objects.select_related("course__site", "course__protocol", "course__patient")
    session = get_object_or_404(found, pk=session_id, site__staff=actor(request))
    dates = weeks.week_of(day)
    try:
        windows = moving.possible_starts(
            actor=actor(request),
            session=session,
            first=dates[0],
            last=dates[-1],
            prescriber=_number(request.GET.get("prescriber", "")) or None,
            now=clock.now(),
        )
    except DomainError as error:
        return JsonResponse({"message": error.message}, status=error.status)
    site = session.course.site
    return JsonResponse({"step": site.start_step, "windows": [part for one in windows for part in _window(one, site)]})


def _window(window: moving.Window, site: Site) -> Iterator[list[Any]]:
    """A window as the page's script reads it: date, chair, prescriber, first and last start on the site's clocks,
    whether it needs an override, and the first start in UTC; in two parts where the clocks change within it."""
    step = timedelta(minutes=site.start_step)
    first = at = window.first
    offset = first.astimezone(site.zone).utcoffset()
    while at <= window.last:
        following = at + step
        changed = following.astimezone(site.zone).utcoffset() != offset
        if following > window.last or changed:
            begins, ends = (weeks.minutes_of(window.date, end, site.zone) for end in (first, at))
            override = window.level == Level.OVERRIDE
            place = [window.date.isoformat(), window.chair, window.prescriber]
            yield [*place, begins, ends, int(override), f"{first.astimezone(UTC):%Y-%m-%dT%H:%M}"]
            first, offset = following, following.astimezone(site.zone).utcoffset()
        at = following


def _head(day: date) -> list[str]:
    return [day.isoformat(), date_format(day, "D j M")]


def _rows(week: Week, by: str) -> Iterator[Row]:
    """The table: a row for each chair, or for each prescriber, a cell for each date."""
    visits: dict[tuple[int, date], list[Visit]] = {}
    off: dict[tuple[int | None, date], list[weeks.Off]] = {}
    for visit in week.visits:
        visits.setdefault((getattr(visit, by), visit.date), []).append(visit)
    for gap in week.off:
        if gap.reason and gap.chair is not None and by == "chair":
            off.setdefault((gap.chair, gap.date), []).append(gap)
    for one in week.chairs if by == "chair" else week.prescribers:
        name = one.short_name if isinstance(one, Staff) else one.name
        cells = [Cell(day, visits.get((one.pk, day.date), ()), off.get((one.pk, day.date), ())) for day in week.days]
        yield Row(name, cells)


def _number(text: str) -> int:
    """An id in an address; 0, which nothing has, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _moving(request: HttpRequest, site: Site) -> Visit | None:
    session = _number(request.GET.get("move", ""))
    return weeks.visit(site, session) if session else None


def _data(week: Week, look: Look, *, now: datetime, may_move: bool, moving: Visit | None) -> dict[str, Any]:
    """What the page's script draws: lists instead of objects, and numbers that point into them, for there are many."""
    chairs = {chair.pk: place for place, chair in enumerate(week.chairs)}
    prescribers = {staff.pk: place for place, staff in enumerate(week.prescribers)}
    days = {column.date: place for place, column in enumerate(week.days)}
    known = [*week.visits, moving] if moving else week.visits
    shapes = list(dict.fromkeys(visit.shape for visit in known))
    states = list(SessionState)

    def row(visit: Visit) -> list[Any]:
        return [
            visit.session,
            visit.course,
            chairs.get(visit.chair, 0),
            prescribers.get(visit.prescriber, 0),
            days.get(visit.date, -1),
            visit.start,
            visit.end,
            shapes.index(visit.shape),
            states.index(visit.state),
            visit.number,
            visit.of if visit.phase == PhaseChoice.INITIAL else 0,
            visit.family,
            visit.first,
            int(visit.needs_replan),
            visit.expected,
        ]

    return {
        "view": look.view,
        "by": look.by,
        "version": week.version,
        "zone": week.site.time_zone,
        "now": round(now.timestamp()),
        "mayMove": may_move,
        "hours": week.hours,
        "step": week.site.start_step,
        "days": [[*_head(column.date), day_note(column, look.today)] for column in week.days],
        "chairs": [[chair.pk, chair.name] for chair in week.chairs],
        "prescribers": [[staff.pk, staff.short_name, initials(staff)] for staff in week.prescribers],
        "shapes": shapes,
        "states": [[state, state.label, STATES[state][0]] for state in states],
        "visits": [row(visit) for visit in week.visits],
        "moving": row(moving) if moving else None,
        "elsewhere": _head(moving.date) if moving else None,
        "off": [
            [
                days[gap.date],
                gap.start,
                gap.end,
                -1 if gap.chair is None else chairs.get(gap.chair, -2),
                -1 if gap.prescriber is None else prescribers[gap.prescriber],
                gap.reason,
            ]
            for gap in week.off
        ],
    }
