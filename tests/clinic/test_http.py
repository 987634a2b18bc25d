"""What pages share: the way to the sign-in page and back, findings as sentences."""

from __future__ import annotations

import pytest
from django.test import Client

from clinic.findings import Finding, Level
from clinic.http import translate_finding
from tests.pages import says


@pytest.mark.django_db
def test_who_is_not_signed_in_comes_back_to_the_page_that_was_asked_for() -> None:
    response = Client().get("/board/2027-02-01/")

    assert (response.status_code, response.headers["Location"]) == (302, "/sign-in/?next=/board/2027-02-01/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sent", "referer", "back"),
    [
        ("/sessions/1/cancel/", "", "/sessions/1/cancel/"),
        ("/worklist/1/acknowledge/", "http://testserver/worklist/", "/worklist/"),
        ("/worklist/1/acknowledge/", "http://testserver/courses/1/confirm/", "/"),
        ("/worklist/1/acknowledge/", "https://evil.example/worklist/", "/"),
        ("/worklist/1/acknowledge/", "http://[", "/"),
        ("/worklist/1/acknowledge/", "", "/"),
    ],
)
def test_what_was_sent_is_not_sent_again_after_signing_in_but_its_page_comes_back(
    sent: str, referer: str, back: str
) -> None:
    client = Client()
    response = client.post(sent, headers={"Referer": referer})
    door = client.get(response["Location"])

    assert (response.status_code, response["Location"]) == (302, f"/sign-in/?next={back}")
    assert says(door, ".notice") == ["What you sent last was not carried out."]


@pytest.mark.django_db
def test_htmx_is_led_to_the_sign_in_page_and_back_to_the_page_that_it_is_on() -> None:
    response = Client().get(
        "/worklist/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/board/2027-02-01/"}
    )

    assert (response.status_code, response.headers["HX-Redirect"]) == (200, "/sign-in/?next=/board/2027-02-01/")


def test_a_finding_is_a_sentence() -> None:
    finding = Finding("hours", Level.BLOCK, "Open %(limit)s.", values={"limit": "08:00-18:00"})

    assert translate_finding(finding) == "Open 08:00-18:00."
