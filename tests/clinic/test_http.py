"""What pages share: the way to the sign-in page and back, findings as sentences."""

from __future__ import annotations

import pytest
from django.test import Client

from clinic.findings import Finding, Level
from clinic.http import translate_finding


@pytest.mark.django_db
def test_who_is_not_signed_in_comes_back_to_the_page_that_was_asked_for() -> None:
    response = Client().get("/board/2027-02-01/")

    assert (response.status_code, response.headers["Location"]) == (302, "/sign-in/?next=/board/2027-02-01/")


def test_a_finding_is_a_sentence() -> None:
    finding = Finding("hours", Level.BLOCK, "Open %(limit)s.", values={"limit": "08:00-18:00"})

    assert translate_finding(finding) == "Open 08:00-18:00."
