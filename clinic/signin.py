"""Signing in and out, the password, the preferences, and who is not let in for a while."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from clinic.door import KEPT, WORKED_HERE, Kept, SignInForm, resume_page, safe_next, sign_in_page
from clinic.forms import PreferencesForm
from clinic.http import actor, page, sites_of
from clinic.languages import language_of
from clinic.models import Staff
from clinic.permissions import ANYBODY, Verb, allowed, declare
from clinic.sessions import client_ip, seconds_left


def _first_page(request: HttpRequest, staff: Staff) -> str:
    """Where somebody goes who has signed in; a manager of a clinic that is not set up yet, to set it up."""
    to = safe_next(request)
    if to == settings.LOGIN_REDIRECT_URL and allowed(staff, Verb.SET_UP) and not staff.sites.exists():
        return reverse("admin:index")
    return to


@sensitive_post_parameters("password", KEPT)
@never_cache
@declare(GET=ANYBODY, POST=ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in and go back to the page that was asked for, or to what had been typed."""
    if request.method != "POST" and request.user.is_authenticated:
        return redirect(safe_next(request))
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    kept = Kept.sealed(request.POST.get(KEPT, ""))
    if not form.is_valid():
        return sign_in_page(request, form, kept=kept, status=422 if form.is_bound else 200)
    login(request, form.get_user())
    translation.activate(language_of(request))  # the request came in the language of nobody
    response = resume_page(request, kept) if kept else redirect(_first_page(request, form.get_user()))
    response.set_cookie(
        WORKED_HERE, "1", max_age=timedelta(hours=12), httponly=True, secure=request.is_secure(), samesite="Lax"
    )
    return response


@declare(POST=ANYBODY)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; the next sign-in begins with a fresh one."""
    logout(request)
    messages.success(request, _("You are signed out."))
    response = redirect(settings.LOGOUT_REDIRECT_URL)
    response.delete_cookie(WORKED_HERE)
    return response


@sensitive_post_parameters()
@page(GET=Verb.SEE, POST=Verb.SEE)
def change_password(request: HttpRequest) -> HttpResponse:
    """Choose another password; other sessions of the same person end."""
    form = PasswordChangeForm(actor(request), request.POST or None)
    if form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, _("Your password is changed."))
        return redirect("board")
    return render(request, "change_password.html", {"form": form}, status=422 if form.is_bound else 200)


@page(GET=Verb.SEE, POST=Verb.SEE)
def preferences(request: HttpRequest) -> HttpResponse:
    """Choose language, appearance and keys for oneself."""
    form = PreferencesForm(request.POST if request.method == "POST" else None, instance=actor(request))
    if form.is_valid():
        form.store()
        with translation.override(language_of(request)):  # the language that was chosen just now
            messages.success(request, _("Your preferences are saved."))
        return redirect("preferences")
    return render(request, "preferences.html", {"form": form}, status=422 if form.is_bound else 200)


@never_cache
@page(GET=Verb.SEE)
def session(request: HttpRequest) -> HttpResponse:
    """Whose session it is, how many seconds it lasts at least, and the token for the forms of pages that are open.

    Asking renews the session, as every request does that does not say `X-Background`.
    """
    answer = {"staff": actor(request).pk, "seconds": seconds_left(request), "token": get_token(request)}
    return JsonResponse(answer)


@page(POST=Verb.SEE)
def choose_site(request: HttpRequest) -> HttpResponse:
    """Work at another of one's sites from now on."""
    chosen = request.POST.get("site", "")
    if chosen not in [str(site.pk) for site in sites_of(request)]:
        raise Http404
    request.session["site"] = int(chosen)
    return redirect("board")


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None) -> HttpResponse:
    """The answer to whoever has tried too often: 429 with the wait, as a page or as JSON."""
    wait = minutes_to_wait(request, (credentials or {}).get("username", ""))
    sentence = ngettext(
        "Too many tries. The next one is possible in %(count)d minute.",
        "Too many tries. The next one is possible in %(count)d minutes.",
        wait,
    ) % {"count": wait}
    if request.path.startswith("/api/"):
        answer: HttpResponse = JsonResponse({"code": "locked_out", "message": sentence})
    else:
        form = SignInForm(request, initial={"username": request.POST.get("username", "")})
        answer = sign_in_page(request, form, kept=Kept.sealed(request.POST.get(KEPT, "")), refusal=sentence)
    answer.status_code = 429
    answer["Retry-After"] = str(60 * wait)
    return answer


def minutes_to_wait(request: HttpRequest, username: str) -> int:
    """How long this name is not let in from this address, in minutes, at least one."""
    last = (
        AccessAttempt.objects.filter(username=username, ip_address=client_ip(request))
        .order_by("-attempt_time")
        .values_list("attempt_time", flat=True)
        .first()
    )
    until = (last or timezone.now()) + settings.AXES_COOLOFF_TIME
    return max(1, math.ceil((until - timezone.now()).total_seconds() / 60))


def signs(request: HttpRequest, staff: Staff, password: str) -> bool:
    """Whether this is the password of a colleague who signs on somebody else's page; throttled like signing in.

    The throttle writes down what a request carried, so it gets one that carries nothing of the page.
    """
    bare = HttpRequest()
    bare.META = {
        name: request.META[name]
        for name in ("REMOTE_ADDR", "HTTP_USER_AGENT", "HTTP_X_FORWARDED_FOR")
        if name in request.META
    }
    bare.method, bare.path = "POST", request.path
    return authenticate(bare, username=staff.username, password=password) == staff
