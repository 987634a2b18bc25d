"""The page on which a patient stops mails, and the request by which their mail program does."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from clinic import clock
from clinic.permissions import ANYBODY, declare
from patients import contact
from patients.models import Channel, ConsentSource, ContactLevel
from scheduling.models import Mail
from scheduling.portal import stopping
from scheduling.views.portal_frame import chosen_language, mail_of, private


# A mail program has neither a cookie nor a token, and the page needs none: who may act is whoever has the link, which
# no other site knows, and nothing of a browser's own is asked for.
@csrf_exempt
@declare(GET=ANYBODY, POST=ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("token", "mail")
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Stop mails by POST: from a mail program (`List-Unsubscribe=One-Click`, RFC 8058), or by the page's own buttons.
    GET shows the page and changes nothing, for mail scanners open every link."""
    mail = mail_of(request, token)
    if isinstance(mail, HttpResponse):
        return mail
    with translation.override(chosen_language(request, mail.patient.language)):
        if request.method == "POST":
            return private(request, _act(request, token, mail))
        return private(request, _shown(request, token, mail))


def _act(request: HttpRequest, token: str, mail: Mail) -> HttpResponse:
    now, language = clock.now(), translation.get_language()
    if request.POST.get("List-Unsubscribe") == "One-Click":
        stopping.stop(mail, source=ConsentSource.UNSUBSCRIBE, now=now)
        return HttpResponse(content_type="text/plain")  # a program reads nothing, and follows no redirect
    match request.POST.get("act"):
        case "stop":
            stopping.stop(mail, source=ConsentSource.PAGE, language=language, now=now)
        case "keep":
            stopping.keep(mail, language=language, now=now)
            return redirect(reverse("portal-stop", args=[token]) + "?kept")
        case _:
            return _shown(request, token, mail, status=HTTPStatus.BAD_REQUEST)
    return redirect("portal-stop", token)


def _shown(request: HttpRequest, token: str, mail: Mail, *, status: int = HTTPStatus.OK) -> HttpResponse:
    language = translation.get_language() or mail.patient.language
    about = mail.course or mail.evaluation
    context = {
        "clinic": about.site if about else None,
        "is_about": stopping.is_about(mail),
        "stopped": mail.patient.mail_level == ContactLevel.STOPPED,
        "kept": "kept" in request.GET and mail.patient.mail_level in (ContactLevel.NEUTRAL, ContactLevel.DETAILED),
        "token": token,
        "words": contact.wording(Channel.EMAIL, ContactLevel.NEUTRAL, language),
    }
    return render(request, "portal/stop.html", context, status=status)
