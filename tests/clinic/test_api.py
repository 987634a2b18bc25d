"""What every endpoint shares: who is asked in, in which shape refusals come, how lists are paged, the description."""

from __future__ import annotations

from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient, APIRequestFactory

from clinic import api
from clinic.errors import DomainError, Invalid, RulesBroken
from clinic.findings import Finding, Level
from tests.api import Api, signed_in
from tests.factories import PASSWORD, Clinic, PatientFactory, StaffFactory, make_clinic

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def desk(clinic: Clinic) -> Api:
    return signed_in(clinic.desk)


def test_who_has_not_signed_in_is_told_how() -> None:
    response = APIClient().get("/api/v1/patients/")

    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Token")
    assert response.json() == {
        "code": "not_authenticated",
        "message": "Authentication credentials were not provided.",
    }


@pytest.mark.parametrize("header", ["Token nothing", "Token", "Token a b", "Token \xff", "Bearer x"])
def test_a_token_that_is_none_is_refused(header: str) -> None:
    response = APIClient(raise_request_exception=False).get("/api/v1/patients/", HTTP_AUTHORIZATION=header)

    assert response.status_code == 401


def test_a_name_and_a_password_give_a_token_that_works(clinic: Clinic) -> None:
    given = signed_in(None).post("token/", {"username": clinic.desk.username, "password": PASSWORD})
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {given.body['token']}")

    assert given.status == 200
    assert client.get("/api/v1/patients/").status_code == 200


def test_a_wrong_password_and_a_wrong_name_are_answered_alike(clinic: Clinic) -> None:
    clinic.nurse.is_active = False
    clinic.nurse.save(update_fields=["is_active"])
    answers = [
        signed_in(None).post("token/", {"username": name, "password": password})
        for name, password in ((clinic.desk.username, "x"), ("nobody", PASSWORD), (clinic.nurse.username, PASSWORD))
    ]

    assert [(answer.status, answer.body) for answer in answers] == [
        (401, {"code": "authentication_failed", "message": "Name and password do not match."})
    ] * 3


def test_too_many_tries_are_answered_with_a_wait(clinic: Clinic) -> None:
    body = {"username": clinic.desk.username, "password": "wrong"}
    answers = [signed_in(None).post("token/", body) for _ in range(6)]
    late = signed_in(None).post("token/", {**body, "password": PASSWORD})

    assert answers[0].status == 401
    assert [(answer.status, answer.body["code"]) for answer in (answers[-1], late)] == [(429, "locked_out")] * 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": 5, "password": PASSWORD},
        {"username": "a\x00", "password": "b"},
        {"username": "a", "password": None},
    ],
)
def test_a_token_needs_a_name_and_a_password(body: dict[str, object]) -> None:
    answer = signed_in(None).post("token/", body)

    assert (answer.status, answer.body["code"]) == (400, "invalid")


def test_a_session_writes_with_its_csrf_token_only(clinic: Clinic) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(clinic.desk)
    body = b'{"first_name": "Ada", "last_name": "Moe", "birth_date": "1980-05-17"}'

    without = browser.post("/api/v1/patients/", body, content_type="application/json")
    browser.get("/sign-in/")  # any page sets the cookie
    browser.get("/patients/new/")
    token = browser.cookies["csrftoken"].value
    with_token = browser.post(
        "/api/v1/patients/", body, content_type="application/json", headers={"X-CSRFToken": token}
    )

    assert (without.status_code, without.json()["code"]) == (403, "permission_denied")
    assert with_token.status_code == 201


def test_a_method_that_is_not_there_is_named(desk: Api) -> None:
    answer = desk.raw("board/", b"{}", method="DELETE")

    assert (answer.status, answer.body) == (
        405,
        {"code": "method_not_allowed", "message": 'Method "DELETE" not allowed.'},
    )


def test_another_format_is_not_acceptable(clinic: Clinic) -> None:
    client = APIClient(headers={"accept": "text/html"})
    client.force_authenticate(clinic.desk)
    response = client.get("/api/v1/patients/")

    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


def test_an_address_that_is_not_there_is_answered_in_json_below_api_only() -> None:
    below, page = Client().get("/api/v1/nothing/"), Client().get("/nothing/")

    assert (below.status_code, below.json()["code"]) == (404, "not_found")
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_what_nobody_expected_is_a_500_in_json_below_api() -> None:
    request = APIRequestFactory().get("/api/v1/patients/")
    answer = api.server_error(request)

    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/json")
    assert api.exception_handler(ZeroDivisionError(), {"request": request}) is None


def test_a_refusal_of_the_domain_carries_its_status_and_what_belongs_to_it() -> None:
    class Teapot(DomainError):
        code, status = "teapot", 418

    error = Teapot("Short and stout.", until=datetime(2027, 2, 1, tzinfo=UTC), on=date(2027, 2, 1), ids=(1, 2))
    answer = api.exception_handler(error, {"request": None})

    assert answer is not None
    assert (answer.status_code, answer.data) == (
        418,
        {
            "code": "teapot",
            "message": "Short and stout.",
            "until": "2027-02-01T00:00:00+00:00",
            "on": "2027-02-01",
            "ids": [1, 2],
        },
    )


def test_findings_are_written_out_with_their_sentence() -> None:
    finding = Finding("hours", Level.BLOCK, "Open %(limit)s.", "07:00", "08:00-18:00", (3,), {"limit": "08:00-18:00"})
    answer = api.exception_handler(RulesBroken("Closed.", findings=[finding]), {"request": None})

    assert answer is not None
    assert (answer.status_code, answer.data["findings"]) == (
        422,
        [
            {
                "rule": "hours",
                "level": "block",
                "message": "Open 08:00-18:00.",
                "observed": "07:00",
                "limit": "08:00-18:00",
                "sessions": [3],
            }
        ],
    )


def test_what_cannot_be_meant_names_the_field() -> None:
    answer = api.exception_handler(Invalid("Past.", fields={"starts_at": ("Past.",)}), {"request": None})

    assert answer is not None
    assert (answer.status_code, answer.data) == (
        400,
        {"code": "invalid", "message": "Past.", "fields": {"starts_at": ["Past."]}},
    )


def test_lists_come_in_pages_of_50_up_to_200(desk: Api) -> None:
    PatientFactory.create_batch(205)
    plain, long, last = desk.get("patients/"), desk.get("patients/", page_size=999), desk.get("patients/", page=5)

    assert [len(answer.body["results"]) for answer in (plain, long, last)] == [50, 200, 5]
    assert set(plain.body) == {"count", "next", "previous", "results"}
    assert (plain.body["count"], plain.body["previous"], last.body["next"]) == (205, None, None)
    assert plain.body["next"] == "http://testserver/api/v1/patients/?page=2"


def test_the_interface_is_described_without_a_warning() -> None:
    said = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=said, stderr=said)

    assert said.getvalue().startswith("openapi: 3.")
    assert "/api/v1/courses/{id}/sessions/:" in said.getvalue()


def test_the_description_is_served_to_staff(desk: Api) -> None:
    answer = desk.get("schema/", format="json")

    assert (answer.status, answer.body["info"]["title"]) == (200, "Clinic")
    assert signed_in(None).client.get("/api/v1/schema/").status_code == 401


def test_staff_of_no_site_are_told_so() -> None:
    answer = signed_in(StaffFactory.create()).get("board/")

    assert (answer.status, list(answer.body["fields"])) == (400, ["site"])
