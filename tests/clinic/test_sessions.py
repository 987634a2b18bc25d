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


def test_the_address_behind_our_proxy_is_the_one_that_the_proxy_saw(settings: LazySettings) -> None:
    request = RequestFactory().get("/", headers={"x-forwarded-for": "203.0.113.9, 198.51.100.7"})
    settings.BEHIND_PROXY = False
    assert client_ip(request) == "127.0.0.1"
    settings.BEHIND_PROXY = True
    assert client_ip(request) == "198.51.100.7"
