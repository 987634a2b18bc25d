"""The patient's page behind the link of a mail."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from scheduling.portal.access import Access
from scheduling.views.portal_frame import portal_page, show


@portal_page("GET")
def portal(request: HttpRequest, access: Access) -> HttpResponse:
    """What the patient has to know, and may answer."""
    return show(request, "portal/page.html", access)


@portal_page("POST")
def come(request: HttpRequest, access: Access) -> HttpResponse:
    """The patient says yes, or takes it back."""
    return redirect("portal", access.token)


@portal_page("POST")
def call(request: HttpRequest, access: Access) -> HttpResponse:
    """The patient asks for a call."""
    return redirect("portal", access.token)


@portal_page("POST")
def escort(request: HttpRequest, access: Access) -> HttpResponse:
    """The patient says who takes them home."""
    return redirect("portal", access.token)
