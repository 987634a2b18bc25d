"""The patient's page behind the link of a mail."""

from __future__ import annotations

import pytest
from django.test import Client

from scheduling.mails import links
from scheduling.models import Course, Mail, MailKind
from tests.pages import says


@pytest.fixture
def link(course: Course) -> str:
    """The link of the mail two days before the second visit, on Thursday 4 February at nine."""
    session = course.sessions.in_order()[1]
    mail = Mail.objects.get(session=session, kind=MailKind.TWO_DAYS)
    return f"/dates/{links.token(mail.seed)}/"


def test_the_page_opens_without_signing_in_and_is_kept_by_nobody(link: str) -> None:
    answer = Client().get(link)

    assert answer.status_code == 200
    assert (answer["Cache-Control"], answer["Referrer-Policy"], answer["X-Robots-Tag"]) == (
        "no-store, private",
        "same-origin",
        "noindex, nofollow",
    )


@pytest.mark.parametrize("token", ["0", "0" * 48, "a b"])
def test_a_link_that_was_never_made_opens_a_calm_page_with_the_clinic_s_phone(link: str, token: str) -> None:
    answer = Client().get(f"/dates/{token}/")

    assert (answer.status_code, says(answer, "h1")) == (404, ["This link is no longer valid."])
    assert says(answer, "a.button") == ["Call +1 555 010 0100"]
