"""Another time, chosen by the patient: one tap chooses, a second one moves; or a wish goes to the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from clinic import clock
from clinic.errors import Invalid, Stale
from scheduling import openings, wording
from scheduling.mails import links
from scheduling.models import Mail, Session
from scheduling.portal import moving
from scheduling.portal.access import AWAITED, Access, LinkVoid, Void
from scheduling.portal.moving import Choices, TimeGone
from scheduling.views import instants
from scheduling.views.portal_frame import portal_page, show
from scheduling.views.signing import request_id_of


@dataclass(frozen=True, slots=True)
class Start:
    """A time to tap on: `code` names it in an address."""

    code: str
    day: str
    clock: str

    @classmethod
    def of(cls, at: datetime, session: Session) -> Start:
        """The start on the clocks of the visit's site."""
        zone = session.course.site.zone
        local = at.astimezone(zone)
        day = date_format(local.date(), pgettext("a date without its year, in Django's format", "l j F"))
        return cls(instants.written(at), day, wording.clock(at, zone))


def _already(request: HttpRequest, void: LinkVoid) -> HttpResponse | None:
    """The page of a move that has ended the link which led to it; whoever taps twice is led there, too."""
    mail, request_id = void.mail, _request_id(request)
    if void.reason != Void.MOVED or mail is None or mail.course_id is None or request_id is None:
        return None
    moved = moving.done(request_id, mail.course_id)
    if moved is None:
        return None
    if request.method == "POST":
        return redirect(_done_at(request.path, request_id))
    opened = Access("", mail, mail.patient, moved.site, mail.patient.language, moved.course, None, moved)
    return _moved(request, opened, moved)


@portal_page("GET", "POST", void=_already)
def move(request: HttpRequest, access: Access) -> HttpResponse:
    """Times to choose from and the wish (GET); the one that was chosen (GET with `to`); what was said (POST); the new
    date (GET with the request that has moved it, `done`)."""
    if request.method != "POST" and access.course and (request_id := _request_id(request)):
        moved = moving.done(request_id, access.course.pk)
        return _moved(request, access, moved) if moved else redirect("portal-move", access.token)
    session = _meant(request, access)
    if session is None or session.state not in AWAITED or session.starts_at <= clock.now():
        return redirect("portal", access.token)
    if request.method != "POST":
        return _choose(request, access, session)
    try:
        match request.POST.get("act"):
            case "ask":
                return _ask(request, access, session)
            case "take-back":
                moving.take_back(session=session, now=clock.now())
                messages.info(request, _("Your request is taken back. Your date stands."))
                return redirect("portal", access.token)
            case _:
                return _move(request, access, session)
    except Stale:  # the desk was quicker: the link tells it
        return redirect("portal", access.token)


def _meant(request: HttpRequest, access: Access) -> Session | None:
    """The visit that a form names as it was shown, or an address by its date; otherwise the link's own."""
    if named := request.POST.get("visit", ""):
        pk, _dot, version = named.partition(".")
        session = access.its(pk)
        return session if session is not None and str(session.times_version) == version else None
    if asked := request.GET.get("date", ""):
        known = [session for session in access.sessions if session.local_date.isoformat() == asked]
        return known[0] if known else access.session
    return access.session


def _choose(request: HttpRequest, access: Access, session: Session) -> HttpResponse:
    choices = moving.choices(session, now=clock.now())
    wanted = instants.read(request.GET.get("to", ""))
    if wanted is not None and choices.has(wanted):
        context = {"to": Start.of(wanted, session), "request_id": uuid4()}
        return show(request, "portal/move_confirm.html", access, _shown(session) | context)
    return _list(request, access, session, choices, gone=wanted is not None)


def _move(request: HttpRequest, access: Access, session: Session) -> HttpResponse:
    wanted = instants.read(request.POST.get("to", ""))
    if wanted is None:
        return redirect("portal-move", access.token)
    request_id = _request_id(request) or uuid4()
    try:
        moving.move(session=session, starts_at=wanted, request_id=request_id, now=clock.now())
    except (TimeGone, Invalid):
        choices = moving.choices(session, now=clock.now())
        return _list(request, access, session, choices, gone=True, status=HTTPStatus.CONFLICT)
    return redirect(_done_at(request.path, request_id))


def _ask(request: HttpRequest, access: Access, session: Session) -> HttpResponse:
    days = [int(day) for day in request.POST.getlist("weekday") if day.isdecimal() and len(day) == 1]
    part, text = request.POST.get("part", ""), request.POST.get("text", "")
    try:
        moving.ask(session=session, weekdays=days, part=part, text=text, now=clock.now())
    except Invalid as error:
        choices = moving.choices(session, now=clock.now())
        problem = " ".join(sentence for sentences in error.fields.values() for sentence in sentences)
        return _list(request, access, session, choices, problem=problem, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect(f"{reverse('portal-move', args=[access.token])}?date={session.local_date.isoformat()}#asked")


def _list(
    request: HttpRequest,
    access: Access,
    session: Session,
    choices: Choices,
    *,
    gone: bool = False,
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """The times, and the form for a wish: with what waits at the desk already, which can be changed or taken back."""
    zone = access.site.zone
    waits: dict[str, Any] = choices.asked.details if choices.asked else {}
    asks = request.POST.get("act") == "ask"
    days = request.POST.getlist("weekday") if asks else [str(day) for day in waits.get("weekdays", ())]
    weekdays = _weekdays(access, days)
    context = {
        "gone": gone,
        "problem": problem,
        "offers": [Start.of(at, session) for at in choices.offers],
        "until": wording.short(choices.until, zone) if choices.until else "",
        "days": [(_day(day.date), [Start.of(at, session) for at in day.starts]) for day in choices.days],
        "asked": choices.asked,
        "others": [
            (other.local_date.isoformat(), Start.of(other.starts_at, other))
            for other in access.sessions
            if other.pk != session.pk
        ],
        "too_late": choices.too_late,
        "weekdays": weekdays,
        "wished": [name for _number, name, chosen in weekdays if chosen],
        "part": request.POST.get("part", "") if asks else waits.get("part", ""),
        "text": request.POST.get("text", "") if asks else waits.get("text", ""),
        "longest": moving.LONGEST_WISH,
    }
    return show(request, "portal/move.html", access, _shown(session) | context, status=status)


def _moved(request: HttpRequest, access: Access, session: Session) -> HttpResponse:
    """It is done; the link was that of the old time, so the page leads on by that of the new one."""
    course = session.course
    news = Mail.objects.filter(course=course, session=None, times_version=course.times_version).order_by("-pk").first()
    context = {"all_dates": reverse("portal", args=[links.token(news.seed)]) if news else ""}
    return show(request, "portal/moved.html", access, _shown(session) | context)


def _shown(session: Session) -> dict[str, Any]:
    """The visit as it stands, for every page here."""
    zone = session.course.site.zone
    return {
        "visit": f"{session.pk}.{session.times_version}",
        "date": session.local_date.isoformat(),
        "was": Start.of(session.starts_at, session),
        "home": wording.clock(session.discharge_at, zone),
        "zone_name": wording.zone_name(session.starts_at, zone),
    }


def _weekdays(access: Access, chosen: Sequence[str]) -> list[tuple[int, Any, bool]]:
    """The days of the week on which the clinic opens."""
    return [(day, WEEKDAYS[day], str(day) in chosen) for day in sorted(openings.hours_of(access.site))]


def _day(day: date) -> str:
    return date_format(day, pgettext("a date without its year, in Django's format", "l j F"))


def _request_id(request: HttpRequest) -> UUID | None:
    """The request that a form makes, or that an address asks about."""
    if request.method == "POST":
        return request_id_of(request)
    try:
        return UUID(request.GET.get("done", ""))
    except ValueError:
        return None


def _done_at(path: str, request_id: UUID) -> str:
    """Where a move is shown after it is made: to go back or load again makes no second one."""
    return f"{path}?done={request_id}"
