"""Patients' pages: find, register, see, change."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from patients.models import Patient, Task, TaskKind
from scheduling.models import Mail
from tests.factories import NOW, Clinic, PatientFactory, make_clinic
from tests.pages import form_data, page, says, signed_in
from tests.scheduling.views import book

Data = dict[str, Any]

ELEANOR: Data = {
    "last_name": "Vance",
    "first_name": "Eleanor",
    "birth_date": "1979-03-14",
    "language": "en",
    "email": "eleanor@example.org",
    "phone": "(555) 0142-771",
    "mail_consent": "neutral",
}


@pytest.fixture
def clinic(at_now: None, db: None) -> Clinic:
    return make_clinic()


@pytest.fixture
def desk(clinic: Clinic) -> Client:
    return signed_in(clinic.desk)


def find(client: Client, text: str) -> list[str]:
    """The names that the page shows for this search."""
    client.post("/patients/", {"q": text})
    return [row.all("b")[0].text for row in page(client.get("/patients/")).all("tr")[1:]]


def test_patients_are_found_by_what_people_say(desk: Client) -> None:
    vance = PatientFactory.create(
        last_name="Vance", first_name="Eleanor", birth_date=date(1979, 3, 14), phone="555 0142", phone_digits="5550142"
    )
    PatientFactory.create(last_name="Asante", first_name="Kwame")
    asked = ["vance", "Eleanor Vance", "14.3.1979", "0142", vance.record_number]

    assert [find(desk, text) for text in asked] == [["Vance, Eleanor"]] * 5


def test_a_search_stands_in_no_address(desk: Client) -> None:
    answer = desk.post("/patients/", {"q": "Vance"})

    assert (answer.status_code, answer["Location"]) == (302, "/patients/")
    assert [field.attributes["value"] for field in page(desk.get("/patients/")).all("[id=id_q]")] == ["Vance"]


def test_nobody_found_says_how_to_ask_and_offers_to_register(desk: Client) -> None:
    desk.post("/patients/", {"q": "<b>Nobody"})
    (empty,) = page(desk.get("/patients/")).all(".empty")

    assert empty.all("b")[0].text == "Nobody is found by “<b>Nobody”."
    (form,) = empty.all("form")
    assert (form.attributes["action"], form.all("button")[0].text) == ("/patients/new/", "Register “<b>Nobody”")


@pytest.mark.parametrize("text", ["", " ", "\x00", "x" * 10_000])
def test_a_search_that_says_nothing_shows_who_was_registered_lately(desk: Client, text: str) -> None:
    PatientFactory.create(last_name="Vance", first_name="Eleanor")

    assert find(desk, text) == ["Vance, Eleanor"]


def test_a_search_is_taken_back_or_forgotten_after_ten_minutes(desk: Client) -> None:
    PatientFactory.create_batch(2, last_name="Vance")
    PatientFactory.create(last_name="Asante")

    def shown() -> int:
        return len(page(desk.get("/patients/")).all("tr")) - 1

    counts = []
    for minutes in (9, 10):
        desk.post("/patients/", {"q": "vance"})
        with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
            counts.append(shown())
    desk.post("/patients/", {"q": "vance"})
    (form,) = page(desk.get("/patients/")).all("header.head")[0].all("form")
    desk.post(form.attributes["action"], {"q": ""})

    assert (counts, form.all("button")[0].text, shown()) == ([2, 3], "Show all", 3)


@pytest.mark.parametrize("text", ["1991", "555 014 2771", "x@example.org", "P999999", "1991-05-04"])
def test_numbers_and_addresses_are_no_names_to_register(desk: Client, text: str) -> None:
    desk.post("/patients/", {"q": text})

    assert page(desk.post("/patients/find/", {"q": text})).all("button") == []
    assert page(desk.get("/patients/")).all(".empty")[0].all("form") == []


def test_a_form_begins_where_something_has_to_be_typed(desk: Client) -> None:
    path = f"/patients/{PatientFactory.create(email='').pk}/edit/"
    starts = [
        [field.attributes["name"] for field in page(desk.get(address)).all("[autofocus]")]
        for address in ("/patients/new/", path, f"{path}?add=email")
    ]

    assert starts == [["last_name"], [], ["email"]]


def test_a_search_that_cannot_be_meant_says_why(desk: Client) -> None:
    desk.post("/patients/", {"q": "V" * 101})

    assert says(desk.get("/patients/"), ".notice") == ["Ensure this value has at most 100 characters (it has 101)."]


def test_many_are_shown_page_by_page(desk: Client) -> None:
    PatientFactory.create_batch(30, last_name="Vance")
    desk.post("/patients/", {"q": "Vance"})
    counts = [len(page(desk.get("/patients/", {"page": number})).all("tr")) - 1 for number in (1, 2, 99)]

    assert counts == [25, 5, 5]


def test_who_can_be_meant_alone_is_opened(desk: Client) -> None:
    patient = PatientFactory.create(last_name="Vance")
    PatientFactory.create_batch(2, last_name="Vanbrugh")

    assert [desk.post("/patients/", {"q": text})["Location"] for text in ("vanc", "van")] == [
        f"/patients/{patient.pk}/",
        "/patients/",
    ]


@pytest.mark.parametrize(("shown", "more"), [("", 0), ("no-mail", 2)])
@pytest.mark.parametrize("found", [1, 25])
def test_it_takes_as_many_queries_for_a_full_page_as_for_one(desk: Client, found: int, shown: str, more: int) -> None:
    PatientFactory.create_batch(found, last_name="Vance", email="")
    desk.post("/patients/", {"q": "Vance"})
    desk.get("/patients/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = desk.get("/patients/", {"show": shown})

    assert len(page(answer).all("tr")) == 1 + found
    # session, user; how many, who, their courses; what they have to be told, open lines; sites, open worklist lines
    assert len(queries) == 7 + more


def seen(client: Client, shown: str) -> list[str]:
    """What the page's rows say under a filter."""
    return [row.text for row in page(client.get("/patients/", {"show": shown})).all("tr")[1:]]


def test_filters_show_who_is_in_a_course_who_is_not_and_who_cannot_be_mailed(desk: Client, clinic: Clinic) -> None:
    vance = PatientFactory.create(last_name="Vance", email="", phone="555 0142")
    asante = PatientFactory.create(last_name="Asante", email="", phone="")
    osei = PatientFactory.create(last_name="Osei")
    book(clinic, vance)
    names = {
        shown: [row.all("b")[0].text for row in page(desk.get("/patients/", {"show": shown})).all("tr")[1:]]
        for shown in ("", "running", "free", "no-mail", "nonsense")
    }

    assert names == {
        "": [str(osei), str(asante), str(vance)],
        "running": [str(vance)],
        "free": [str(osei), str(asante)],
        "no-mail": [str(asante), str(vance)],
        "nonsense": [str(osei), str(asante), str(vance)],
    }


def test_who_has_no_mail_address_is_listed_with_what_has_to_be_told(desk: Client, clinic: Clinic) -> None:
    vance = PatientFactory.create(last_name="Vance", first_name="Eleanor", email="", phone="555 0142")
    asante = PatientFactory.create(last_name="Asante", first_name="Kwame", email="", phone="")
    book(clinic, vance)
    before = seen(desk, "no-mail")
    Task.objects.update(done_at=NOW)
    dates = "Mon 1 Feb 09:00 Thu 4 Feb 09:00 Mon 8 Feb 09:00 Thu 11 Feb 09:00 Mon 15 Feb 09:00 Thu 18 Feb 09:00"
    end = f"{vance.record_number} Add an address : Vance, Eleanor"

    assert before == [
        f"Asante, Kwame 17 May 1980 46 no phone no visit to come {asante.record_number} Add an address : Asante, Kwame",
        f"Vance, Eleanor 17 May 1980 46 555 0142 not told yet {dates} {end}",
    ]
    assert seen(desk, "no-mail")[1] == f"Vance, Eleanor 17 May 1980 46 555 0142 {dates} {end}"


@pytest.mark.parametrize(
    ("shown", "says_so"),
    [
        ("", "No patient is registered yet."),
        ("running", "Nobody is in a course."),
        ("free", "Everybody is in a course."),
        ("no-mail", "Everybody has a mail address."),
    ],
)
def test_an_empty_list_says_what_is_empty(desk: Client, shown: str, says_so: str) -> None:
    (empty,) = page(desk.get("/patients/", {"show": shown})).all(".empty")

    assert empty.all("b")[0].text == says_so


def listed(answer: Any) -> list[str]:
    """The rows of the fragment below the search."""
    return [row.text for row in page(answer).all("li")]


def test_who_is_found_stands_below_the_search_while_somebody_types(desk: Client, clinic: Clinic) -> None:
    vance = PatientFactory.create(last_name="Vance", first_name="Eleanor", phone="555 0142")
    other = PatientFactory.create(last_name="Vanbrugh", first_name="Kwame", phone="")
    course = book(clinic, vance)
    answer = desk.post("/patients/find/", {"q": "van"})

    assert listed(answer) == [
        f"Vanbrugh, Kwame 17 May 1980 · 46 {other.record_number} New course : Vanbrugh, Kwame",
        (
            f"Vance, Eleanor 17 May 1980 · 46 555 0142 {vance.record_number} "
            "0 of 6 , next Mon 1 Feb 09:00 Course : Vance, Eleanor"
        ),
    ]
    assert [link.attributes["href"] for link in page(answer).all("a")] == [
        f"/patients/{other.pk}/",
        f"/patients/{other.pk}/course/new/",
        f"/patients/{vance.pk}/",
        f"/courses/{course.pk}/",
    ]


def test_eight_are_shown_and_more_are_not_counted(desk: Client) -> None:
    PatientFactory.create_batch(9, last_name="Vance")
    answer = desk.post("/patients/find/", {"q": "vance"})

    assert (len(listed(answer)), says(answer, ".link")) == (8, ["Show all that are found"])
    assert says(answer, "[hx-swap-oob=innerHTML:#found-said]") == ["More than 8 are found."]


@pytest.mark.parametrize("text", ["", "va", "  v a ", "--%", "x" * 101])
def test_what_says_too_little_is_not_looked_for(desk: Client, text: str) -> None:
    PatientFactory.create(last_name="Vance")
    answer = desk.post("/patients/find/", {"q": text})

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("found", [1, 8])
def test_what_stands_below_the_search_takes_five_queries(desk: Client, clinic: Clinic, found: int) -> None:
    for chair in range(min(found, 6)):
        book(clinic, PatientFactory.create(last_name="Vance"), chair=chair, days=(7 * chair,))
    PatientFactory.create_batch(found - min(found, 6), last_name="Vance")
    desk.get("/patients/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = desk.post("/patients/find/", {"q": "vance"})

    assert len(listed(answer)) == found
    assert len(queries) == 5  # session, user; patients, courses; sites


def test_who_is_not_found_is_registered_with_what_was_typed(desk: Client) -> None:
    answer = desk.post("/patients/find/", {"q": "vance, eleanor 14.3.1979"})
    (button,) = page(answer).all("button")
    led = desk.post(button.attributes["formaction"], {"q": "vance, eleanor 14.3.1979"})
    fields = form_data(desk.get(led["Location"]))

    assert (button.text, led["Location"]) == ("Register “vance, eleanor 14.3.1979”", "/patients/new/")
    assert {name: fields[name] for name in ("last_name", "first_name", "birth_date")} == {
        "last_name": ["Vance"],
        "first_name": ["Eleanor"],
        "birth_date": ["1979-03-14"],
    }
    assert form_data(desk.get("/patients/new/"))["last_name"] == [""]


def test_a_nurse_finds_and_registers_nobody(clinic: Clinic) -> None:
    PatientFactory.create(last_name="Vance")
    nurse = signed_in(clinic.nurse)
    found, missing = (nurse.post("/patients/find/", {"q": text}) for text in ("vance", "nobody"))

    assert ([len(page(found).all(tag)) for tag in ("a", "a.button")], page(missing).all("button")) == ([1, 0], [])


def test_a_patient_is_registered(desk: Client) -> None:
    answer = desk.post("/patients/new/", ELEANOR)
    patient = Patient.objects.get()

    assert (answer.status_code, answer["Location"]) == (302, f"/patients/{patient.pk}/")
    assert (str(patient), patient.phone_digits, patient.created_at) == ("Vance, Eleanor", "5550142771", NOW)
    assert says(desk.get(answer["Location"]), ".messages") == ["Vance, Eleanor is registered."]


def test_a_likely_double_is_asked_about_and_what_was_typed_stays(desk: Client) -> None:
    known = PatientFactory.create(last_name="Vance", first_name="Eleanore", birth_date=date(1979, 3, 14))
    asked = desk.post("/patients/new/", ELEANOR)
    (table,) = page(asked).all("table.people")
    answer = desk.post("/patients/new/", form_data(asked) | {"not_duplicate": "on"})

    assert asked.status_code == 422
    assert [link.attributes["href"] for link in table.all("a")] == [f"/patients/{known.pk}/"]
    assert form_data(asked)["first_name"] == ["Eleanor"]
    assert [row.text for row in page(asked).all("tr")[1:]] == [
        "You typed Vance, Eleanor 14 Mar 1979 (555) 0142-771 eleanor@example.org",
        (
            f"Vance, Eleanore {known.record_number} 14 Mar 1979 {known.phone} eleanore@example.org "
            f"This is the one : Vance, Eleanore, {known.record_number}"
        ),
    ]
    assert answer.status_code == 302
    assert Patient.objects.count() == 2


def test_a_double_click_registers_once_and_says_so(desk: Client) -> None:
    filled = form_data(desk.get("/patients/new/")) | ELEANOR
    led = [desk.post("/patients/new/", filled)["Location"] for _ in range(2)]
    patient = Patient.objects.get()

    assert led == [f"/patients/{patient.pk}/"] * 2
    assert says(desk.get(led[1]), ".notice") == [
        "Vance, Eleanor is registered.",
        "Vance, Eleanor was registered already by this form, once.",
    ]


def test_a_form_that_has_registered_one_registers_no_other(desk: Client) -> None:
    filled = form_data(desk.get("/patients/new/")) | ELEANOR
    desk.post("/patients/new/", filled)
    answer = desk.post("/patients/new/", filled | {"first_name": "Kwame", "birth_date": "1990-01-01"})

    assert (answer.status_code, Patient.objects.count()) == (422, 1)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"last_name": ""}, "Type the family name."),
        ({"first_name": " "}, "Type the first name."),
        ({"birth_date": ""}, "Type the birth date."),
        ({"last_name": "1991"}, "Type the family name in letters."),
        ({"last_name": "<b>Vance"}, "Type the family name in letters."),
        ({"first_name": "--"}, "Type the first name in letters."),
        ({"phone": "call me"}, "Type the phone number: at least 5 digits, such as +1 555 014 2771."),
        ({"phone": "5550"}, "Type the phone number: at least 5 digits, such as +1 555 014 2771."),
        ({"phone": "", "email": ""}, "Give a phone number or a mail address, so that dates can be told."),
        ({"last_name": "x" * 101}, "Ensure this value has at most 100 characters (it has 101)."),
        ({"first_name": "El\x00eanor"}, "Null characters are not allowed."),
        ({"first_name": "Elea\nnor"}, "This has to be one line without control characters."),
        ({"last_name": "\u202eVance"}, "This has to be one line without control characters."),
        ({"birth_date": "never"}, "Enter a valid date."),
        ({"birth_date": "2030-01-01"}, "A birth date is neither in the future nor before 1900."),
        ({"birth_date": "1899-12-31"}, "A birth date is neither in the future nor before 1900."),
        ({"email": "eleanor@"}, "Enter a valid email address."),
        ({"mail_consent": ""}, "Ask the patient about mails, and choose what they say."),
        ({"language": "xx"}, "Select a valid choice. xx is not one of the available choices."),
    ],
)
def test_what_cannot_be_meant_is_said_at_the_field(desk: Client, wrong: Data, error: str) -> None:
    answer = desk.post("/patients/new/", ELEANOR | wrong)

    assert answer.status_code == 422
    assert says(answer, "div.error") == [error]
    assert Patient.objects.count() == 0


@pytest.mark.parametrize(
    "right",
    [
        {"last_name": "O\u2019Brien-van der Meulen Jr."},
        {"last_name": "\u674e", "first_name": "\u0905\u0928\u093f\u0924\u093e"},
        {"first_name": "Jose\u0301"},
        {"phone": "+1 (555) 014-2771 ext. 12"},
        {"phone": "555.014/277 x3", "email": ""},
        {"phone": ""},
    ],
)
def test_names_of_any_script_and_numbers_as_they_are_written_are_taken(desk: Client, right: Data) -> None:
    assert desk.post("/patients/new/", ELEANOR | right).status_code == 302


def test_what_was_registered_before_does_not_keep_from_a_change(desk: Client) -> None:
    patient = PatientFactory.create(last_name="R2D2", phone="12", email="")
    path = f"/patients/{patient.pk}/edit/"
    desk.post(path, form_data(desk.get(path)) | {"first_name": "Eleanor"})
    patient.refresh_from_db()

    assert str(patient) == "R2D2, Eleanor"


def test_a_page_shows_what_is_known_booked_and_mailed(desk: Client, clinic: Clinic) -> None:
    patient = PatientFactory.create(last_name="Vance", first_name="Eleanor", email="")
    course = book(clinic, patient)
    shown = page(desk.get(f"/patients/{patient.pk}/"))
    (coming,) = shown.all("[aria-labelledby=next]")

    assert shown.all("h1")[0].text == "Vance, Eleanor"
    assert shown.all(".notice")[0].text == (
        "No mail address. There is no mail address: tell the patient the dates by phone. Call Add an address"
    )
    who = clinic.prescriber.short_name
    assert coming.all("div.next-visit")[0].text == (
        f"Monday 1 February 2027, 09:00 home from 12:10 · Chair 1 · {who} · times of Eastern Time "
        "Booked Said yes Move m"
    )
    assert coming.all("li")[0].text == f"Thu 4 Feb 2027 09:00 Chair 1, {who} Booked"
    assert len(coming.all("li")) == 5
    assert [link.attributes["href"] for link in shown.all("[aria-labelledby=courses]")[0].all("a")] == [
        f"/courses/{course.pk}/"
    ]
    assert [link.text for link in shown.all("header.head")[0].all("a.button")] == [
        "Enter a score s",
        "Edit e",
        "Open course c",
    ]


def test_a_page_without_anything_leads_to_a_course(desk: Client) -> None:
    patient = PatientFactory.create()
    answer = desk.get(f"/patients/{patient.pk}/")

    assert says(answer, ".empty") == ["Nothing is booked. Plan a course"]
    assert [link.text for link in page(answer).all("header.head")[0].all("a.button")] == [
        "Enter a score s",
        "Edit e",
        "New course n",
    ]


def test_withdrawn_mails_are_folded_away(desk: Client, clinic: Clinic) -> None:
    from scheduling import cancelling

    patient = PatientFactory.create()
    cancelling.cancel_course(actor=clinic.desk, course=book(clinic, patient), reason="other dates", now=NOW)
    mails = page(desk.get(f"/patients/{patient.pk}/")).all("[aria-labelledby=mails]")[0]
    (fold,) = mails.all("details.fold")
    withdrawn = Mail.objects.filter(patient=patient, state="withdrawn").count()

    assert len(fold.all("li")) == withdrawn > 0
    assert len(mails.all("li")) == Mail.objects.filter(patient=patient).count()


def test_a_new_address_takes_the_line_off_and_queues_what_was_not_mailed(desk: Client, clinic: Clinic) -> None:
    patient = PatientFactory.create(email="")
    book(clinic, patient)
    before = (
        Mail.objects.filter(state="due").count(),
        Task.objects.filter(kind=TaskKind.NO_ADDRESS, done_at=None).count(),
    )
    path = f"/patients/{patient.pk}/edit/"
    answer = desk.post(path, form_data(desk.get(path)) | {"email": "eleanor@example.org", "mail_consent": "neutral"})
    after = (
        Mail.objects.filter(state="due").count(),
        Task.objects.filter(kind=TaskKind.NO_ADDRESS, done_at=None).count(),
    )

    assert answer.status_code == 302
    assert (before, after) == ((0, 1), (22, 0))


def test_a_change_that_is_refused_changes_nothing(desk: Client) -> None:
    patient = PatientFactory.create(last_name="Vance")
    path = f"/patients/{patient.pk}/edit/"
    answer = desk.post(path, form_data(desk.get(path)) | {"last_name": "Other", "birth_date": "2030-01-01"})
    patient.refresh_from_db()

    assert answer.status_code == 422
    assert (patient.last_name, says(answer, "h1")) == ("Vance", [str(patient)])


def test_an_older_page_changes_only_what_was_typed_in_it(desk: Client) -> None:
    patient = PatientFactory.create(last_name="Vance", first_name="Eleanor", phone="", email="old@example.org")
    path = f"/patients/{patient.pk}/edit/"
    shown = form_data(desk.get(path))
    desk.post(path, form_data(desk.get(path)) | {"phone": "555 0142", "email": "", "birth_date": "1980-05-17"})
    refused = desk.post(path, shown | {"last_name": ""})
    answer = desk.post(path, form_data(refused) | {"last_name": "Vance-Okonkwo"})
    patient.refresh_from_db()

    assert (refused.status_code, answer.status_code) == (422, 302)
    assert (str(patient), patient.phone, patient.email, patient.birth_date) == (
        *("Vance-Okonkwo, Eleanor", "555 0142", ""),
        date(1980, 5, 17),
    )


def test_everybody_reads_and_nurses_do_not_write(clinic: Clinic) -> None:
    patient = PatientFactory.create()
    paths = ["/patients/", f"/patients/{patient.pk}/", "/patients/new/", f"/patients/{patient.pk}/edit/"]

    assert [[signed_in(staff).get(path).status_code for staff in clinic.staff] for path in paths] == [
        [200] * 5,
        [200] * 5,
        [200, 200, 200, 403, 200],
        [200, 200, 200, 403, 200],
    ]
    assert [Client().get(path).status_code for path in paths] == [302] * 4


@pytest.mark.parametrize("pk", ["0", "99999999999999999999"])
def test_who_does_not_exist_is_not_found(desk: Client, pk: str) -> None:
    assert desk.get(f"/patients/{pk}/").status_code == 404


@pytest.mark.parametrize("courses", [1, 4])
def test_a_page_takes_as_many_queries_for_four_courses_as_for_one(desk: Client, clinic: Clinic, courses: int) -> None:
    from scheduling import cancelling

    patient = PatientFactory.create()
    for number in range(courses):
        course = book(clinic, patient)
        if number < courses - 1:
            cancelling.cancel_course(actor=clinic.desk, course=course, reason="other dates", now=NOW)
    desk.get("/patients/")  # once a minute the session is renewed
    with CaptureQueriesContext(connection) as queries:
        answer = desk.get(f"/patients/{patient.pk}/")

    assert len(page(answer).all("[aria-labelledby=courses]")[0].all("li")) == courses
    # session, user; patient; courses, sessions, overrides, events, standing sessions, lines, mails; consents;
    # screening; evaluations; sites, open lines
    assert len(queries) == 15
