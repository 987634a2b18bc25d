"""What every page behind a mail's link shares: who may ask how often, the language, what a void link shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from rest_framework.authentication import CSRFCheck

from clinic import clock, languages, permissions
from clinic.models import Site
from clinic.permissions import ANYBODY, declare
from scheduling.mails import links
from scheduling.models import Mail
from scheduling.portal import access, answering, limits
from scheduling.portal.access import Access, LinkVoid, Void

P = ParamSpec("P")
PortalView = Callable[Concatenate[HttpRequest, Access, P], HttpResponse]
View = Callable[..., HttpResponse]
VoidView = Callable[[HttpRequest, LinkVoid], HttpResponse | None]

#: The language that was chosen on the page, in a cookie of this browser.
LANGUAGE = "dates-language"


def portal_page(*methods: str, proves: bool = True, void: VoidView | None = None) -> Callable[[PortalView[P]], View]:
    """Let a page behind a link answer these methods: the view gets what the link opens (`Access`) for the token in its
    address. `@portal_page("GET", "POST") def move(request, access): ...`; HEAD goes with GET, CSRF is checked.

    Answers in the chosen language, otherwise the patient's; 404 or 410 with whom to call for a link that opens
    nothing, 429 for whoever asks too often, 405 for other methods. Nothing of it is stored by a browser or on the way.
    A POST shows that somebody reads the mailbox (`answering.acted`), unless it `proves` nothing; a GET never does.
    `void` may answer in place of the page for a void link: for an act that has itself ended the link, tapped twice.
    """

    def decorate(view: PortalView[P]) -> View:
        @sensitive_variables("token", "opened")
        @sensitive_post_parameters()
        @wraps(view)
        def guarded(request: HttpRequest, /, token: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            with translation.override(chosen_language(request)):
                if (request.method or "").replace("HEAD", "GET") not in methods:
                    return private(request, _not_so(request, methods, token))
                if wait := limits.wait_of(token):
                    return private(request, too_often(request, wait))
                if refusal := _old_form(request, token):
                    return private(request, refusal)
                try:
                    opened = access.read(token, now=clock.now())
                except LinkVoid as refused:
                    with translation.override(chosen_language(request, refused.language)):
                        answer = void(request, refused) if void else None
                        return private(request, answer or void_page(request, refused))
                with translation.override(chosen_language(request, opened.language)):
                    if proves and request.method == "POST":
                        answering.acted(access=opened, now=clock.now())
                    return private(request, view(request, opened, *args, **kwargs))

        return csrf_exempt(permissions.declare(**dict.fromkeys(methods, ANYBODY))(guarded))

    return decorate


def chosen_language(request: HttpRequest, own: str = "") -> str:
    """The language that was asked for, or chosen before, or the patient's `own`, or the browser's."""
    known = dict(settings.LANGUAGES)
    asked = (request.GET.get("language", ""), request.COOKIES.get(LANGUAGE, ""), own)
    return next((code for code in asked if code in known), "") or languages.language_of(request)


def show(
    request: HttpRequest, template: str, opened: Access, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """A page in the frame, with `access`, its `token` and the `clinic` beside its own context."""
    shared = {"access": opened, "token": opened.token, "clinic": opened.site}
    return render(request, template, shared | (context or {}), status=status)


def void_page(request: HttpRequest, void: LinkVoid) -> HttpResponse:
    """Why the link opens nothing, and whom to call; the number is known without a link where there is one clinic.
    Whoever tries one link after the other has to wait."""
    if void.reason == Void.UNKNOWN and (wait := limits.wait_of_guesser(request)):
        return too_often(request, wait)
    status = HTTPStatus.NOT_FOUND if void.reason == Void.UNKNOWN else HTTPStatus.GONE
    return render(
        request, "portal/void.html", {"clinic": void.site or _only_clinic(), "reason": void.reason.value}, status=status
    )


def _old_form(request: HttpRequest, token: str) -> HttpResponse | None:
    """The answer to a form whose token is not the browser's, which did nothing: the way back to the page. Asked here
    and not by the middleware, whose answer speaks to staff."""
    check = CSRFCheck(_nothing)
    check.process_request(request)
    if check.process_view(request, _nothing, (), {}) is None:
        return None
    context = {"back": reverse("portal", args=[token]), "clinic": _clinic(token)}
    return render(request, "portal/old.html", context, status=HTTPStatus.FORBIDDEN)


def _not_so(request: HttpRequest, methods: tuple[str, ...], token: str) -> HttpResponse:
    """The answer to another method, such as the address of a button that is opened: the way to the page."""
    context = {"back": reverse("portal", args=[token]), "clinic": _clinic(token)}
    page = render_to_string("portal/not_so.html", context, request=request)
    return HttpResponseNotAllowed(methods, page)


def _clinic(token: str) -> Site | None:
    """Whom to call on a page for which the link was not opened. Up to two queries."""
    mail = links.find(token)
    return (access.site_of(mail) if mail else None) or _only_clinic()


def _only_clinic() -> Site | None:
    """The clinic where there is one: its number is known without a link."""
    sites = Site.objects.all()[:2]
    return sites[0] if len(sites) == 1 else None


@sensitive_variables("token")
def mail_of(request: HttpRequest, token: str) -> Mail | HttpResponse:
    """The mail of a link, whether it still opens its page or not; else what is answered to a link that was never made,
    or that is asked for too often."""
    with translation.override(chosen_language(request)):
        if wait := limits.wait_of(token):
            return private(request, too_often(request, wait))
        return links.find(token) or private(request, void_page(request, LinkVoid(Void.UNKNOWN)))


@declare(GET=ANYBODY, POST=ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_exempt  # it does nothing, and its answer is not the one that speaks to staff
@sensitive_variables("token")
def unknown(request: HttpRequest, token: str, rest: str) -> HttpResponse:
    """An address below a link at which there is nothing: the way to the page, in the clinic's neutral name."""
    mail = mail_of(request, token)
    if isinstance(mail, HttpResponse):
        return mail
    with translation.override(chosen_language(request, mail.patient.language)):
        context = {"back": reverse("portal", args=[token]), "clinic": access.site_of(mail)}
        return private(request, render(request, "portal/unknown.html", context, status=HTTPStatus.NOT_FOUND))


def _nothing(request: HttpRequest) -> HttpResponse:
    """What the check asks for and does not call."""
    return HttpResponse()


def too_often(request: HttpRequest, wait: int) -> HttpResponse:
    answer = render(request, "portal/often.html", {"wait": wait}, status=HTTPStatus.TOO_MANY_REQUESTS)
    answer.headers["Retry-After"] = str(wait)
    return answer


def private(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer, kept by nobody and found by no search. A browser names the page to no other site; to ours it does,
    for without that no form could be told from another site's (`no-referrer` makes the `Origin` of a form `null`)."""
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Content-Language"] = translation.get_language() or settings.LANGUAGE_CODE
    patch_vary_headers(response, ["Cookie", "Accept-Language"])
    asked = request.GET.get("language", "")
    if asked in dict(settings.LANGUAGES):
        response.set_cookie(
            LANGUAGE,
            asked,
            max_age=180 * 24 * 3600,
            path="/dates/",
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response
