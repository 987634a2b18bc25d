"""What forms of several pages carry: a prescriber's signature on somebody else's page, and the id of the request."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from clinic import signin
from clinic.errors import DomainError
from clinic.http import actor
from clinic.models import Staff
from scheduling.booking import Signature
from scheduling.forms import SignForm


class NotSigned(DomainError):
    """The signature on the page does not stand; its form says why."""


def sign(request: HttpRequest, form: SignForm) -> Signature | None:
    """What the form signs: the rules that the page has shown, no others; None when nothing was typed.

    Whoever is signed in needs no password for their own name. Raises NotSigned for half a signature or a wrong
    password; tries are throttled like those of signing in.
    """
    rules = frozenset(request.POST.getlist("rule"))
    if not form.is_bound or not rules or not (form["reason"].value() or form["password"].value()):
        return None
    if not form.is_valid():
        raise NotSigned(_("The override is not signed yet."))
    signer: Staff = form.cleaned_data["prescriber"]
    if signer != actor(request) and not signin.signs(request, signer, form.cleaned_data["password"]):
        form.add_error("password", _("This is not the prescriber's password, or it was wrong too often."))
        raise NotSigned(_("The override is not signed yet."))
    return Signature(signer, rules, form.cleaned_data["reason"])


def request_id_of(request: HttpRequest) -> UUID | None:
    """The id that makes a double click one request; None where the form has none, or no sound one."""
    try:
        return UUID(request.POST.get("request_id", ""))
    except ValueError:
        return None
