"""Pages that say what went wrong: in the clinic's look, with a sentence that helps, and nothing of what was typed."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory

from clinic.api import server_error
from clinic.models import Role
from tests.factories import SiteFactory, StaffFactory
from tests.pages import page, says, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]


@pytest.fixture
def nurse() -> Client:
    return signed_in(StaffFactory.create(role=Role.NURSE, sites=[SiteFactory.create(name="Larkfield")]))


def test_an_address_that_leads_nowhere(nurse: Client) -> None:
    answer = nurse.get("/nowhere/")

    assert (answer.status_code, says(answer, "h1")) == (404, ["There is no such page."])
    assert says(answer, ".brand") == ["Larkfield"]
    assert [link.attributes["href"] for link in page(answer).all("main")[0].all("a")] == ["/"]


@pytest.mark.parametrize("client", ["nurse", "nobody"])
def test_an_address_that_only_takes_forms(nurse: Client, client: str) -> None:
    answer = (nurse if client == "nurse" else Client()).get("/worklist/1/acknowledge/")

    assert (answer.status_code, answer["Allow"], says(answer, "h1")) == (
        405,
        "POST",
        ["This address is a button, not a page."],
    )


def test_an_act_of_another_role(nurse: Client) -> None:
    answer = nurse.get("/patients/new/")

    assert (answer.status_code, says(answer, "h1")) == (403, ["This is not yours to do."])
    assert says(answer, "main")[0].startswith("This is not yours to do. Your role does not allow this. Nothing was")


def test_a_form_that_is_too_old(nurse: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = nurse.cookies
    answer = strict.post("/patients/", {"q": "Vance"})

    assert (answer.status_code, says(answer, "h1")) == (403, ["This form was too old to be sent."])


def test_a_request_that_cannot_be_understood(nurse: Client) -> None:
    answer = nurse.post("/patients/", {f"field{number}": "x" for number in range(1001)})

    assert (answer.status_code, says(answer, "h1")) == (400, ["This request cannot be understood."])


def test_a_failure_of_ours_needs_nothing_that_may_have_failed() -> None:
    answer = server_error(RequestFactory().get("/"))

    assert answer.status_code == 500
    assert says(answer, "h1") == ["Something went wrong on our side."]


def test_nobody_learns_from_an_error_page_who_works_here() -> None:
    answer = Client().get("/nowhere/")

    assert answer.status_code == 404
    assert page(answer).all(".who") == []
