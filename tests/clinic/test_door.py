"""What somebody typed is kept when they have to sign in first, and nobody else gets a form sent in this way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth import get_user
from django.core import signing
from django.test import Client

from clinic.door import MOST_CHARACTERS, MOST_FIELDS, SALT, Kept
from clinic.models import Chair, Role, Staff
from patients.models import Patient
from tests.factories import NOW, PASSWORD, SiteFactory, StaffFactory
from tests.pages import form_data, page, says, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]

LATER = NOW + timedelta(minutes=16)
HOME = "http://testserver"
PLAIN = "This form was too old to be sent."
KEPT = "You are signed in again. What you typed is kept."

VANCE = {
    "last_name": ["Vance-Okonkwo"],
    "first_name": ["Eleanor"],
    "birth_date": ["1984-05-02"],
    "language": ["en"],
    "email": ["e@example.org"],
    "phone": [""],
    "mail_consent": ["neutral"],
}


@pytest.fixture
def robin() -> Staff:
    return StaffFactory.create(username="robin", sites=[SiteFactory.create(name="Larkfield")])


@pytest.fixture
def strict() -> Client:
    """A browser that is held to its tokens."""
    return Client(enforce_csrf_checks=True)


def sign_in(client: Client, asked: Any, password: str = PASSWORD) -> Any:
    """Fill in the sign-in page that one has been shown, or asks for."""
    return client.post("/sign-in/", form_data(asked) | {"username": "robin", "password": password})


def says_main(answer: Any, selector: str) -> list[str]:
    return [element.text for element in page(answer).all("main")[0].all(selector)]


def without_token(fields: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: values for name, values in fields.items() if name != "csrfmiddlewaretoken"}


def test_what_is_sent_after_the_session_has_ended_comes_back_and_is_done_by_a_tap(robin: Staff, strict: Client) -> None:
    sign_in(strict, strict.get("/sign-in/"))
    form = form_data(strict.get("/patients/new/"))
    with time_machine.travel(LATER, tick=False):
        door = strict.post("/patients/new/", form | VANCE)
        resumed = sign_in(strict, door)
        before = Patient.objects.count()
        done = strict.post("/patients/new/", form_data(resumed))

    assert (door.status_code, door["Cache-Control"]) == (401, resumed["Cache-Control"])
    assert "no-store" in door["Cache-Control"]
    assert (
        "You were signed out after 15 minutes without a key or a tap. What you typed is kept." in says(door, "main")[0]
    )
    assert (resumed.status_code, says(resumed, "h1"), says_main(resumed, "button.primary")) == (
        200,
        [KEPT],
        ["Send what I typed Ctrl ⏎"],
    )
    assert without_token(form_data(resumed)) == without_token(form | VANCE)
    assert [link.attributes["href"] for link in page(resumed).all("main")[0].all("a.button")] == ["/patients/new/"]
    assert "in the name of Robin Keller" in says(resumed, "main")[0]
    assert before == 0
    assert (done.status_code, Patient.objects.get().last_name) == (302, "Vance-Okonkwo")


def test_who_has_signed_out_in_another_window_is_not_told_of_a_rest(robin: Staff) -> None:
    client = signed_in(robin)
    client.post("/sign-out/")
    door = client.post("/patients/new/", VANCE)

    assert (door.status_code, says(door, ".form")[0].count("It is kept.")) == (401, 1)
    assert "without a key or a tap" not in says(door, "main")[0]


def test_several_values_of_a_field_their_order_their_lines_and_the_words_of_the_button_come_back(robin: Staff) -> None:
    client = Client()
    typed = {"row": ["2", "1", "2"], "act": ["book"], "note": ['one\r\ntwo & <three> "four"'], "empty": [""]}
    resumed = sign_in(client, client.post("/patients/1/course/new/", typed | {"resume_label": "Book\n 6 visits "}))
    data = form_data(resumed)

    assert list(data) == ["csrfmiddlewaretoken", "row", "act", "note", "empty", "resume_label"]
    assert without_token(data) == typed | {"resume_label": ["Book 6 visits"]}
    assert says_main(resumed, "button.primary") == ["Book 6 visits Ctrl ⏎"]
    assert page(resumed).all("main")[0].all("form")[0].attributes["action"] == "/patients/1/course/new/"


def test_passwords_and_tokens_are_never_carried_along(robin: Staff) -> None:
    client = Client()
    typed = {"sign-password": "never-1", "Password2": "never-2", "csrfmiddlewaretoken": "t", "kept": "x", "row": "1"}
    door = client.post("/patients/1/course/new/", typed)
    resumed = sign_in(client, door)

    assert without_token(form_data(resumed)) == {"row": ["1"]}
    assert b"never-" not in door.content + resumed.content


@pytest.mark.parametrize(
    ("sent", "options"),
    [
        ({"note": "x" * MOST_CHARACTERS}, {}),
        ({f"f{number}": "" for number in range(MOST_FIELDS + 1)}, {}),
        ({"old_password": PASSWORD, "new_password1": "a", "new_password2": "a"}, {}),
        ({"note": "typed"}, {"content_type": "application/json"}),
    ],
    ids=["long", "many fields", "only passwords", "no form"],
)
def test_what_cannot_be_kept_is_said_not_to_be_carried_out(
    robin: Staff, sent: dict[str, str], options: dict[str, str]
) -> None:
    client = Client()
    answer = client.post("/password/", sent, **options)  # type: ignore[arg-type]  # the content type
    door = client.get(answer["Location"])

    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/password/")
    assert says(door, ".notice") == ["What you sent last was not carried out."]
    assert sign_in(client, door)["Location"] == "/password/"


def test_a_form_that_is_just_short_enough_is_kept_whole(robin: Staff) -> None:
    client = Client()
    long = {"note": ["ñ" * (MOST_CHARACTERS - 4)]}
    many = {f"f{number}": [""] for number in range(MOST_FIELDS)}

    assert without_token(form_data(sign_in(client, client.post("/site/", long)))) == long
    client.logout()
    assert without_token(form_data(sign_in(client, client.post("/site/", many)))) == many


def test_what_is_kept_outlives_wrong_passwords_and_the_wait_and_is_written_down_nowhere(robin: Staff) -> None:
    client = Client()
    door: Any = client.post("/patients/new/", VANCE)
    statuses = []
    for _ in range(5):
        door = sign_in(client, door, "wrong")
        statuses.append(door.status_code)
    with time_machine.travel(LATER, tick=False):
        resumed = sign_in(client, door)
    written = " ".join(f"{attempt.post_data} {attempt.get_data}" for attempt in AccessAttempt.objects.all())

    assert statuses == [422, 422, 422, 422, 429]
    assert without_token(form_data(resumed)) == VANCE
    assert form_data(door)["kept"][0] not in written


@pytest.mark.parametrize("kept", ["", "x", "eyJwYXRoIjoiaHR0cHM6Ly9ldmlsLmV4YW1wbGUvIn0:1abc:x"])
def test_only_what_came_from_us_comes_back(robin: Staff, kept: str) -> None:
    answer = Client().post("/sign-in/", {"username": "robin", "password": PASSWORD, "kept": kept, "next": "/worklist/"})

    assert (answer.status_code, answer["Location"]) == (302, "/worklist/")


def test_what_is_sealed_cannot_be_changed() -> None:
    kept = Kept("/patients/new/", "Save", "/patients/", (("a", "1"), ("a", "2"), ("b", "é\n")))
    seal = kept.seal()

    assert Kept.sealed(seal) == kept
    assert [Kept.sealed(seal[:place] + "~" + seal[place + 1 :]) for place in range(len(seal))] == [None] * len(seal)


def test_what_another_release_has_sealed_in_another_form_is_nothing() -> None:
    others: tuple[object, ...] = ({}, {"path": "/", "fields": [["name"]]}, {"other": 1, "fields": []}, [])
    assert [Kept.sealed(signing.dumps(other, salt=SALT)) for other in others] == [None] * 4


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
def test_who_leaves_what_was_typed_comes_to_the_page_that_held_it(
    robin: Staff, sent: str, referer: str, back: str
) -> None:
    client = Client()
    door = client.post(sent, headers={"Referer": referer})
    resumed = sign_in(client, door)

    assert form_data(door)["next"] == [back]
    assert [link.attributes["href"] for link in page(resumed).all("main")[0].all("a.button")] == [back]


def test_what_a_manager_sets_up_is_kept_too() -> None:
    site = SiteFactory.create()
    StaffFactory.create(username="robin", role=Role.MANAGER, sites=[site])
    client = Client()
    typed = {"site": [str(site.pk)], "name": ["Window"], "position": ["1"], "active": ["on"], "_save": ["Save"]}
    resumed = sign_in(client, client.post("/admin/clinic/chair/add/", typed))
    action = page(resumed).all("main")[0].all("form")[0].attributes["action"]
    client.post(action, form_data(resumed))

    assert action == "/admin/clinic/chair/add/"
    assert [link.attributes["href"] for link in page(resumed).all("main")[0].all("a.button")] == [action]
    assert list(Chair.objects.values_list("name", flat=True)) == ["Window"]


# A token from before the last sign-in


def old_page(client: Client) -> dict[str, list[str]]:
    """Sign in, open a page, and sign in once more in another window: the page's form with its old token."""
    sign_in(client, client.get("/sign-in/"))
    form = form_data(client.get("/patients/new/"))
    client.post("/sign-out/", form)
    sign_in(client, client.get("/sign-in/"))
    return form | VANCE


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": HOME},
        {"Origin": HOME, "Sec-Fetch-Site": "same-origin"},
        {"Referer": f"{HOME}/patients/new/"},
    ],
    ids=["Origin", "Origin and Sec-Fetch-Site", "Referer"],
)
def test_a_form_of_ours_with_an_old_token_comes_back_and_is_done_by_a_tap(
    robin: Staff, strict: Client, headers: dict[str, str]
) -> None:
    form = old_page(strict)
    resumed = strict.post("/patients/new/", form, headers=headers)
    before = Patient.objects.count()
    done = strict.post("/patients/new/", form_data(resumed), headers=headers)

    assert (resumed.status_code, says(resumed, "h1")) == (403, [KEPT])
    assert "no-store" in resumed["Cache-Control"]
    assert without_token(form_data(resumed)) == without_token(form)
    assert (before, done.status_code, Patient.objects.count()) == (0, 302, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", "Referer": f"{HOME}/patients/new/"},
        {"Origin": "https://testserver"},
        {"Origin": f"{HOME}:8080"},
        {"Origin": f"{HOME}.evil.example"},
        {"Origin": "http://neighbour.testserver"},
        {"Origin": HOME, "Sec-Fetch-Site": "cross-site"},
        {"Origin": HOME, "Sec-Fetch-Site": "same-site"},
        {"Origin": HOME, "Sec-Fetch-Site": "none"},
        {"Referer": "https://evil.example/?http://testserver/"},
        {"Referer": "http://testserver@evil.example/"},
        {"Referer": "http://["},
    ],
    ids=lambda headers: " ".join(f"{name}: {value}" for name, value in headers.items()) or "nothing",
)
@pytest.mark.parametrize("htmx", [{}, {"HX-Request": "true"}], ids=["page", "htmx"])
def test_another_site_gets_nothing_but_a_refusal(
    robin: Staff, strict: Client, headers: dict[str, str], htmx: dict[str, str]
) -> None:
    form = old_page(strict)
    answer = strict.post("/patients/new/", form, headers=headers | htmx)

    assert (answer.status_code, says(answer, "h1"), "X-Send-As" in answer) == (403, [PLAIN], False)
    assert [form.attributes.get("action") for form in page(answer).all("main")[0].all("form")] == []
    assert b"Vance-Okonkwo" not in answer.content


@pytest.mark.parametrize("path", ["/sign-out/", "/nowhere/", "/sessions/1/"])
def test_what_takes_no_forms_of_those_who_are_signed_in_offers_none(robin: Staff, strict: Client, path: str) -> None:
    form = old_page(strict)
    answer = strict.post(path, form, headers={"Origin": HOME})

    assert (answer.status_code, says(answer, "h1")) in [(403, [PLAIN]), (404, ["There is no such page."])]
    assert b"Vance-Okonkwo" not in answer.content


def test_an_old_token_of_somebody_who_is_not_signed_in_leads_to_the_door_with_what_was_typed(
    robin: Staff, strict: Client
) -> None:
    form = old_page(strict)
    strict.post("/sign-out/", form_data(strict.get("/patients/new/")))
    door = strict.post("/patients/new/", form, headers={"Origin": HOME})
    resumed = sign_in(strict, door)

    assert (door.status_code, without_token(form_data(resumed))) == (401, without_token(form))


def test_a_sign_in_page_that_has_grown_old_does_what_is_left_to_do(robin: Staff, strict: Client) -> None:
    plain = form_data(strict.get("/sign-in/", {"next": "/worklist/"}))
    typed = form_data(strict.post("/patients/new/", {"csrfmiddlewaretoken": plain["csrfmiddlewaretoken"]} | VANCE))
    data = {"username": "robin", "password": PASSWORD}
    sign_in(strict, strict.get("/sign-in/"))
    onward = strict.post("/sign-in/", plain | data, headers={"Origin": HOME})
    resumed = strict.post("/sign-in/", typed | data, headers={"Origin": HOME})
    foreign = strict.post("/sign-in/", typed | data, headers={"Origin": "https://evil.example"})

    assert (onward.status_code, onward["Location"]) == (302, "/worklist/")
    assert without_token(form_data(resumed)) == VANCE
    assert (foreign.status_code, says(foreign, "h1")) == (403, [PLAIN])


def test_an_old_sign_in_page_of_somebody_who_is_signed_out_is_shown_once_more(robin: Staff, strict: Client) -> None:
    first = form_data(strict.get("/sign-in/", {"next": "/worklist/"})) | {"username": "robin", "password": PASSWORD}
    sign_in(strict, strict.get("/sign-in/"))
    strict.post("/sign-out/", form_data(strict.get("/patients/new/")))
    again = strict.post("/sign-in/", first, headers={"Origin": HOME})

    assert (again.status_code, says(again, ".notice")) == (
        403,
        ["You are signed out.", "This page had stood open for too long. Sign in once more."],
    )
    assert [field.attributes["value"] for field in page(again).all("[name=username]")] == ["robin"]
    assert PASSWORD.encode() not in again.content
    assert sign_in(strict, again)["Location"] == "/worklist/"


def test_a_browser_that_refuses_cookies_is_told(strict: Client) -> None:
    answer = strict.post("/sign-in/", {"username": "robin", "password": PASSWORD}, headers={"Origin": HOME})

    assert (answer.status_code, says(answer, "h1")) == (403, [PLAIN])
    assert "the browser refuses cookies" in says(answer, "main")[0]


# Parts of pages


@pytest.mark.parametrize(
    ("method", "headers", "send_as"),
    [
        ("GET", {"HX-Request": "true"}, None),
        ("GET", {"X-Background": "1"}, None),
        ("GET", {"Sec-Fetch-Dest": "empty"}, None),
        ("POST", {"HX-Request": "true"}, "page"),
        ("POST", {"HX-Request": "true", "X-Background": "1"}, None),
        ("POST", {"Sec-Fetch-Dest": "empty"}, "page"),
    ],
)
def test_a_script_is_told_that_nobody_is_signed_in_and_replaces_nothing(
    method: str, headers: dict[str, str], send_as: str | None
) -> None:
    answer = Client().generic(method, "/patients/", headers=headers)

    assert (answer.status_code, answer.content, answer.get("X-Send-As")) == (401, b"", send_as)


def test_a_script_with_an_old_token_is_told_to_send_a_page(robin: Staff, strict: Client) -> None:
    form = old_page(strict)
    answer = strict.post("/patients/new/", form, headers={"Origin": HOME, "HX-Request": "true"})

    assert (answer.status_code, answer.content, answer["X-Send-As"]) == (403, b"", "page")
    assert get_user(strict) == robin
