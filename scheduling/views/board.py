"""The day board, the home: what every chair does on one date, what comes next, how full it is."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from clinic import clock, phrases
from clinic.converters import DateConverter
from clinic.http import actor, page, site_of
from clinic.permissions import Verb, allowed, declare
from scheduling import board as reads
from scheduling.forms import DayForm
from scheduling.views import day_load, day_next, day_scale, day_sheet, day_visit


@page(GET=Verb.SEE)
def board(request: HttpRequest, day: date | None = None) -> HttpResponse:
    """One date of the site, today without one; only the part that changes for a script that follows it.

    The date picker asks with `?date=` and is led to the date's address.
    """
    picked = DayForm(request.GET)
    if "date" in request.GET and picked.is_valid():
        return redirect("board-day", picked.cleaned_data["date"])
    now, site = clock.now(), site_of(request)
    today = reads.site_day(actor=actor(request), site=site.pk, day=day, now=now)
    if today is None:
        raise Http404
    shown = reads.board(today, now=now)
    part = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    with phrases.remembered():
        drawn = _drawn(shown, request)
    context = {"section": "board", "site": site, "now": now, **drawn}
    response = render(request, "board/day.html" if part else "board.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _drawn(shown: reads.Board, request: HttpRequest) -> dict[str, object]:
    """What the templates place: the board itself, and what is drawn of it where there is anything to draw; with the
    steps of visits for those who run them."""
    may = {"runs": Verb.RUN_VISIT, "books": Verb.BOOK, "reviews": Verb.REVIEW}
    held = {name: allowed(actor(request), verb) for name, verb in may.items()}
    today = shown.now.astimezone(shown.site.zone).date()
    scale = day_scale.scale_of(shown) if shown.chairs else None
    read = day_visit.reading(shown, scale, **held, path=request.path) if scale else None
    around = {"previous": shown.date - timedelta(days=1), "next": shown.date + timedelta(days=1)}
    return {
        "board": shown,
        "today": today,
        "facts": day_next.counted(shown),
        "scale": scale,
        "sheet": day_sheet.sheet(read) if read else None,
        "load": day_load.load_of(shown, scale) if scale else None,
        "list": day_next.whats_next(read) if read else None,
        "nobody": bool(shown.opening) and not any(shift.staff.is_prescriber for shift in shown.shifts),
        **{name: other if DateConverter.reaches(other) else None for name, other in around.items()},
    }


@declare(GET=Verb.SEE)
def version(request: HttpRequest, day: date) -> HttpResponse:
    """How often a date of a site (`?site=`) has changed: what open boards ask every few seconds."""
    return pulse(request, [day])


def pulse(request: HttpRequest, dates: Collection[date]) -> HttpResponse:
    """How often these dates of a site (`?site=`) have changed and how many tasks wait, in one query with the sign-in.
    Renews nothing, writes nothing; 401 for somebody who is not signed in.

    Everybody who is signed in may see: the number says nothing, and what is then fetched is judged in full.
    """
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET"])
    site = request.GET.get("site", "")
    found = reads.pulse(
        key=request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""),
        site=int(site) if site.isdecimal() and len(site) < 10 else 0,
        dates=dates,
        now=timezone.now(),
    )
    if found is None:
        return JsonResponse({"code": "signed_out", "message": _("You are signed out.")}, status=401)
    return JsonResponse({"version": found.version, "tasks": found.tasks}, headers={"Cache-Control": "no-store"})
