"""Signing in, staying signed in, signing out; who is not let in for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth import get_user
from django.test import Client, RequestFactory

from clinic import signin
from clinic.models import Role, Staff
from tests.factories import NOW, PASSWORD, SiteFactory, StaffFactory
from tests.pages import page, says, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def robin() -> Staff:
    return StaffFactory.create(username="robin", sites=[SiteFactory.create(name="Larkfield")])


def sign_in(client: Client, password: str = PASSWORD, to: str = "") -> int:
    return client.post("/sign-in/", {"username": "robin", "password": password, "next": to}).status_code


def test_name_and_password_lead_to_the_page_that_was_asked_for(robin: Staff) -> None:
    client = Client()
    asked = client.get("/patients/")
    answer = client.post(asked["Location"], {"username": "robin", "password": PASSWORD, "next": "/patients/"})

    assert (asked.status_code, asked["Location"]) == (302, "/sign-in/?next=/patients/")
    assert (answer.status_code, answer["Location"]) == (302, "/patients/")
    assert get_user(client) == robin


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_nobody_is_led_to_another_site(robin: Staff, to: str) -> None:
    answer = Client().post("/sign-in/", {"username": "robin", "password": PASSWORD, "next": to})

    assert answer["Location"] == "/"


def test_who_is_signed_in_already_is_led_on(robin: Staff) -> None:
    answer = signed_in(robin).get("/sign-in/", {"next": "/worklist/"})

    assert (answer.status_code, answer["Location"]) == (302, "/worklist/")


def test_the_first_manager_is_led_to_the_set_up() -> None:
    StaffFactory.create(username="first", role=Role.MANAGER)

    answer = Client().post("/sign-in/", {"username": "first", "password": PASSWORD, "next": "/"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_a_refusal_says_how_many_tries_are_left(robin: Staff) -> None:
    client = Client()
    first = client.post("/sign-in/", {"username": "robin", "password": "wrong"})
    second = client.post("/sign-in/", {"username": "robin", "password": "wrong"})

    assert (first.status_code, second.status_code) == (422, 422)
    assert says(first, ".notice") == ["Name and password do not match. 4 tries left, then 5 minutes' wait."]
    assert says(second, ".notice") == ["Name and password do not match. 3 tries left, then 5 minutes' wait."]
    assert [field.attributes["value"] for field in page(second).all("[name=username]")] == ["robin"]


def test_an_unknown_name_is_refused_in_the_same_words(robin: Staff) -> None:
    answer = Client().post("/sign-in/", {"username": "nobody", "password": PASSWORD})

    assert says(answer, ".notice") == ["Name and password do not match. 4 tries left, then 5 minutes' wait."]


def test_after_five_tries_the_wait_is_told_and_kept(robin: Staff) -> None:
    client = Client()
    statuses = [sign_in(client, "wrong") for _ in range(5)]
    with time_machine.travel(NOW + 2 * MINUTE, tick=False):
        early = client.post("/sign-in/", {"username": "robin", "password": PASSWORD})
    with time_machine.travel(NOW + 6 * MINUTE, tick=False):
        late = sign_in(client)

    assert statuses == [422, 422, 422, 422, 429]
    assert early.status_code == 429
    assert early["Retry-After"] == "180"
    assert says(early, ".notice") == ["Too many tries. The next one is possible in 3 minutes."]
    assert late == 302


def test_a_colleague_on_another_machine_is_not_kept_out(robin: Staff) -> None:
    client = Client()
    for _ in range(5):
        sign_in(client, "wrong")

    assert sign_in(Client(REMOTE_ADDR="10.0.0.9")) == 302


def test_programs_that_try_too_often_get_json(robin: Staff) -> None:
    client = Client()
    for _ in range(5):
        answer = client.post("/api/v1/token/", {"username": "robin", "password": "wrong"}, "application/json")

    assert answer.status_code == 429
    assert answer.json() == {
        "code": "locked_out",
        "message": "Too many tries. The next one is possible in 5 minutes.",
    }


def test_fifteen_minutes_without_a_request_end_the_session_and_the_page_says_so(robin: Staff) -> None:
    client = Client()
    sign_in(client)
    with time_machine.travel(NOW + 16 * MINUTE, tick=False):
        late = client.get("/patients/")
        door = client.get(late["Location"])

    assert (late.status_code, late["Location"]) == (302, "/sign-in/?next=/patients/")
    assert "You were signed out after 15 minutes without a key or a tap." in says(door, "main")[0]


def test_who_works_stays_signed_in(robin: Staff) -> None:
    client = Client()
    sign_in(client)
    statuses = []
    for minutes in (10, 20, 30):
        with time_machine.travel(NOW + minutes * MINUTE, tick=False):
            statuses.append(client.get("/patients/").status_code)

    assert statuses == [200, 200, 200]


def test_signing_out_takes_a_post_and_ends_the_session(robin: Staff) -> None:
    client = Client()
    sign_in(client)
    looked = client.get("/sign-out/")
    still = get_user(client)
    answer = client.post("/sign-out/")
    door = client.get(client.get("/patients/")["Location"])

    assert (looked.status_code, still) == (405, robin)
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert not get_user(client).is_authenticated
    assert "without a key or a tap" not in says(door, "main")[0]


def test_a_password_is_changed_by_who_knows_the_old_one(robin: Staff) -> None:
    client, other = signed_in(robin), signed_in(robin)
    new = "a quiet lark in the field"
    fields = {"new_password1": new, "new_password2": new}
    wrong = client.post("/password/", {"old_password": "wrong", **fields})
    right = client.post("/password/", {"old_password": PASSWORD, **fields})

    assert wrong.status_code == 422
    assert (right.status_code, right["Location"]) == (302, "/")
    assert client.get("/patients/").status_code == 200
    assert other.get("/patients/").status_code == 302
    assert Client().login(request=RequestFactory().post("/"), username="robin", password=new)


def test_a_signature_is_throttled_and_the_throttle_writes_down_nothing_of_the_page(robin: Staff) -> None:
    request = RequestFactory().post("/patients/1/course/new/", {"sign-reason": "travels", "sign-password": "wrong"})
    answers = [signin.signs(request, robin, password) for password in (PASSWORD, *["wrong"] * 5, PASSWORD)]

    assert answers == [True, False, False, False, False, False, False]
    assert [
        (attempt.username, attempt.post_data.strip("-\n"), attempt.get_data.strip("-\n"))
        for attempt in AccessAttempt.objects.all()
    ] == [("robin", "", "")]


def test_people_work_at_their_own_sites_only(robin: Staff) -> None:
    second, foreign = SiteFactory.create(name="Weston"), SiteFactory.create()
    robin.sites.add(second)
    client = signed_in(robin)
    before = says(client.get("/"), ".brand")
    choices = says(client.get("/"), "[name=site]")
    moved = client.post("/site/", {"site": second.pk})
    after = says(client.get("/"), ".brand")

    assert (before, moved.status_code, after) == (["Larkfield"], 302, ["Weston"])
    assert choices == ["Work at Larkfield", "Work at Weston"]
    assert [client.post("/site/", {"site": site}).status_code for site in (foreign.pk, "x", "")] == [404, 404, 404]


def test_somebody_without_a_site_is_told_whom_to_ask() -> None:
    answer = signed_in(StaffFactory.create()).get("/")

    assert answer.status_code == 403
    assert "You work at no site yet. A manager can add you to one." in says(answer, "main")[0]
