"""The table of roles and verbs, held against every address, every method, every role and nobody at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from clinic import permissions
from clinic.errors import RoleRefused
from clinic.models import Staff
from clinic.permissions import ANYBODY, MATRIX, Access, Kind, Verb, access_of, kind_of
from patients.models import TaskKind
from patients.worklist import open_task
from tests.factories import NOW, Clinic, CourseFactory, SessionFactory, make_clinic

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: What stands in the places of an address, by the name of its converter.
EXAMPLES = {"int": "1", "slug": "iv-ketamine-standard", "str": "0a1b2c", "path": "x/y", "date": "2027-02-01"}


@dataclass(frozen=True)
class Address:
    """One address of the site, an example of it, and what answers there."""

    route: str
    path: str
    view: Callable[..., Any]

    @property
    def access(self) -> Access | None:
        return access_of(self.view)

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")


def addresses(patterns: list[Any] | None = None, before: str = "/") -> Iterator[Address]:
    """Every address but those of the admin, which has its own door."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from addresses(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield Address(route, re.sub(r"<(\w+):\w+>", lambda place: EXAMPLES[place[1]], route), pattern.callback)


@pytest.fixture
def clinic(at_now: None, db: None) -> Clinic:
    """A clinic with a course, a session, a patient and a worklist line by the number 1."""
    clinic = make_clinic()
    course = CourseFactory.create(pk=1, site=clinic.site, patient__pk=1)
    SessionFactory.create(pk=1, course=course, chair=clinic.chairs[0], prescriber=clinic.prescriber)
    open_task(kind=TaskKind.NO_ADDRESS, patient=course.patient, now=NOW)
    return clinic


def somebody(clinic: Clinic, kind: Kind) -> Staff:
    return next(staff for staff in clinic.staff if kind_of(staff) == kind)


def test_the_table_is_what_the_clinic_has_written_down() -> None:
    everybody = set(Kind)
    assert {verb: set(kinds) for verb, kinds in MATRIX.items()} == {
        Verb.SEE: everybody,
        Verb.BOOK: everybody - {Kind.NURSE},
        Verb.OVERRIDE: {Kind.PRESCRIBER},
        Verb.DECIDE: {Kind.PRESCRIBER},
        Verb.ACKNOWLEDGE: everybody,
        Verb.NO_SHOW: everybody,
        Verb.SCREEN: {Kind.CLINICIAN, Kind.PRESCRIBER},
        Verb.SCORE: everybody - {Kind.MANAGER},
        Verb.REVIEW: {Kind.CLINICIAN, Kind.PRESCRIBER},
        Verb.RUN_VISIT: {Kind.CLINICIAN, Kind.PRESCRIBER, Kind.NURSE},
        Verb.REPLAN: {Kind.DESK, Kind.MANAGER},
        Verb.CLOSE: {Kind.MANAGER},
        Verb.LOAD: {Kind.MANAGER},
        Verb.SET_UP: {Kind.MANAGER},
    }
    assert set(MATRIX) == set(Verb)


@pytest.mark.parametrize("kind", Kind)
def test_each_role_may_do_what_its_column_says(kind: Kind, clinic: Clinic) -> None:
    staff = somebody(clinic, kind)
    may = {verb for verb in Verb if permissions.allowed(staff, verb)}

    assert may == {verb for verb, kinds in MATRIX.items() if kind in kinds}


@pytest.mark.parametrize("kind", Kind)
def test_who_has_left_may_do_nothing(kind: Kind, clinic: Clinic) -> None:
    staff = somebody(clinic, kind)
    staff.is_active = False

    assert not any(permissions.allowed(staff, verb) for verb in Verb)


def test_what_is_not_allowed_is_refused_with_its_code(clinic: Clinic) -> None:
    permissions.require(clinic.desk, Verb.BOOK)
    with pytest.raises(RoleRefused) as refused:
        permissions.require(clinic.nurse, Verb.BOOK)

    assert (refused.value.code, refused.value.status) == ("role", 403)


def test_every_address_says_who_may_use_it() -> None:
    assert [address.route for address in addresses() if not address.access] == []


def test_only_the_doors_and_the_health_are_open_to_anybody() -> None:
    open_to_anybody = {
        (address.path, method)
        for address in addresses()
        for method, verb in (address.access or {}).items()
        if verb is ANYBODY
    }

    assert {(path, method) for path, method in open_to_anybody if not path.startswith("/dates/")} == {
        ("/healthz", "GET"),
        ("/sign-in/", "GET"),
        ("/sign-in/", "POST"),
        ("/sign-out/", "POST"),
        ("/api/v1/token/", "POST"),
    }


def answer(client: Client, address: Address, method: str) -> tuple[int, str]:
    """Status and, where there is one, the place to which a page leads."""
    response = client.generic(method, address.path, b"{}" if address.is_api else b"", "application/json")
    return response.status_code, response.headers.get("Location", "")


def expected_of_nobody(address: Address, method: str) -> str:
    access = address.access or {}
    key = "GET" if method == "HEAD" else method
    if key in access and access[key] is ANYBODY:
        return "open"
    if address.is_api:
        return "open" if method == "OPTIONS" and access.get("GET", Verb.SEE) is ANYBODY else "closed"
    return "closed" if key in access else "no-method"


def expected(address: Address, method: str, kind: Kind) -> str:
    access = address.access or {}
    key = "GET" if method == "HEAD" else method
    if address.is_api and method == "OPTIONS":
        return "open"
    if key not in access:
        return "no-method"
    verb = access[key]
    return "open" if verb is ANYBODY or kind in MATRIX[verb] else "refused"


def verdict(address: Address, status: int, location: str) -> str:
    """What an answer says about the right to ask, whatever else it says."""
    if status == 401 or (status == 302 and location.startswith("/sign-in/") and "next=" in location):
        return "closed"
    if status == 405:
        return "no-method"
    if status == 403:
        return "refused"
    return "open" if status < 500 or address.path == "/healthz" else f"failed with {status}"


def differences(staff: Staff | None, expect: Callable[[Address, str], str]) -> list[tuple[str, str, str, str]]:
    """Where answers and the table disagree."""
    wrong = []
    client = browser(staff)
    for address in addresses():
        for method in METHODS:
            said, wanted = verdict(address, *answer(client, address, method)), expect(address, method)
            if said != wanted:
                wrong.append((method, address.route, said, wanted))
            if method == "POST" and (address.access or {}).get(method, Verb.SEE) is ANYBODY:
                client = browser(staff)  # that was the way in or out
    return wrong


def browser(staff: Staff | None) -> Client:
    client = Client(raise_request_exception=False)
    if staff is not None:
        client.force_login(staff)
    return client


@pytest.mark.parametrize("kind", Kind)
def test_every_address_answers_each_role_as_the_table_says(kind: Kind, clinic: Clinic) -> None:
    staff = somebody(clinic, kind)

    assert differences(staff, lambda address, method: expected(address, method, kind)) == []


def test_every_address_answers_nobody_with_the_way_to_sign_in(clinic: Clinic) -> None:
    assert differences(None, expected_of_nobody) == []


#: Its doors, which lead to ours, and what refuses everybody who asks for no field.
NOT_OF_THE_ADMIN = {"login", "logout", "password_change", "autocomplete"}


def admin_paths() -> list[str]:
    """The addresses of the admin that name no row."""
    resolvers = [pattern for pattern in get_resolver().url_patterns if isinstance(pattern, URLResolver)]
    (admin,) = (resolver for resolver in resolvers if resolver.app_name == "admin")
    found = []
    for name in sorted(name for name in admin.reverse_dict if isinstance(name, str) and name not in NOT_OF_THE_ADMIN):
        with suppress(NoReverseMatch):
            found.append(reverse(f"admin:{name}"))
    return found


@pytest.mark.parametrize("kind", Kind)
def test_the_admin_opens_to_those_who_set_up(kind: Kind, clinic: Clinic) -> None:
    client = browser(somebody(clinic, kind))
    opened = {path: client.get(path, follow=True).status_code not in (403, 500) for path in admin_paths()}

    assert "/admin/" in opened
    assert opened == dict.fromkeys(opened, kind in MATRIX[Verb.SET_UP])


def test_the_admin_leads_nobody_to_the_sign_in_page(clinic: Clinic) -> None:
    doors = [browser(None).get(path, follow=True).redirect_chain[-1][0] for path in admin_paths()]

    assert [door.partition("?")[0] for door in doors] == ["/sign-in/"] * len(doors)
