"""What pages share: the way to the sign-in page and back, whole pages and parts."""

from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxDetails
from pytest_django import Settings

from clinic.findings import Finding, Level
from clinic.http import page_or_partial, translate_finding


@pytest.fixture
def templates(settings: Settings) -> None:
    loader = (
        "django.template.loaders.locmem.Loader",
        {"screen.html": "<h1>{{ name }}</h1>{% include 'part.html' %}", "part.html": "<p>{{ name }}</p>"},
    )
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [loader]}}
    ]


def request(**headers: str) -> HttpRequest:
    made = RequestFactory().get("/", headers=headers)
    made.htmx = HtmxDetails(made)  # type: ignore[attr-defined]  # as HtmxMiddleware does
    return made


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({}, "<h1>Ada</h1><p>Ada</p>"),
        ({"HX-Request": "true"}, "<p>Ada</p>"),
        ({"HX-Request": "true", "HX-Boosted": "true"}, "<h1>Ada</h1><p>Ada</p>"),
    ],
)
def test_htmx_gets_the_part_and_everybody_else_the_page(headers: dict[str, str], content: str, templates: None) -> None:
    response = page_or_partial(request(**headers), "screen.html", "part.html", {"name": "Ada"}, status=422)

    assert (response.status_code, response.content.decode()) == (422, content)
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.django_db
def test_who_is_not_signed_in_comes_back_to_the_page_that_was_asked_for() -> None:
    response = Client().get("/board/2027-02-01/")

    assert (response.status_code, response.headers["Location"]) == (302, "/sign-in/?next=/board/2027-02-01/")


@pytest.mark.django_db
def test_what_was_sent_is_not_sent_again_after_signing_in() -> None:
    response = Client().post("/sessions/1/cancel/")

    assert (response.status_code, response.headers["Location"]) == (302, "/sign-in/?next=/")


@pytest.mark.django_db
def test_htmx_is_led_to_the_sign_in_page_and_back_to_the_page_that_it_is_on() -> None:
    response = Client().get(
        "/worklist/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/board/2027-02-01/"}
    )

    assert (response.status_code, response.headers["HX-Redirect"]) == (200, "/sign-in/?next=/board/2027-02-01/")


def test_a_finding_is_a_sentence() -> None:
    finding = Finding("hours", Level.BLOCK, "Open %(limit)s.", values={"limit": "08:00-18:00"})

    assert translate_finding(finding) == "Open 08:00-18:00."
