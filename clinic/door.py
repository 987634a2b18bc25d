"""The door: the sign-in page, and what somebody had typed and sent while they stood outside already.

Nothing typed is lost, by one way for every page, with JavaScript and without. A form that arrives when nobody is signed
in, or with a token from before the last sign-in, is not carried out. What it held goes along with the sign-in page as
one sealed field and comes back on a page of its own, whose button sends it to where it was going. Nothing of it is ever
stored: it lives in the person's own browser, as it did before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters

from clinic import permissions

#: A cookie that says only that somebody has worked here and not signed out: the page can then name the idle time-out.
WORKED_HERE = "worked_here"
#: The field of the sign-in page that carries what was typed before; sealed, so that only what came from us comes back.
KEPT = "kept"
#: The field in which a form may say what its button says; `session.js` fills it in with the button that was pressed.
LABEL = "resume_label"

#: More is not carried along. Django itself takes 1,000 fields and 2.5 MB.
MOST_FIELDS, MOST_CHARACTERS, LONGEST_LABEL = 900, 100_000, 80

SALT = "clinic.door.Kept"
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_OURS = {"csrfmiddlewaretoken", LABEL, KEPT}


class SignInForm(AuthenticationForm):
    """Name and password; a refusal says how many tries are left. Whoever has named themselves types on at the
    password."""

    error_messages = {
        "invalid_login": gettext_lazy("Name and password do not match."),
        "inactive": gettext_lazy("Name and password do not match."),
    }

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = bool(self["username"].value())
        self.fields["username"].widget.attrs.pop("autofocus", None)  # Django's own choice
        self.fields["password" if named else "username"].widget.attrs["autofocus"] = True

    def get_invalid_login_error(self) -> ValidationError:
        """One sentence for a wrong name and a wrong password, and what the next tries lead to."""
        failures = getattr(self.request, "axes_failures_since_start", None)
        left = settings.AXES_FAILURE_LIMIT - failures if failures else 0
        if left < 1:
            return super().get_invalid_login_error()
        wait = int(settings.AXES_COOLOFF_TIME.total_seconds()) // 60
        tries = ngettext("%(count)d try left", "%(count)d tries left", left) % {"count": left}
        pause = ngettext("%(count)d minute's wait", "%(count)d minutes' wait", wait) % {"count": wait}
        then = _("%(tries)s, then %(pause)s.") % {"tries": tries, "pause": pause}
        refusal = format_html("<strong>{}</strong> {}", self.error_messages["invalid_login"], then)
        return ValidationError(refusal, code="invalid_login")


@dataclass(frozen=True, slots=True)
class Kept:
    """What was typed and sent to one of our addresses and not carried out: where it was going, what its button said,
    its fields, and the page to go to when it is left."""

    path: str
    label: str
    back: str
    fields: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: HttpRequest) -> Self | None:
        """What a request has sent, without passwords and tokens; None for what cannot be sent once more.

        That is what is no form, or longer than we carry along, or goes where nobody who is signed in sends forms, or
        consisted of passwords only.
        """
        if request.method != "POST" or request.content_type not in _FORM_TYPES or request.FILES:
            return None
        if _access(request.path).get("POST") is permissions.ANYBODY:
            return None
        typed = [name for name in request.POST if name not in _OURS]
        names = [name for name in typed if "password" not in name.casefold()]
        fields = tuple((name, value) for name in names for value in request.POST.getlist(name))
        if len(fields) > MOST_FIELDS or sum(len(name) + len(value) for name, value in fields) > MOST_CHARACTERS:
            return None
        if typed and not names:
            return None
        label = " ".join(request.POST.get(LABEL, "").split())[:LONGEST_LABEL]
        return cls(request.get_full_path(), label, page_of_form(request), fields)

    @classmethod
    def sealed(cls, seal: str) -> Self | None:
        """What `seal` has sealed; None for anything else, also for what an older release sealed in another form."""
        try:
            kept = signing.loads(seal, salt=SALT)
            return cls(**kept | {"fields": tuple((name, value) for name, value in kept["fields"])})
        except (signing.BadSignature, TypeError, KeyError, ValueError):
            return None

    def seal(self) -> str:
        """One text that holds it all, which nobody else can have written."""
        return signing.dumps(asdict(self), salt=SALT, compress=True)


def safe_next(request: HttpRequest) -> str:
    """Where to go after signing in: the page that was asked for, if it is one of ours."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    secure = request.is_secure()
    if url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=secure):
        return target
    return str(settings.LOGIN_REDIRECT_URL)


def _access(path: str) -> permissions.Access:
    """What the view behind an address has declared; nothing for an address that is not ours."""
    try:
        match = resolve(path)
    except Resolver404:
        return {}
    if match.app_name == "admin":
        return {"GET": permissions.Verb.SET_UP, "POST": permissions.Verb.SET_UP}
    return permissions.access_of(match.func) or {}


def page_of_form(request: HttpRequest) -> str:
    """The page that holds the form which was sent: at the same address, or where the browser says it comes from."""
    source = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(source, allowed_hosts={request.get_host()})
    paths = (request.path, urlsplit(source).path if ours else "")
    return next((path for path in paths if "GET" in _access(path)), "/")


def asks_for_a_part(request: HttpRequest) -> bool:
    """Whether a page has asked by a script: what is answered does not replace the page."""
    return bool(
        request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
        or "X-Background" in request.headers
        or request.headers.get("Sec-Fetch-Dest") == "empty"
    )


def _as_a_page(status: int) -> HttpResponse:
    """Tells the script of a page (`session.js`) to send the same form as a browser would."""
    return HttpResponse(status=status, headers={"X-Send-As": "page"})


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """The answer to whoever is not signed in: a page comes back afterwards, and so does what was typed."""
    if asks_for_a_part(request):
        sent = request.method == "POST" and "X-Background" not in request.headers
        return _as_a_page(401) if sent else HttpResponse(status=401)
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path())
    if kept := Kept.of(request):
        return sign_in_page(request, SignInForm(request), kept=kept, status=401)
    messages.warning(request, _("What you sent last was not carried out."))
    return redirect_to_login(page_of_form(request))


def sign_in_page(
    request: HttpRequest, form: SignInForm, *, kept: Kept | None = None, refusal: str = "", status: int = 200
) -> HttpResponse:
    """The page with name and password, which says why one is here and carries along what was typed."""
    next_page = request.POST.get("next") or request.GET.get("next") or ""
    outside = not form.is_bound and not refusal
    context = {
        "form": form,
        "refusal": refusal,
        "next": kept.back if kept else next_page,
        "kept": kept,
        "idle_minutes": settings.SESSION_COOKIE_AGE // 60
        if outside and request.COOKIES.get(WORKED_HERE) and (kept or next_page)
        else None,
    }
    response = render(request, "sign_in.html", context, status=status)
    add_never_cache_headers(response)
    return response


def resume_page(request: HttpRequest, kept: Kept, *, status: int = 200) -> HttpResponse:
    """What was typed, for somebody who is signed in now, and the one button that sends it."""
    response = render(request, "resume.html", {"kept": kept, "label_field": LABEL}, status=status)
    add_never_cache_headers(response)
    return response


@sensitive_post_parameters()
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a form whose token is not the browser's: 403, and from our own pages the way to send it again.

    Signing in renews the token, so whatever stood open in another window has an old one. To answer with what was typed
    and a fresh token must not hand other sites a way around the token, which exists so that they cannot send forms in
    the name of whoever is signed in. It does not:

    - The browser itself has to say that the form comes from a page of ours: `Origin`, which no script can set, is ours
      to the letter (without one, `Referer` is), and `Sec-Fetch-Site`, where it is sent, says the same. Another site, a
      neighbour below the same domain, a sandboxed frame (`Origin: null`) and whoever hides where they come from get the
      plain page.
    - Nothing is carried out. A person has to press a button on a page of ours that says what it sends; no other site
      can frame that page (`frame-ancestors`, `X-Frame-Options`), read it, or press the button, for the session's cookie
      is `SameSite=Lax` and the fresh token stands in the answer only.
    - Passwords are never among what comes back, so nothing that asks for one can be prepared in this way.
    """
    if not _comes_from_our_pages(request):
        return render(request, "403_csrf.html", status=403)
    if asks_for_a_part(request):
        return _as_a_page(403)
    if request.path == reverse("sign-in"):
        return _old_sign_in_page(request)
    if not (kept := Kept.of(request)):
        return render(request, "403_csrf.html", status=403)
    if request.user.is_authenticated:
        return resume_page(request, kept, status=403)
    return sign_in_page(request, SignInForm(request), kept=kept, status=401)


def _comes_from_our_pages(request: HttpRequest) -> bool:
    source = request.headers.get("Origin")
    if source is None:
        source = _origin(request.headers.get("Referer", ""))
    fetched_from = request.headers.get("Sec-Fetch-Site", "same-origin")
    return fetched_from == "same-origin" and source == f"{request.scheme}://{request.get_host()}"


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _old_sign_in_page(request: HttpRequest) -> HttpResponse:
    """Somebody has signed in in another window while this one stood at the door: there is nothing left to do, or it is
    done once more."""
    kept = Kept.sealed(request.POST.get(KEPT, ""))
    if request.user.is_authenticated:
        return resume_page(request, kept) if kept else redirect(safe_next(request))
    if settings.CSRF_COOKIE_NAME not in request.COOKIES:  # the browser refuses cookies; the page says so
        return render(request, "403_csrf.html", status=403)
    form = SignInForm(request, initial={"username": request.POST.get("username", "")})
    refusal = _("This page had stood open for too long. Sign in once more.")
    return sign_in_page(request, form, kept=kept, refusal=refusal, status=403)
