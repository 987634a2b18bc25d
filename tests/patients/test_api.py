"""Patients by the interface."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling.models import Request
from tests.api import Answer, Api, signed_in
from tests.factories import Clinic, CourseFactory, PatientFactory, make_clinic

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]

MAYA = {"first_name": "Maya", "last_name": "Vance-Okonkwo", "birth_date": "1979-03-14"}


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def desk(clinic: Clinic) -> Api:
    return signed_in(clinic.desk)


def register(api: Api, **more: Any) -> Answer:
    return api.post("patients/", {**MAYA, **more})


def test_a_patient_is_registered_and_read(desk: Api) -> None:
    answer = register(
        desk, email="maya@example.org", phone="+1 (555) 014-2771", referred_by="Dr. P. Whitlock", language="es"
    )
    patient = Patient.objects.get()

    assert (answer.status, answer.body) == (
        201,
        {
            "id": patient.pk,
            "record_number": f"P{patient.pk:06}",
            **MAYA,
            "email": "maya@example.org",
            "phone": "+1 (555) 014-2771",
            "referred_by": "Dr. P. Whitlock",
            "language": "es",
            "mail_level": "neutral",
            "email_verified_at": None,
            "email_fault": "",
            "eligible": None,
            "course": None,
        },
    )
    assert desk.get(f"patients/{patient.pk}/") == Answer(200, answer.body)


def test_what_is_not_said_is_empty(desk: Api) -> None:
    answer = register(desk)

    assert (answer.body["email"], answer.body["phone"], answer.body["language"]) == ("", "", "en")


def test_what_is_missing_is_named(desk: Api) -> None:
    required = ["This field is required."]

    assert desk.post("patients/", {}).body["fields"] == dict.fromkeys(MAYA, required)


def test_a_likely_double_is_answered_with_who_it_may_be(desk: Api) -> None:
    first = register(desk)
    asked = register(desk, first_name="Maya Ruth")
    other = register(desk, first_name="Maya Ruth", not_duplicate=True)

    assert (asked.status, asked.body["code"], asked.body["candidates"]) == (409, "possible_duplicate", [first.body])
    assert other.status == 201


def test_a_repeated_registration_gets_the_same_patient(desk: Api) -> None:
    request_id = str(uuid4())
    first, again = register(desk, request_id=request_id), register(desk, request_id=request_id)
    other = register(desk, request_id=request_id, first_name="Ada")

    assert (first.status, again.status, again.body) == (201, 200, first.body)
    assert (other.status, other.body["code"]) == (409, "request_reused")
    assert Patient.objects.count() == 1


def test_a_refused_registration_leaves_its_request_id(desk: Api) -> None:
    register(desk)
    request_id = str(uuid4())
    asked = register(desk, request_id=request_id)
    done = register(desk, request_id=request_id, not_duplicate=True)

    assert (asked.status, done.status) == (409, 201)


def test_what_is_kept_of_a_request_names_nobody(desk: Api) -> None:
    register(desk, request_id=str(uuid4()))

    kept = str(list(Request.objects.values()))
    assert [name for name in MAYA.values() if name in kept] == []


def test_some_fields_are_changed_and_the_others_stay(desk: Api) -> None:
    patient = PatientFactory.create(first_name="Alex", phone="555")
    answer = desk.patch(f"patients/{patient.pk}/", {"phone": "+1 555 030 0000", "last_name": "Moe"})

    patient.refresh_from_db()
    assert (answer.status, answer.body["first_name"], answer.body["last_name"]) == (200, "Alex", "Moe")
    assert (patient.phone_digits, patient.last_name) == ("15550300000", "Moe")


def test_a_record_number_cannot_be_changed(desk: Api) -> None:
    patient = PatientFactory.create()
    answer = desk.patch(f"patients/{patient.pk}/", {"record_number": "X"})

    assert (answer.status, answer.body["record_number"]) == (200, patient.record_number)


def test_patients_are_found_by_name_date_phone_and_number(desk: Api) -> None:
    register(desk, phone="+1 (555) 014-2771")
    PatientFactory.create_batch(3)
    number = Patient.objects.get(first_name="Maya").record_number
    found = [
        [patient["first_name"] for patient in desk.get("patients/", q=q).body["results"]]
        for q in ("vance", "maya van", "3/14/1979", "014-2771", number, "nobody")
    ]

    assert found == [["Maya"]] * 5 + [[]]


def test_the_course_under_way_stands_beside_the_patient(desk: Api, clinic: Clinic) -> None:
    patient = PatientFactory.create()
    CourseFactory.create(patient=patient, site=clinic.site, state="completed")
    running = CourseFactory.create(patient=patient, site=clinic.site)

    assert desk.get(f"patients/{patient.pk}/").body["course"] == running.pk


@pytest.mark.parametrize("count", [1, 30])
def test_a_list_of_patients_takes_four_queries(count: int, desk: Api, clinic: Clinic) -> None:
    for _ in range(count):
        CourseFactory.create(site=clinic.site)

    with CaptureQueriesContext(connection) as queries:
        answer = desk.get("patients/")

    assert len([patient for patient in answer.body["results"] if patient["course"]]) == count
    assert len(queries) == 4  # token, count, patients, screenings


def test_a_nurse_reads_and_registers_nobody(clinic: Clinic) -> None:
    nurse, patient = signed_in(clinic.nurse), PatientFactory.create()
    refused = [register(nurse), nurse.patch(f"patients/{patient.pk}/", {"first_name": "Sam"})]

    assert nurse.get("patients/").status == 200
    assert [(answer.status, answer.body["code"]) for answer in refused] == [(403, "role")] * 2
    assert list(Patient.objects.values_list("first_name", flat=True)) == [patient.first_name]
