"""Who may do what: one table of verbs and roles, and which verb stands behind which address.

Every view, page or endpoint says with `declare` which verb each of its methods needs; a test walks all addresses, all
methods and all roles and holds the answers against this table. The verbs themselves call `require`, so a way around
the addresses is no way around the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from clinic.errors import RoleRefused
from clinic.models import Role, Site, Staff

View = TypeVar("View", bound=Callable[..., Any])


class Verb(StrEnum):
    """What somebody wants to do."""

    SEE = "see"  # read anything
    BOOK = "book"  # propose, book, add, move, cancel, confirm; register and change patients
    OVERRIDE = "override"  # pass over a rule of level override, with a reason
    DECIDE = "decide"  # how a course goes on
    ACKNOWLEDGE = "acknowledge"  # take a line off the worklist
    NO_SHOW = "no-show"  # note that a patient comes late, or has not come
    SCREEN = "screen"  # write down the answers that say who may be treated
    SCORE = "score"  # write down a patient's scores
    REVIEW = "review"  # see item 9 and what is new in a history, as a clinician
    RUN_VISIT = "run-visit"  # check in, give, monitor, discharge
    REPLAN = "replan"  # accept a new plan for what was booked
    CLOSE = "close"  # closures, absences, outages
    LOAD = "load"  # how full the clinic is
    SET_UP = "set-up"  # staff, chairs, hours, shifts, protocols


class Kind(StrEnum):
    """The columns of the table: the roles, a clinician who may prescribe apart from one who may not."""

    DESK = "desk"
    CLINICIAN = "clinician"
    PRESCRIBER = "prescriber"
    NURSE = "nurse"
    MANAGER = "manager"


#: Marks an address that needs nobody to be signed in.
ANYBODY = None

D, C, P, N, M = Kind.DESK, Kind.CLINICIAN, Kind.PRESCRIBER, Kind.NURSE, Kind.MANAGER

# fmt: off
MATRIX: Mapping[Verb, frozenset[Kind]] = {
    Verb.SEE:         frozenset({D, C, P, N, M}),
    Verb.BOOK:        frozenset({D, C, P,    M}),
    Verb.OVERRIDE:    frozenset({      P      }),
    Verb.DECIDE:      frozenset({      P      }),
    Verb.ACKNOWLEDGE: frozenset({D, C, P, N, M}),
    Verb.NO_SHOW:     frozenset({D, C, P, N, M}),
    Verb.SCREEN:      frozenset({   C, P      }),
    Verb.SCORE:       frozenset({D, C, P, N   }),
    Verb.REVIEW:      frozenset({   C, P      }),
    Verb.RUN_VISIT:   frozenset({   C, P, N   }),
    Verb.REPLAN:      frozenset({D,          M}),
    Verb.CLOSE:       frozenset({            M}),
    Verb.LOAD:        frozenset({            M}),
    Verb.SET_UP:      frozenset({            M}),
}
# fmt: on

Access = Mapping[str, Verb | None]


def kind_of(staff: Staff) -> Kind:
    """The column of the table in which a staff member stands."""
    if staff.role == Role.CLINICIAN and staff.is_prescriber:
        return Kind.PRESCRIBER
    return Kind(staff.role)


def allowed(staff: Staff, verb: Verb) -> bool:
    """Whether the table lets this staff member do it; nobody who has left may do anything."""
    return staff.is_active and kind_of(staff) in MATRIX[verb]


def require(staff: Staff, verb: Verb, *, at: Site | None = None) -> None:
    """Raise RoleRefused unless the table lets this staff member do it, and at this site. One query for the site."""
    if not allowed(staff, verb):
        raise RoleRefused(_("Your role does not allow this."), verb=str(verb))
    if at is not None and not staff.sites.filter(pk=at.pk).exists():
        raise RoleRefused(_("You do not work at this site."), verb=str(verb))


def declare(**methods: Verb | None) -> Callable[[View], View]:
    """Write down which verb each HTTP method of a view needs: `declare(GET=Verb.SEE, POST=Verb.BOOK)`.

    ANYBODY is for what has to work without signing in. Only writes down; `http.page` and `api.endpoint` also enforce.
    """

    def mark(view: View) -> View:
        view.access = methods  # type: ignore[attr-defined]  # functions take attributes; the test and the checks read it
        return view

    return mark


def access_of(view: Callable[..., Any]) -> Access | None:
    """What a view has declared, None when it has declared nothing."""
    return getattr(view, "access", None)


class Allowed(BasePermission):
    """Holds a request to the interface against what its view has declared; one that has declared nothing answers
    nobody."""

    def has_permission(self, request: Request, view: object) -> bool:
        match = request.resolver_match
        access = access_of(match.func) if match else None
        if access is None:
            return False
        method = "GET" if request.method in ("HEAD", "OPTIONS") else str(request.method)
        verb = access.get(method, Verb.SEE)  # a method that is not declared is answered 405, to those who may see
        if verb is ANYBODY:
            return True
        if not isinstance(request.user, Staff):
            return False
        require(request.user, verb)
        return True
