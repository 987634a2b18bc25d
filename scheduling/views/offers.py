"""Other times for a visit, which the desk offers its patient by mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import clock
from clinic.errors import DomainError
from clinic.findings import Level
from clinic.http import actor, back_of, go, page
from clinic.permissions import Verb
from patients.models import Task, TaskKind
from patients.worklist import text_of
from scheduling import fitting, offering, wording
from scheduling.forms import DayForm
from scheduling.models import Session
from scheduling.views import instants
from scheduling.views.signing import request_id_of

#: Days in which times are looked for, and how many of a day are shown (P).
DAYS, A_DAY = 14, 5

#: How long an offer can stand, in hours (P); the second is what is chosen first.
STANDS = (4, 24, 48, 96)


@dataclass(frozen=True, slots=True)
class Start:
    """A time that can be offered: `code` is what a form sends of it, `level` the worst that the rules say to it.
    `wished`: it is what the patient asks for."""

    code: str
    starts_at: datetime
    level: Level | None
    chosen: bool
    wished: bool


@page(GET=Verb.BOOK, POST=Verb.BOOK)
def offer(request: HttpRequest, session_id: int) -> HttpResponse:
    """Choose up to three times and until when they stand; the mail goes out at once."""
    found = Session.objects.select_related("course__patient", "course__site", "course__protocol", "chair", "prescriber")
    session, now = get_object_or_404(found, pk=session_id), clock.now()
    if request.method != "POST":
        return _page(request, session, now)
    try:
        made = offering.offer_times(
            actor=actor(request),
            session=session,
            starts=[at for text in request.POST.getlist("start") if (at := instants.read(text))],
            until=instants.read(request.POST.get("until", "")) or now,
            request_id=request_id_of(request),
            now=now,
        )
    except DomainError as error:
        return _page(request, session, now, error)
    told = ngettext(
        "%(count)s other time is offered by mail; the visit stands until one is taken.",
        "%(count)s other times are offered by mail; the visit stands until one is taken.",
        len(made.offers),
    )
    messages.success(request, told % {"count": len(made.offers)})
    back = back_of(request)
    return go(request, back) if back else go(request, "course", session.course_id)


def _page(request: HttpRequest, session: Session, now: datetime, refused: DomainError | None = None) -> HttpResponse:
    course, zone = session.course, session.course.site.zone
    today = now.astimezone(zone).date()
    asked = DayForm(request.GET)
    first: date = asked.cleaned_data["date"] if asked.is_valid() else session.local_date - timedelta(days=2)
    first = max(today, first)
    wish = Task.objects.filter(kind=TaskKind.MOVE_ASKED, patient=course.patient_id, key=str(session.pk), done_at=None)
    line = wish.first()
    try:
        days = _days(session, first, request.POST.getlist("start"), line, now)
    except DomainError as error:
        refused, days = refused or error, []
    context = {
        "section": "patients",
        "session": session,
        "course": course,
        "patient": course.patient,
        "site": course.site,
        "refusal": refused.message if refused else "",
        "stands": session.starts_at.astimezone(zone),
        "wish": text_of(line) if line else "",
        "standing": [one.starts_at.astimezone(zone) for one in offering.standing(session, now)],
        "days": days,
        "first": first,
        "earlier": max(today, first - timedelta(days=DAYS)) if first > today else None,
        "later": first + timedelta(days=DAYS),
        "untils": _untils(session, now, request.POST.get("until", "")),
        "most": offering.MOST_STARTS,
        "back": back_of(request),
        "request_id": request_id_of(request) or uuid4(),
    }
    return render(request, "courses/offer.html", context, status=refused.status if refused else 200)


def _days(
    session: Session, first: date, chosen: list[str], wish: Task | None, now: datetime
) -> list[tuple[date, list[Start]]]:
    """A few starts of each date that can be offered, and those that were chosen; what meets the wish comes first."""
    soonest = offering.soonest(session.course, now)
    site = session.course.site
    step = timedelta(minutes=site.start_step)
    wall: time = session.starts_at.astimezone(site.zone).time()
    days = []
    windows = fitting.windows(session, first=first, last=first + timedelta(days=DAYS - 1), now=now)
    for day, found in groupby(windows, key=lambda window: window.date):
        levels: dict[datetime, Level | None] = {}
        for window in found:
            if window.level in offering.OFFERED:
                levels |= dict.fromkeys(window.starts(step), window.level)
        levels = {at: level for at, level in levels.items() if at >= soonest and at != session.starts_at}
        aim = datetime.combine(day, wall, site.zone).astimezone(UTC)
        kept = levels.keys() & {instants.read(text) for text in chosen}
        able = sorted(levels)
        # Of a wished day a few wished times stand there, whatever else it has.
        wished = {at for at in able if offering.meets(wish, at.astimezone(site.zone))}
        starts = {*fitting.few(sorted(wished) or able, aim, A_DAY), *kept}
        if starts:
            shown = [
                Start(instants.written(at), at.astimezone(site.zone), levels[at], at in kept, at in wished)
                for at in sorted(starts)
            ]
            days.append((day, shown))
    return sorted(days, key=lambda row: not any(start.wished for start in row[1]))


def _untils(session: Session, now: datetime, chosen: str) -> list[tuple[str, str, bool]]:
    """Until when an offer can stand, before the visit: what a form sends, what is read, whether it is chosen."""
    zone = session.course.site.zone
    whole = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
    moments = [whole + timedelta(hours=hours) for hours in STANDS]
    moments = [*[at for at in moments if at < session.starts_at][:3], session.starts_at]
    known = [instants.written(at) for at in moments]
    usual = chosen if chosen in known else known[min(1, len(known) - 1)]
    labels = [wording.short(at, zone) for at in moments[:-1]] + [_("until the visit")]
    return [(code, label, code == usual) for code, label in zip(known, labels, strict=True)]
