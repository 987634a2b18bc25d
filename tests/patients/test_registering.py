"""Registering patients: likely doubles are asked about, numbers are unique, what cannot be is refused."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from clinic.errors import Invalid, RoleRefused
from patients import registering
from patients.models import Patient
from patients.registering import PossibleDuplicate, digits
from tests.factories import NOW, Clinic, PatientFactory, make_clinic

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


def register(clinic: Clinic, **fields: Any) -> Patient:
    known = {"first_name": "Maya", "last_name": "Vance-Okonkwo", "birth_date": date(1979, 3, 14)}
    return registering.register(actor=clinic.desk, now=NOW, **{**known, **fields})


def test_a_patient_gets_a_record_number_and_digits_to_be_found_by(clinic: Clinic) -> None:
    patient = register(clinic, phone="+1 (555) 014-2771", email="maya@example.org")

    stored = Patient.objects.get()
    assert stored == patient
    assert (stored.record_number, stored.phone_digits, stored.language, stored.created_at) == (
        f"P{patient.pk:06}",
        "15550142771",
        "en",
        NOW,
    )


@pytest.mark.parametrize(
    ("first_name", "last_name", "birth_date", "asked"),
    [
        ("Maya", "Vance-Okonkwo", date(1979, 3, 14), True),
        ("maya", "vance okonkwo", date(1979, 3, 14), True),
        ("Máya", "Vance Okonkwó", date(1979, 3, 14), True),
        ("Maja", "Vance-Okonkwo", date(1979, 3, 14), True),
        ("Maya Ruth", "Vance-Okonkwo", date(1979, 3, 14), True),
        ("Maya", "Vance-Okonko", date(1979, 3, 14), True),
        ("Vance-Okonkwo", "Maya", date(1979, 3, 14), True),
        ("Maya", "Vance-Okonkwo", date(1990, 1, 1), True),
        ("Vance-Okonkwo", "Maya", date(1990, 1, 1), True),
        ("Maya", "Vance", date(1990, 1, 1), False),
        ("Peter", "Vance-Okonkwo", date(1979, 3, 14), True),
        ("Maya", "Lindqvist", date(1979, 3, 14), True),
        ("Peter", "Vance-Okonko", date(1979, 3, 14), True),
        ("Peter", "Vanze-Okonkow", date(1979, 3, 14), False),  # three letters
        ("Peter", "Lindqvist", date(1979, 3, 14), False),
        ("Peter", "Vance-Okonkwo", date(1990, 1, 1), False),
    ],
)
def test_who_looks_alike_is_asked_about(
    first_name: str, last_name: str, birth_date: date, asked: bool, clinic: Clinic
) -> None:
    known = register(clinic)
    found = registering.possible_duplicates(first_name, last_name, birth_date)

    assert found == ([known] if asked else [])


@pytest.mark.parametrize(("phone", "asked"), [("1 555 014-2771", True), ("555 014 2772", False), ("", False)])
def test_who_was_born_on_the_same_day_and_has_the_same_phone_is_asked_about(
    phone: str, asked: bool, clinic: Clinic, django_assert_num_queries: Any
) -> None:
    known = register(clinic, phone="+1 (555) 014-2771")
    with django_assert_num_queries(1):
        found = registering.possible_duplicates("Peter", "Lindqvist", date(1979, 3, 14), phone)

    assert found == ([known] if asked else [])


@pytest.mark.parametrize(
    ("last_name", "asked"), [("Ng", False), ("Lin", False), ("Lindqwist", True), ("Linkvist", True)]
)
def test_short_names_are_not_alike_for_a_few_letters(last_name: str, asked: bool, clinic: Clinic) -> None:
    known = register(clinic, last_name="Le" if len(last_name) < 4 else "Lindqvist")

    assert registering.possible_duplicates("Peter", last_name, date(1979, 3, 14)) == ([known] if asked else [])


def test_a_double_is_made_only_when_it_is_somebody_else(clinic: Clinic) -> None:
    first = register(clinic)
    with pytest.raises(PossibleDuplicate) as refused:
        register(clinic)
    other = register(clinic, not_duplicate=True)

    assert refused.value.candidates == (first,)
    assert set(Patient.objects.all()) == {first, other}


def test_the_likeliest_double_comes_first(clinic: Clinic) -> None:
    same_name = register(clinic, birth_date=date(1990, 1, 1))
    both = register(clinic, not_duplicate=True)
    alike = register(clinic, last_name="Vance-Okonko", not_duplicate=True)

    assert registering.possible_duplicates("Maya", "Vance-Okonkwo", date(1979, 3, 14)) == [both, same_name, alike]


@pytest.mark.parametrize("birth_date", [date(1899, 12, 31), (NOW + timedelta(days=2)).date()])
def test_a_birth_date_has_to_be_possible(birth_date: date, clinic: Clinic) -> None:
    with pytest.raises(Invalid) as refused:
        register(clinic, birth_date=birth_date)

    assert list(refused.value.fields) == ["birth_date"]
    assert not Patient.objects.exists()


def test_a_change_keeps_what_is_not_named(clinic: Clinic) -> None:
    patient = PatientFactory.create(phone="+1 555 020 0001", email="old@example.org")
    registering.change(actor=clinic.manager, patient=patient, now=NOW, phone="(555) 77", first_name="Sam")

    stored = Patient.objects.get()
    assert (stored.first_name, stored.phone, stored.phone_digits, stored.email) == (
        "Sam",
        "(555) 77",
        "55577",
        "old@example.org",
    )


def test_a_nurse_registers_and_changes_nobody(clinic: Clinic) -> None:
    patient = PatientFactory.create()
    with pytest.raises(RoleRefused):
        registering.register(actor=clinic.nurse, first_name="A", last_name="B", birth_date=date(1980, 1, 1), now=NOW)
    with pytest.raises(RoleRefused):
        registering.change(actor=clinic.nurse, patient=patient, now=NOW, first_name="Sam")

    assert list(Patient.objects.all()) == [patient]


def test_what_is_no_field_is_a_mistake_of_the_caller(clinic: Clinic) -> None:
    with pytest.raises(TypeError, match="record_number"):
        registering.change(actor=clinic.desk, patient=PatientFactory.create(), now=NOW, record_number="X")


def test_digits_of_a_number_are_those_of_any_script() -> None:
    assert digits("+1 (555) 014-2771 ext. 5") == "155501427715"
    assert digits("\uff11\uff12\u00b3") == "123"
