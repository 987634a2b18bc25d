"""What every page shares: who asks, whether they may, and whole pages or the part that changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, resolve_url
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from clinic import door, permissions
from clinic.findings import Finding
from clinic.models import Site, Staff
from clinic.permissions import ANYBODY, Verb

P = ParamSpec("P")
PageView = Callable[Concatenate[HttpRequest, P], HttpResponse]


def actor(request: HttpRequest) -> Staff:
    """The staff member who asks; raises PermissionDenied when nobody is signed in."""
    if not isinstance(request.user, Staff):
        raise PermissionDenied
    return request.user


def sites_of(request: HttpRequest) -> list[Site]:
    """Where they work, by name; one query a request, however often it is asked."""
    staff = actor(request)
    prefetch_related_objects([staff], Prefetch("sites", Site.objects.order_by("name")))
    return list(staff.sites.all())


def site_of(request: HttpRequest) -> Site:
    """The site at which they work now: the one they have chosen, otherwise the first of theirs by name."""
    sites = sites_of(request)
    if not sites:
        raise PermissionDenied(_("You work at no site yet. A manager can add you to one."))
    return next((site for site in sites if site.pk == request.session.get("site")), sites[0])


def page(**methods: Verb | None) -> Callable[[PageView[P]], PageView[P]]:
    """Let a page answer these methods to those whose role allows the verb: `@page(GET=Verb.SEE, POST=Verb.BOOK)`.

    Whoever is not signed in is led to the sign-in page and back, with what they had typed; another role gets 403,
    another method 405. HEAD goes with GET.
    """

    def decorate(view: PageView[P]) -> PageView[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            method = "GET" if request.method == "HEAD" else str(request.method)
            if method not in methods:
                return HttpResponseNotAllowed(methods, render_to_string("405.html", request=request))
            verb = methods[method]
            if verb is not ANYBODY:
                if not request.user.is_authenticated:
                    return door.to_sign_in(request)
                if not permissions.allowed(actor(request), verb):
                    raise PermissionDenied(_("Your role does not allow this."))
            return view(request, *args, **kwargs)

        return permissions.declare(**methods)(guarded)

    return decorate


def go(request: HttpRequest, to: str, *args: object) -> HttpResponse:
    """Lead to another page; htmx, which would put that page into this one, is told to load it."""
    url = resolve_url(to, *args)
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)  # type: ignore[attr-defined]  # set by HtmxMiddleware


def back_of(request: HttpRequest) -> str:
    """Where a page wants to go after what it asks for (`back`): one of ours, otherwise empty."""
    asked = request.POST.get("back") or request.GET.get("back", "")
    return asked if asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None) else ""


def translate_finding(finding: Finding) -> str:
    """A finding's sentence in the language of whoever reads it."""
    return _(finding.text) % dict(finding.values)
