"""What patients agree to and take back, by the interface."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients import contact
from patients.models import AddressFault, Channel, Consent, ConsentSource, ContactLevel, Patient
from scheduling.models import Mail, MailKind
from tests.api import Answer, Api, signed_in
from tests.factories import NOW, Clinic, PatientFactory, make_clinic
from tests.patients.test_api import register
from tests.scheduling.views import book

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic()


@pytest.fixture
def desk(clinic: Clinic) -> Api:
    return signed_in(clinic.desk)


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return PatientFactory.create(email="maya@example.org")


def say(api: Api, patient: Patient, level: str, **more: Any) -> Answer:
    return api.post(f"patients/{patient.pk}/consents/", {"level": level, **more})


def said() -> list[tuple[str, str, str]]:
    return list(Consent.objects.order_by("pk").values_list("channel", "level", "address"))


def test_what_a_patient_says_is_kept_with_the_words(clinic: Clinic, desk: Api, patient: Patient) -> None:
    answer = say(desk, patient, "neutral", channel="email", language="es")
    kept = Consent.objects.get()
    body = {
        "id": kept.pk,
        "channel": "email",
        "level": "neutral",
        "wording": contact.wording(Channel.EMAIL, ContactLevel.NEUTRAL, "es"),
        "language": "es",
        "address": "maya@example.org",
        "source": "desk",
        "at": "2027-02-01T12:00:00Z",
        "by": clinic.desk.pk,
    }

    assert answer == Answer(201, body)
    assert desk.get(f"patients/{patient.pk}/consents/").body["results"] == [body]


def test_the_same_said_again_is_answered_with_what_counts(desk: Api, patient: Patient) -> None:
    request_id = str(uuid4())
    first = say(desk, patient, "stopped", request_id=request_id)
    again = [say(desk, patient, "stopped", request_id=request_id), say(desk, patient, "stopped")]
    other = say(desk, patient, "neutral", request_id=request_id)

    assert (first.status, again) == (201, [Answer(200, first.body), Answer(201, first.body)])
    assert (other.status, other.body["code"], len(said())) == (409, "request_reused", 1)


def test_detailed_mails_want_the_warning_and_a_verified_address(desk: Api, patient: Patient) -> None:
    unwarned = say(desk, patient, "detailed")
    unverified = say(desk, patient, "detailed", warned=True)
    contact.verify(patient=patient, address=patient.email, now=NOW)
    agreed = say(desk, patient, "detailed", warned=True)

    assert [list(answer.body["fields"]) for answer in (unwarned, unverified)] == [["warned"], ["level"]]
    assert [answer.status for answer in (unwarned, unverified, agreed)] == [400, 400, 201]
    assert said() == [("email", "detailed", "maya@example.org")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "level"),
        ({"level": ""}, "level"),
        ({"level": "loud"}, "level"),
        ({"level": "neutral", "channel": "fax"}, "channel"),
        ({"level": "neutral", "language": "xx"}, "language"),
        ({"level": "detailed", "channel": "phone", "warned": True}, "level"),
    ],
)
def test_what_cannot_be_said_is_refused(desk: Api, patient: Patient, body: dict[str, Any], field: str) -> None:
    answer = desk.post(f"patients/{patient.pk}/consents/", body)

    assert (answer.status, list(answer.body["fields"]), said()) == (400, [field], [])


def test_who_agrees_again_hears_of_the_dates(desk: Api, clinic: Clinic, patient: Patient) -> None:
    say(desk, patient, "stopped")
    Mail.objects.all().delete()
    book(clinic, patient)
    say(desk, patient, "neutral")

    assert Mail.objects.filter(kind=MailKind.BOOKED, state="due").count() == 1


def test_an_address_without_a_word_means_neutral_mails(desk: Api) -> None:
    assert register(desk, email="maya@example.org").body["mail_level"] == "neutral"
    assert said() == [("email", "neutral", "maya@example.org")]


@pytest.mark.parametrize(("level", "status"), [("neutral", 201), ("stopped", 201), ("detailed", 400), ("loud", 400)])
def test_a_registration_can_say_what_the_patient_wants(desk: Api, level: str, status: int) -> None:
    answer = register(desk, email="maya@example.org", mail_consent=level)

    assert (answer.status, Patient.objects.count()) == (status, int(status == 201))
    if status == 201:
        assert answer.body["mail_level"] == level
    else:
        assert list(answer.body["fields"]) == ["mail_consent"]


def test_a_change_can_say_it_too(desk: Api, patient: Patient) -> None:
    stopped = desk.patch(f"patients/{patient.pk}/", {"mail_consent": "stopped"})
    another = desk.patch(f"patients/{patient.pk}/", {"email": "new@example.org"})
    agreed = desk.patch(f"patients/{patient.pk}/", {"mail_consent": "neutral"})

    assert [answer.body["mail_level"] for answer in (stopped, another, agreed)] == ["stopped", "stopped", "neutral"]
    assert said() == [("email", "stopped", "maya@example.org"), ("email", "neutral", "new@example.org")]


def test_what_is_known_of_an_address_is_read(desk: Api, patient: Patient) -> None:
    contact.verify(patient=patient, address=patient.email, now=NOW)
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=NOW)
    read = desk.get(f"patients/{patient.pk}/").body

    assert (read["mail_level"], read["email_verified_at"], read["email_fault"]) == (
        *("neutral", "2027-02-01T12:00:00Z"),
        "bounced",
    )


def test_nurses_read_and_do_not_write(clinic: Clinic, patient: Patient) -> None:
    api = signed_in(clinic.nurse)

    assert api.get(f"patients/{patient.pk}/consents/").body["results"] == []
    assert (say(api, patient, "neutral").status, said()) == (403, [])


def test_who_does_not_exist_has_said_nothing(desk: Api) -> None:
    assert desk.get("patients/99999999/consents/").status == 404


@pytest.mark.parametrize("number", [1, 30])
def test_a_list_takes_as_many_queries_for_thirty_as_for_one(desk: Api, patient: Patient, number: int) -> None:
    for turn in range(number):
        language = "es" if turn % 2 else "en"
        contact.agree(
            actor=None,
            patient=patient,
            channel=Channel.EMAIL,
            level=ContactLevel.NEUTRAL,
            source=ConsentSource.PAGE,
            language=language,
            now=NOW,
        )
    with CaptureQueriesContext(connection) as queries:
        answer = desk.get(f"patients/{patient.pk}/consents/")

    assert len(answer.body["results"]) == number
    assert len(queries) == 4  # token; patient; count, rows
