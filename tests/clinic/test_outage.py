"""The database is away: people read a calm page, programs get JSON, and nothing is asked of what does not answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from clinic import outage
from clinic.models import Role
from tests.factories import SiteFactory, StaffFactory
from tests.pages import page, says, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk() -> Client:
    client = signed_in(StaffFactory.create(role=Role.DESK, sites=[SiteFactory.create(name="Larkfield")]))
    client.raise_request_exception = False
    return client


@pytest.fixture
def unreachable(desk: Client) -> Iterator[None]:
    """Nobody listens where the database should be."""
    connection.close()
    host, connection.settings_dict["HOST"] = connection.settings_dict["HOST"], "/nowhere"
    yield
    connection.settings_dict["HOST"] = host


def cut() -> None:
    """The server ends our connection, as it does when it is stopped."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    with connection.copy().cursor() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        other.connection.close()


CALM = (503, ["The clinic's data cannot be reached right now."], "10", "no-store")


def answer(response: HttpResponseBase) -> tuple[int, list[str], str, str]:
    return response.status_code, says(response, "h1"), response["Retry-After"], response["Cache-Control"]


@pytest.mark.usefixtures("unreachable")
def test_a_page_is_calm_and_offers_to_try_again(desk: Client) -> None:
    shown = desk.get("/patients/")

    assert answer(shown) == CALM
    assert says(shown, ".brand") == ["Clinic"]
    assert [(link.attributes["href"], link.text) for link in page(shown).all("main")[0].all("a")] == [("", "Try again")]


@pytest.mark.usefixtures("unreachable")
def test_a_form_that_was_sent_is_said_to_be_unsaved_and_leads_back_to_what_was_typed(desk: Client) -> None:
    shown = desk.post("/patients/new/", {"last_name": "Vance-Okonkwo"})

    assert answer(shown) == CALM
    assert page(shown).all("main")[0].all("a") == []
    assert "Go back in your browser: what you typed still stands there." in says(shown, "main")[0]
    assert "Vance-Okonkwo" not in shown.text


@pytest.mark.usefixtures("unreachable")
def test_somebody_who_has_not_signed_in_reads_the_same(desk: Client) -> None:
    assert answer(Client(raise_request_exception=False).get("/sign-in/")) == CALM


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("headers", [{}, {"authorization": "Token 0123456789"}], ids=["session", "token"])
def test_the_interface_answers_in_json(desk: Client, headers: dict[str, str]) -> None:
    shown = desk.get("/api/v1/patients/", headers=headers)

    assert (shown.status_code, shown["Retry-After"], shown.json()) == (
        503,
        "10",
        {
            "code": "unavailable",
            "message": "The clinic's database cannot be reached. Please try again; a request_id takes effect once.",
        },
    )


def test_a_connection_that_is_cut_in_the_middle_is_the_same_and_the_next_request_is_well(desk: Client) -> None:
    cut()
    assert answer(desk.get("/patients/")) == CALM
    connection.close()
    assert desk.get("/patients/").status_code == 200


def test_what_the_database_itself_refuses_is_a_failure_of_ours() -> None:
    refused = []
    for statement in ("SELECT nothing FROM nowhere", "SET statement_timeout = 1; SELECT pg_sleep(1)"):
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        except Exception as error:
            refused.append((isinstance(error, OperationalError), outage.is_away(error)))
            status = outage.server_error(RequestFactory().get("/")).status_code
            assert status == 500
    connection.close()

    assert refused == [(False, False), (True, False)]
