"""Who reads which language, and that nobody's language stays behind."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from clinic.models import Language, Staff
from tests.factories import SiteFactory, StaffFactory
from tests.pages import page, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]

SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}
FRENCH = {"Accept-Language": "fr"}


def staff(language: str = "") -> Staff:
    return StaffFactory.create(language=language, sites=[SiteFactory.create()])


def spoken(client: Client, path: str, **headers: str) -> tuple[str, str]:
    """The language that a page says it is in, and the one that its headers say."""
    answer = client.get(path, headers=headers)
    (html,) = page(answer).all("html")
    return html.attributes["lang"], answer["Content-Language"]


def test_everybody_reads_the_language_that_they_have_chosen() -> None:
    chosen = {language: spoken(signed_in(staff(language)), "/patients/", **SPANISH) for language in ("en", "es")}

    assert chosen == {"en": ("en", "en"), "es": ("es", "es")}


@pytest.mark.parametrize(("headers", "language"), [(SPANISH, "es"), (FRENCH, "en"), ({}, "en")])
def test_who_has_chosen_none_and_who_is_not_signed_in_read_their_browsers(
    headers: dict[str, str], language: str
) -> None:
    assert spoken(signed_in(staff()), "/patients/", **headers) == (language, language)
    assert spoken(Client(), "/sign-in/", **headers) == (language, language)
    assert spoken(Client(), "/nowhere/", **headers) == (language, language)


def test_programs_ask_for_a_language_as_http_has_it() -> None:
    answers = [Client().get("/api/v1/patients/", headers=headers) for headers in (SPANISH, FRENCH, {})]

    assert [answer["Content-Language"] for answer in answers] == ["es", "en", "en"]
    assert ["Accept-Language" in answer["Vary"] for answer in answers] == [True, True, True]


def test_no_language_stays_behind_in_the_thread() -> None:
    with translation.override("en"):
        signed_in(staff("es")).get("/patients/")

        assert translation.get_language() == "en"


def test_the_languages_to_choose_are_those_that_there_are() -> None:
    assert [value for value in Language.values if value] == [code for code, _ in settings.LANGUAGES]
