"""The patient's page behind the link of a mail, and what is answered there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import clock
from clinic.errors import DomainError, Invalid
from patients.models import ContactLevel
from scheduling.portal import answering, dates
from scheduling.portal.access import Access, LinkVoid, Void
from scheduling.portal.answering import BestTime
from scheduling.views.portal_frame import portal_page, show
from scheduling.views.portal_page import PortalPage

#: How a form names a visit, with the version of its times (`portal_page`).
_VISIT = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})")


@portal_page("GET")
def portal(request: HttpRequest, access: Access) -> HttpResponse:
    """What the patient has to know, and may answer."""
    return _page(request, access)


@portal_page("POST")
def come(request: HttpRequest, access: Access) -> HttpResponse:
    """The patient says yes, to one date or to all, or takes it back."""
    coming = request.POST.get("answer") != "no"
    try:
        visits = _visits(request.POST.getlist("visit"))
        changed = answering.come(access=access, visits=visits, coming=coming, now=clock.now())
    except DomainError as error:
        return _refused(request, access, error)
    if not coming:
        messages.success(request, _("Your answer is taken back."))
    elif len(changed) > 1:
        text = ngettext("You come to %(count)s date.", "You come to all %(count)s dates.", len(visits))
        messages.success(request, text % {"count": len(visits)})
    return redirect("portal", access.token)


@portal_page("POST")
def call(request: HttpRequest, access: Access) -> HttpResponse:
    """The patient asks for a call, says otherwise when and where, or takes it back."""
    if request.POST.get("act") == "off":
        answering.call_off(access=access, now=clock.now())
        messages.info(request, _("We do not call you now."))
        return redirect("portal", access.token)
    best, phone = request.POST.get("best", ""), request.POST.get("phone", "")
    try:
        answering.call(
            access=access,
            best=BestTime(best) if best in set(BestTime) else BestTime.ANY,
            phone=phone,
            request_id=_request_id(request),
            now=clock.now(),
        )
    except DomainError as error:
        return _refused(request, access, error)
    return redirect("portal", access.token)


@portal_page("POST")
def escort(request: HttpRequest, access: Access) -> HttpResponse:
    """The patient says who takes them home, from one date or from all."""
    typed = {name: request.POST.get(name, "") for name in ("escort_name", "escort_phone")}
    try:
        visits = list(_visits(request.POST.getlist("visit")))
        if "all" in request.POST:
            visits = list(dict.fromkeys([*visits, *(session.pk for session in access.sessions)]))
        answering.escort(
            access=access,
            visits=visits,
            name=typed["escort_name"],
            phone=typed["escort_phone"],
            now=clock.now(),
        )
    except DomainError as error:
        return _refused(request, access, error)
    if not "".join(typed.values()).strip():
        messages.info(request, _("Nobody is named now who takes you home."))
    return redirect(reverse("portal", args=[access.token]) + "#escort")  # where the finger was


@portal_page("GET")
def calendar(request: HttpRequest, access: Access) -> HttpResponse:
    """All dates to come as a file for a calendar: neutral, as in the mails, whose entries it replaces."""
    response = HttpResponse(dates.calendar(access, now=clock.now()), content_type="text/calendar; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="dates.ics"'
    return response


@portal_page("POST")
def address(request: HttpRequest, access: Access) -> HttpResponse:
    """It is the patient's address: to press the button says it."""
    messages.success(request, _("Thank you. We know now that this mailbox is yours."))
    return redirect("portal", access.token)


@portal_page("POST")
def mails(request: HttpRequest, access: Access) -> HttpResponse:
    """The patient chooses how much mails may say."""
    level = ContactLevel.DETAILED if request.POST.get("level") == "detailed" else ContactLevel.NEUTRAL
    try:
        answering.agree(access=access, level=level, language=translation.get_language() or "", now=clock.now())
    except DomainError as error:
        return _refused(request, access, error)
    messages.success(request, _("Saved."))
    return redirect("portal", access.token)


@portal_page("POST")
def language(request: HttpRequest, access: Access) -> HttpResponse:
    """Mails come in the language of the page from now on."""
    wanted = request.POST.get("language", "")
    if wanted in dict(settings.LANGUAGES):
        answering.speak(access=access, language=wanted, now=clock.now())
        messages.success(request, _("We write to you in English from now on."))
    return redirect("portal", access.token)


def _told(request: HttpRequest, void: LinkVoid) -> HttpResponse | None:
    """The thanks to whoever has said so, which has ended the link."""
    return render(request, "portal/mine_done.html", {"clinic": void.site}) if void.reason == Void.NOT_MINE else None


@portal_page("GET", "POST", proves=False, void=_told)
def mine(request: HttpRequest, access: Access) -> HttpResponse:
    """Whoever reads this mailbox is somebody else."""
    if request.method == "POST":
        answering.not_mine(access=access, now=clock.now())
        return redirect("portal-mine", access.token)
    return show(request, "portal/mine.html", access)


def _page(
    request: HttpRequest,
    access: Access,
    problem: Mapping[str, str] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    shown = PortalPage(access, clock.now(), problem or {}, request.POST.dict())
    return show(request, "portal/page.html", access, {"page": shown}, status=status)


def _refused(request: HttpRequest, access: Access, error: DomainError) -> HttpResponse:
    """The page as it is now, with what was refused: at the field, otherwise above everything."""
    fields: Mapping[str, Sequence[str]] = error.fields if isinstance(error, Invalid) else {}
    problem = {name: " ".join(sentences) for name, sentences in fields.items()} or {"page": error.message}
    return _page(request, access, problem, status=error.status if not fields else 422)


def _visits(sent: Sequence[str]) -> dict[int, int]:
    """The visits that a form names, each with the version of its times; what is no such thing is none."""
    pairs = (_VISIT.fullmatch(one) for one in sent)
    return {int(pair[1]): int(pair[2]) for pair in pairs if pair}


def _request_id(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.POST.get("request_id", ""))
    except ValueError:
        return None
