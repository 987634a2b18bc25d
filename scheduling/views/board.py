"""The day board: what every chair does on one date, as a list in order of time."""

from __future__ import annotations

from datetime import date, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clinic import clock
from clinic.http import actor, page, site_of
from clinic.permissions import Verb
from scheduling import board as reads
from scheduling.forms import DayForm


@page(GET=Verb.SEE)
def board(request: HttpRequest, day: date | None = None) -> HttpResponse:
    """One date of the site, today without one. The date picker asks with `?date=` and is led to the date's address."""
    picked = DayForm(request.GET)
    if "date" in request.GET and picked.is_valid():
        return redirect("board-day", picked.cleaned_data["date"])
    now, site = clock.now(), site_of(request)
    today = reads.site_day(actor=actor(request), site=site.pk, day=day, now=now)
    if today is None:
        raise Http404
    shown = reads.board(today, now=now)
    context = {
        "section": "board",
        "site": site,
        "board": shown,
        "count": sum(1 for _ in shown.visits),
        "now": now,
        "today": now.astimezone(site.zone).date(),
        "previous": today.date - timedelta(days=1),
        "next": today.date + timedelta(days=1),
        "next_open": shown.next_open if shown.closed else None,
    }
    return render(request, "board.html", context)
