"""Signing in and out, the password, and who is not let in for a while."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from clinic.http import actor, page, sites_of
from clinic.models import Staff
from clinic.permissions import ANYBODY, Verb, allowed, declare
from clinic.sessions import client_ip

#: A cookie that says only that somebody has worked here and not signed out: the page can then name the idle time-out.
WORKED_HERE = "worked_here"


class SignInForm(AuthenticationForm):
    """Name and password; a refusal says how many tries are left."""

    error_messages = {
        "invalid_login": gettext_lazy("Name and password do not match."),
        "inactive": gettext_lazy("Name and password do not match."),
    }

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def get_invalid_login_error(self) -> ValidationError:
        """One sentence for a wrong name and a wrong password, and what the next tries lead to."""
        failures = getattr(self.request, "axes_failures_since_start", None)
        left = settings.AXES_FAILURE_LIMIT - failures if failures else 0
        if left < 1:
            return super().get_invalid_login_error()
        wait = int(settings.AXES_COOLOFF_TIME.total_seconds()) // 60
        tries = ngettext("%(count)d try left", "%(count)d tries left", left) % {"count": left}
        pause = ngettext("%(count)d minute's wait", "%(count)d minutes' wait", wait) % {"count": wait}
        return ValidationError(
            _("Name and password do not match. %(tries)s, then %(pause)s.") % {"tries": tries, "pause": pause},
            code="invalid_login",
        )


def safe_next(request: HttpRequest) -> str:
    """Where to go after signing in: the page that was asked for, if it is one of ours."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    secure = request.is_secure()
    if url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=secure):
        return target
    return str(settings.LOGIN_REDIRECT_URL)


def _first_page(request: HttpRequest, staff: Staff) -> str:
    """Where somebody goes who has signed in; a manager of a clinic that is not set up yet, to set it up."""
    to = safe_next(request)
    if to == settings.LOGIN_REDIRECT_URL and allowed(staff, Verb.SET_UP) and not staff.sites.exists():
        return reverse("admin:index")
    return to


@sensitive_post_parameters("password")
@never_cache
@declare(GET=ANYBODY, POST=ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in and go back to the page that was asked for."""
    if request.method != "POST" and request.user.is_authenticated:
        return redirect(safe_next(request))
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    if form.is_valid():
        login(request, form.get_user())
        response = redirect(_first_page(request, form.get_user()))
        response.set_cookie(
            WORKED_HERE, "1", max_age=timedelta(hours=12), httponly=True, secure=request.is_secure(), samesite="Lax"
        )
        return response
    return _door(request, form)


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
        form = SignInForm(request)
        form.fields["username"].initial = request.POST.get("username", "")
        answer = _door(request, form, sentence)
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


def _door(request: HttpRequest, form: SignInForm, refusal: str = "") -> HttpResponse:
    idle = request.COOKIES.get(WORKED_HERE) and "next" in request.GET and not form.is_bound
    context = {
        "form": form,
        "refusal": refusal,
        "next": request.POST.get("next") or request.GET.get("next") or "",
        "idle_minutes": settings.SESSION_COOKIE_AGE // 60 if idle else None,
    }
    return render(request, "sign_in.html", context, status=422 if form.is_bound else 200)
