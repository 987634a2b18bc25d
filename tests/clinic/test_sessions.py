"""A session ends when nobody works in it, and pages that look for news by themselves do not keep it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.test import Client, RequestFactory

from clinic.models import Role, Staff
from clinic.sessions import client_ip

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def signed_in(db: None) -> Client:
    client = Client()
    with time_machine.travel(NOON, tick=False):
        client.force_login(Staff.objects.create_user("ada", role=Role.MANAGER, is_staff=True))
    return client


@pytest.fixture
def works(signed_in: Client) -> Callable[..., bool]:
    """Ask for a page so many minutes after noon; tells whether one is still signed in."""

    def ask(minutes: int, **headers: str) -> bool:
        with time_machine.travel(NOON + timedelta(minutes=minutes), tick=False):
            return signed_in.get("/admin/", headers=headers).status_code == 200

    return ask


def test_whoever_works_stays_signed_in(works: Callable[..., bool]) -> None:
    assert [works(10), works(20), works(30)] == [True, True, True]


def test_whoever_rests_for_fifteen_minutes_is_signed_out(works: Callable[..., bool]) -> None:
    assert [works(10), works(25)] == [True, False]


def test_a_page_that_looks_for_news_does_not_count_as_work(works: Callable[..., bool]) -> None:
    background = {"x-background": "1"}
    assert [works(7, **background), works(14, **background), works(15)] == [True, True, False]


def asked(client: Client, seconds: int, **headers: str) -> tuple[int, int]:
    """What a page that is open learns so many seconds after noon: how long the session still lasts."""
    with time_machine.travel(NOON + timedelta(seconds=seconds), tick=False):
        answer = client.get("/session/", headers=headers)
        return answer.status_code, answer.json()["seconds"] if answer.content else 0


def test_a_page_that_is_open_can_ask_how_long_the_session_lasts_at_least_and_renew_it(signed_in: Client) -> None:
    look = {"x-background": "1"}

    assert asked(signed_in, 30) == (200, 15 * 60 - 30)
    assert [asked(signed_in, seconds, **look) for seconds in (60, 840)] == [(200, 840), (200, 60)]
    assert asked(signed_in, 845) == (200, 15 * 60 - 5)
    assert [asked(signed_in, seconds, **look) for seconds in (1739, 1750)] == [(200, 1), (401, 0)]


def test_it_also_learns_whose_the_session_is_and_gets_a_token_for_its_forms(signed_in: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in.cookies
    with time_machine.travel(NOON, tick=False):
        told = strict.get("/session/")
        done = strict.post("/sign-out/", {"csrfmiddlewaretoken": told.json()["token"]})

    assert told.json()["staff"] == Staff.objects.get().pk
    assert "no-store" in told["Cache-Control"]
    assert done.status_code == 302


def test_the_address_behind_our_proxy_is_the_one_that_the_proxy_saw(settings: LazySettings) -> None:
    request = RequestFactory().get("/", headers={"x-forwarded-for": "203.0.113.9, 198.51.100.7"})
    settings.BEHIND_PROXY = False
    assert client_ip(request) == "127.0.0.1"
    settings.BEHIND_PROXY = True
    assert client_ip(request) == "198.51.100.7"
