"""The times that the desk opens for patients, so that they move visits by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from clinic.errors import DomainError, Invalid
from clinic.http import actor, page, site_of
from clinic.models import Site, Staff
from clinic.permissions import Verb
from scheduling import openings, self_service
from scheduling.protocols.library import STANDARD
from scheduling.self_service import SelfService, Window

#: The notices that the page offers, in hours (P); the site's own stands beside them.
NOTICES = (12, 24, 48, 72, 96, 168)


@dataclass(frozen=True, slots=True)
class Weekday:
    """A day of the week: its windows, each with what a form sends to take it away, and the site's hours."""

    number: int
    name: object
    windows: tuple[tuple[str, Window], ...]
    hours: tuple[tuple[time, time], ...]

    @property
    def suggested(self) -> tuple[time, time]:
        """What the fields for one more window hold: the first start, and the last from which a usual visit still ends
        before the clinic closes."""
        first, length = self.hours[0][0], STANDARD.visit.length // timedelta(minutes=1)
        able = [(opens, _minutes(closes) - length) for opens, closes in self.hours]
        last = max((latest for opens, latest in able if latest >= _minutes(opens)), default=_minutes(first))
        return first, time(last // 60, last % 60 // 10 * 10)


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def hours(request: HttpRequest) -> HttpResponse:
    """See what is open; open and close windows, change the notice."""
    site = site_of(request)
    if request.method != "POST":
        return _page(request, site)
    try:
        _act(request, actor(request), site)
    except DomainError as error:
        return _page(request, site, error.message)
    messages.success(request, _("Saved: patients see it at once."))
    return redirect("self-service")


def _act(request: HttpRequest, me: Staff, site: Site) -> SelfService:
    """Do what a button asks for. Raises DomainError."""
    sent = request.POST
    if "close" in sent:
        return self_service.close_window(actor=me, site=site, window=_window(*sent["close"].split(" ")))
    if "notice" in sent:
        hours = sent["notice"]
        if not (hours.isdecimal() and len(hours) < 5):
            raise Invalid.at("notice", _("Say how many hours before."))
        return self_service.set_notice(actor=me, site=site, hours=int(hours))
    return self_service.open_window(
        actor=me,
        site=site,
        window=_window(sent.get("weekday", ""), sent.get("opens", ""), sent.get("closes", "")),
    )


def _window(weekday: str = "", opens: str = "", closes: str = "", *_more: str) -> Window:
    try:
        return Window(int(weekday), time.fromisoformat(opens), time.fromisoformat(closes))
    except ValueError as error:
        raise Invalid.at("opens", _("Say the first start and the last, such as 09:00 and 12:00.")) from error


def _page(request: HttpRequest, site: Site, refusal: str = "") -> HttpResponse:
    known = self_service.read(site)
    opening = openings.hours_of(site)
    windows = self_service.by_weekday(known.windows)
    week = [
        Weekday(
            day,
            WEEKDAYS[day],
            tuple((f"{day} {one.opens:%H:%M} {one.closes:%H:%M}", one) for one in windows[day]),
            tuple(sorted(opening.get(day, ()))),
        )
        for day in range(7)
        if opening.get(day) or windows[day]
    ]
    context = {
        "section": "calendar",
        "week": week,
        "closed": [WEEKDAYS[day] for day in range(7) if not opening.get(day)],
        "known": known,
        "open_days": [day for day in week if day.windows],
        "notices": sorted({*NOTICES, site.self_service_notice}),
        "refusal": refusal,
        "typed": request.POST if refusal else {},
    }
    return render(request, "desk/self_service.html", context, status=422 if refusal else 200)
