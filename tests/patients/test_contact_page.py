"""What the desk is told about reaching a patient: the form, the panel on the patient's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from patients import contact, worklist
from patients.models import AddressFault, Channel, Consent, ConsentSource, ContactLevel, Patient, Task, TaskKind
from scheduling.models import Mail, MailKind
from tests.factories import NOW, Clinic, PatientFactory, make_clinic
from tests.pages import form_data, page, says, signed_in
from tests.patients.test_views import ELEANOR
from tests.scheduling.views import book

EMAIL, NEUTRAL = Channel.EMAIL, ContactLevel.NEUTRAL


@pytest.fixture
def clinic(at_now: None, db: None) -> Clinic:
    return make_clinic()


@pytest.fixture
def desk(clinic: Clinic) -> Client:
    return signed_in(clinic.desk)


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return PatientFactory.create(last_name="Vance", email="eleanor@example.org")


def said(**fields: Any) -> list[tuple[str, str, str]]:
    """Every consent so far: channel, level and source."""
    return list(Consent.objects.filter(**fields).order_by("pk").values_list("channel", "level", "source"))


def panel(client: Client, patient: Patient) -> Any:
    return page(client.get(f"/patients/{patient.pk}/")).all("section.contact")[0]


def facts(client: Client, patient: Patient) -> list[str]:
    """What stands beside the mail address and beside mails."""
    return [one.text for one in panel(client, patient).all("dd")[1:3]]


def tell(client: Client, patient: Patient, level: str, channel: str = "email") -> list[str]:
    """Press the button of a level; what the page says then."""
    answer = client.post(f"/patients/{patient.pk}/consents/", {"channel": channel, "level": level}, follow=True)
    return says(answer, ".notice") or says(answer, ".message")


def change(client: Client, patient: Patient, **fields: str) -> Any:
    path = f"/patients/{patient.pk}/edit/"
    return client.post(path, form_data(client.get(path)) | fields)


def test_the_form_offers_mails_with_the_sentence_to_read_out_and_presets_nothing(desk: Client) -> None:
    asked = page(desk.get("/patients/new/")).all("fieldset.asked")
    chosen = [one.attributes["value"] for one in asked[0].all("input") if "checked" in one.attributes]
    words = [one.text for one in asked[0].all("q") if one.attributes["lang"] == "en"]

    assert [field.all("legend")[0].text for field in asked] == ["Mails", "Calls"]
    assert chosen == []
    assert words == [contact.wording(EMAIL, level, "en") for level in (NEUTRAL, ContactLevel.STOPPED)]


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, [("email", "neutral", "desk")]),
        ({"mail_consent": "neutral", "phone_consent": ""}, [("email", "neutral", "desk")]),
        ({"mail_consent": "stopped"}, [("email", "stopped", "desk")]),
        ({"mail_consent": "neutral", "email": ""}, []),
        ({"mail_consent": "", "email": ""}, []),
        ({"phone_consent": "neutral"}, [("email", "neutral", "desk"), ("phone", "neutral", "desk")]),
        ({"phone_consent": "stopped"}, [("email", "neutral", "desk"), ("phone", "stopped", "desk")]),
        ({"phone_consent": "neutral", "phone": ""}, [("email", "neutral", "desk")]),
    ],
)
def test_what_is_said_at_registration_is_kept(
    desk: Client, fields: dict[str, str], kept: list[tuple[str, str, str]]
) -> None:
    answer = desk.post("/patients/new/", ELEANOR | fields)

    assert (answer.status_code, said()) == (302, kept)


def test_detailed_mails_cannot_be_chosen_before_the_address_is_verified(desk: Client, patient: Patient) -> None:
    new = desk.post("/patients/new/", ELEANOR | {"mail_consent": "detailed"})
    edited = change(desk, patient, mail_consent="detailed")

    assert (new.status_code, edited.status_code, said()) == (422, 422, [])


def test_they_can_be_once_it_is_and_the_warning_stands_beside_them(desk: Client, patient: Patient) -> None:
    contact.verify(patient=patient, address=patient.email, now=NOW)
    form = page(desk.get(f"/patients/{patient.pk}/edit/")).all("fieldset.asked")[0]
    change(desk, patient, mail_consent="detailed")

    assert contact.wording(EMAIL, ContactLevel.DETAILED, "en") in [one.text for one in form.all("q")]
    assert said() == [("email", "detailed", "desk")]


def test_saving_the_form_again_says_nothing_anew(desk: Client, patient: Patient) -> None:
    contact.stop(actor=None, patient=patient, source=ConsentSource.UNSUBSCRIBE, now=NOW)
    change(desk, patient, first_name="Eleanora")

    assert said() == [("email", "stopped", "unsubscribe")]


def test_an_older_page_does_not_take_back_what_was_said_since(desk: Client, patient: Patient) -> None:
    path = f"/patients/{patient.pk}/edit/"
    shown = form_data(desk.get(path))
    contact.stop(actor=None, patient=patient, source=ConsentSource.PAGE, now=NOW)
    desk.post(path, shown | {"first_name": "Eleanora"})

    assert (Patient.objects.get(pk=patient.pk).mail_level, said()) == ("stopped", [("email", "stopped", "page")])


def test_another_address_in_the_form_means_neutral_mails(clinic: Clinic, desk: Client, patient: Patient) -> None:
    contact.verify(patient=patient, address=patient.email, now=NOW)
    tell(desk, patient, "detailed")
    change(desk, patient, email="new@example.org")

    assert said() == [("email", "detailed", "desk"), ("email", "neutral", "desk")]
    assert facts(desk, patient) == [
        "new@example.org not yet verified",
        f"Neutral since 1 Feb 2027, {clinic.desk.short_name}",
    ]


def test_who_was_never_asked_is_asked_with_the_first_address(desk: Client) -> None:
    patient = PatientFactory.create(email="", mail_level="")
    unasked = change(desk, patient, email="new@example.org")
    asked = change(desk, patient, email="new@example.org", mail_consent="stopped")

    assert (unasked.status_code, says(unasked, "div.error")) == (
        422,
        ["Ask the patient about mails, and choose what they say."],
    )
    assert (asked.status_code, said()) == (302, [("email", "stopped", "desk")])


def test_the_panel_says_what_is_known_of_the_address_and_the_mails(
    clinic: Clinic, desk: Client, patient: Patient
) -> None:
    unasked = PatientFactory.create(email="other@example.org", mail_level="")
    nobody = PatientFactory.create(email="")
    contact.verify(patient=patient, address=patient.email, now=NOW)
    verified = facts(desk, patient)
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=NOW + timedelta(days=3))
    contact.stop(actor=None, patient=patient, source=ConsentSource.PAGE, now=NOW)

    assert facts(desk, unasked) == ["other@example.org not yet verified", "not asked"]
    assert facts(desk, nobody) == ["none: tell by phone", "not asked"]
    assert verified == ["eleanor@example.org verified on 1 Feb 2027", "Neutral"]
    assert facts(desk, patient) == [
        "eleanor@example.org bounced on 4 Feb 2027",
        "stopped since 1 Feb 2027, the patient",
    ]


def test_one_button_writes_down_what_the_patient_says(desk: Client, patient: Patient) -> None:
    told = [tell(desk, patient, level) for level in ("stopped", "neutral", "detailed", "nonsense")]

    assert told == [
        ["What the patient has said is saved."],
        ["What the patient has said is saved."],
        ["Detailed mails go only to an address that the patient has verified."],
        ["Choose what the patient has said."],
    ]
    assert said() == [("email", "stopped", "desk"), ("email", "neutral", "desk")]


def test_the_history_shows_each_consent_with_its_words(clinic: Clinic, desk: Client, patient: Patient) -> None:
    tell(desk, patient, "neutral")
    contact.stop(actor=None, patient=patient, source=ConsentSource.UNSUBSCRIBE, now=NOW)
    rows = [one.text for one in panel(desk, patient).all("ol.rows")[0].all("li")]
    stopped = "The mail program asked us to send no more mails."

    assert rows == [
        f"1 Feb 2027 07:00 Mail: stopped Unsubscribed by mail program · eleanor@example.org {stopped}",
        f"1 Feb 2027 07:00 Mail: neutral At the desk, {clinic.desk.short_name} · eleanor@example.org "
        + contact.wording(EMAIL, NEUTRAL, "en"),
    ]


def test_who_agrees_again_hears_of_the_dates(desk: Client, clinic: Clinic, patient: Patient) -> None:
    tell(desk, patient, "stopped")
    Mail.objects.all().delete()
    book(clinic, patient)
    tell(desk, patient, "neutral")

    assert Mail.objects.filter(kind=MailKind.BOOKED, state="due").count() == 1


def test_an_address_that_is_right_after_all_is_mailed_again(desk: Client, patient: Patient) -> None:
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=NOW)
    shown = says(desk.get("/worklist/"), ".kind")
    answer = desk.post(f"/patients/{patient.pk}/address/")

    assert (shown, answer.status_code, facts(desk, patient)[0]) == (
        ["Mail address is wrong"],
        302,
        "eleanor@example.org not yet verified",
    )
    assert Task.objects.filter(kind=TaskKind.BAD_ADDRESS, done_at=None).count() == 0


def test_a_line_about_the_address_goes_with_the_address_only(desk: Client, patient: Patient) -> None:
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=NOW)
    task = Task.objects.get(kind=TaskKind.BAD_ADDRESS)
    desk.post(f"/worklist/{task.pk}/acknowledge/")
    stays = Task.objects.filter(done_at=None).count()
    change(desk, patient, email="new@example.org")

    assert (stays, Task.objects.filter(done_at=None).count()) == (1, 0)


def test_a_patient_is_asked_to_call_once_for_each_press(desk: Client, clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient)
    (button,) = panel(desk, patient).all("header")[0].all("form")
    given = {one.attributes["name"]: one.attributes["value"] for one in button.all("input")}
    for _ in range(2):
        desk.post(button.attributes["action"], given)

    assert Mail.objects.filter(patient=patient, kind=MailKind.CALL_US).count() == 1


def test_who_gets_no_mails_is_not_asked_by_mail(desk: Client, clinic: Clinic, patient: Patient) -> None:
    book(clinic, patient)
    tell(desk, patient, "stopped")
    buttons = [one.text for one in panel(desk, patient).all("header")[0].all("button")]
    desk.post(f"/patients/{patient.pk}/call-us/", {"request_id": str(uuid4())})

    assert (buttons, Mail.objects.filter(kind=MailKind.CALL_US).count()) == ([], 0)


@pytest.mark.parametrize(
    ("contacted", "told"),
    [
        ({"mail_level": "stopped"}, "The patient wants no mails: tell dates and changes by phone."),
        ({"mail_level": ""}, "The patient was not asked about mails yet: tell dates and changes by phone, and ask."),
        (
            {"email_fault": "bounced", "email_fault_at": NOW},
            "Mails to this address come back or reach somebody else: tell dates by phone.",
        ),
    ],
)
def test_no_page_promises_a_mail_that_does_not_go(
    desk: Client, clinic: Clinic, patient: Patient, contacted: dict[str, Any], told: str
) -> None:
    course = book(clinic, patient)
    Patient.objects.filter(pk=patient.pk).update(phone="+1 555 014 2771", phone_digits="15550142771", **contacted)
    pages = [page(desk.get(path)) for path in (f"/patients/{patient.pk}/", f"/courses/{course.pk}/")]

    for shown in pages:
        (row,) = shown.all(".no-mails")
        lines = [line.text for mails in shown.all("ul.mails") for line in mails.all("li")]
        assert (row.text, row.all("a")[0].attributes["href"]) == (f"{told} +1 555 014 2771", "tel:+15550142771")
        assert {line[:12] for line in lines} == {"Does not go "}
        assert not any("goes out" in line for line in lines)


def test_what_a_patient_waits_for_is_done_where_it_is_told(desk: Client, patient: Patient) -> None:
    Patient.objects.filter(pk=patient.pk).update(phone="(555) 014-2771", phone_digits="5550142771")
    contact.stop(actor=None, patient=patient, source=ConsentSource.PAGE, now=NOW)
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=NOW)
    asked = {"best": "noon", "phone": "+1 555 010 9911"}
    worklist.open_task(kind=TaskKind.CALL_ASKED, patient=patient, details=asked, now=NOW)
    notices = page(desk.get(f"/patients/{patient.pk}/")).all(".notice")
    (done,) = notices[2].all("form")
    desk.post(done.attributes["action"], {"back": f"/patients/{patient.pk}/"})

    assert [[(link.text, link.attributes["href"]) for link in one.all("a.button")] for one in notices] == [
        [("Call", "tel:5550142771"), ("Ask again", f"/patients/{patient.pk}/#ask-mails")],
        [("Call", "tel:5550142771"), ("Correct address", f"/patients/{patient.pk}/edit/?add=email")],
        [("Call +1 555 010 9911", "tel:+15550109911")],
    ]
    assert not Task.objects.filter(kind=TaskKind.CALL_ASKED, done_at=None).exists()


def test_due_mails_are_promised_to_who_gets_them(desk: Client, clinic: Clinic, patient: Patient) -> None:
    shown = page(desk.get(f"/courses/{book(clinic, patient).pk}/"))

    assert shown.all(".no-mails") == []
    assert {line.text[:4] for line in shown.all("ul.mails")[0].all("li")} == {"Due "}


@pytest.mark.parametrize("path", ["consents", "address", "call-us"])
def test_nurses_write_none_of_it(clinic: Clinic, patient: Patient, path: str) -> None:
    client = signed_in(clinic.nurse)
    shown = panel(client, patient)

    assert client.post(f"/patients/{patient.pk}/{path}/", {"channel": "email", "level": "stopped"}).status_code == 403
    assert (shown.all("button"), said()) == ([], [])
