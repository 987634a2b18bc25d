"""What stands around every page: who is signed in, at which site, what they may do, what waits."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from clinic import clock, permissions
from clinic.http import site_of, sites_of
from clinic.models import Site, Staff
from clinic.permissions import Verb
from scheduling import lines


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context of all templates. Whatever costs a query is asked for only where a template shows it."""
    staff = getattr(request, "user", None)
    if not isinstance(staff, Staff):
        return {"site": SimpleLazyObject(lambda: Site.objects.order_by("pk").first())}

    def site() -> Site | None:
        try:
            return site_of(request)
        except PermissionDenied:
            return None

    return {
        "staff": staff,
        "may": {verb.value.replace("-", "_"): permissions.allowed(staff, verb) for verb in Verb},
        "site": SimpleLazyObject(site),
        "sites": SimpleLazyObject(lambda: sites_of(request)),
        "open_tasks": SimpleLazyObject(lambda: lines.waiting(clock.now()).count()),
        "mailbox": _mailbox(),
    }


def _mailbox() -> str:
    """The page of the mails that arrived, where there is one: in a demonstration."""
    try:
        return reverse("mailbox")
    except NoReverseMatch:
        return ""
