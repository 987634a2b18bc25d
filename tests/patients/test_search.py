"""Finding a patient by what people say."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from patients.models import Patient
from patients.search import birth_dates, parts, says_enough, search
from tests.factories import NOW, PatientFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def known() -> dict[str, Patient]:
    people = [
        ("maya", "Maya", "Vance-Okonkwo", "1979-03-14", "+1 (555) 014-2771", "P000101"),
        ("alex", "Alex", "Morgan", "1980-05-17", "+1 555 020 0001", "P000102"),
        ("morgan", "Morgan", "Alexander", "1991-05-04", "555 020 0002", "P000103"),
        ("jose", "José María", "de la Cruz", "1991-04-05", "", "P000104"),
        ("asa", "Åsa", "Öberg", "2001-12-31", "+46 8 123 456", "P000105"),
        ("obrien", "Sørensen", "O'Brien Straße", "1970-01-01", "", "P000199"),
    ]
    return {
        key: PatientFactory.create(
            first_name=first,
            last_name=last,
            birth_date=date.fromisoformat(born),
            phone=phone,
            record_number=number,
        )
        for key, first, last, born, phone, number in people
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vance", ["maya"]),
        ("VANCE-OKON", ["maya"]),
        ("maya vance", ["maya"]),
        ("vance, m", ["maya"]),
        ("vance, x", []),
        ("morgan", ["morgan", "alex"]),
        ("alex morgan", ["morgan", "alex"]),
        ("morgan, alex", ["alex"]),
        ("de la cruz josé", ["jose"]),
        ("josé maría de", ["jose"]),
        ("åsa", ["asa"]),
        ("öBERG", ["asa"]),
        ("  Vance   Okonkwo ", ["maya"]),
        ("okon", ["maya"]),
        ("okonkwo, maya", ["maya"]),
        ("maya, okonkwo", []),
        ("cruz maria", ["jose"]),
        ("jose", ["jose"]),
        ("oberg", ["asa"]),
        ("ASA", ["asa"]),
        ("obr", ["obrien"]),
        ("o'br", ["obrien"]),
        ("O\u2019Brien", ["obrien"]),
        ("brien", ["obrien"]),
        ("sorensen strasse", ["obrien"]),
        ("' :* <", []),
        ("17.05.80", ["alex"]),
        ("5/17/80", ["alex"]),
        ("17 mayo 1980", ["alex"]),
        ("17 de mayo de 1980", ["alex"]),
        ("1980-05-17", ["alex"]),
        ("5/17/1980", ["alex"]),
        ("17/5/1980", ["alex"]),
        ("17.05.1980", ["alex"]),
        ("17 May 1980", ["alex"]),
        ("May 17, 1980", ["alex"]),
        ("19800517", ["alex"]),
        ("4/5/1991", ["morgan", "jose"]),
        ("morgan 1980-05-17", ["alex"]),
        ("1980-05-17, morgan", ["alex"]),
        ("vance 1980-05-17", []),
        ("(555) 014", []),
        ("1 555 014", ["maya"]),
        ("014 2771", ["maya"]),
        ("2771", ["maya"]),
        ("5550200002", ["morgan"]),
        ("+1 (555) 020-0001", ["alex"]),
        ("77", []),
        ("P000104", ["jose"]),
        ("p000104", ["jose"]),
        ("P0001", ["morgan", "jose", "alex", "asa", "maya", "obrien"]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("a\x00", []),
        ("x" * 201, []),
        ("31/02/1980", []),
        ("1980-13-45", []),
    ],
)
def test_patients_are_found(text: str, expected: list[str], known: dict[str, Patient]) -> None:
    found = list(search(text))

    names = {patient.pk: name for name, patient in known.items()}
    assert sorted(names[patient.pk] for patient in found) == sorted(expected)


def test_what_is_found_is_in_the_order_of_family_names(known: dict[str, Patient]) -> None:
    assert [patient.last_name for patient in search("P0001")] == sorted(
        (patient.last_name for patient in known.values()), key=_collated
    )


def _collated(name: str) -> str:
    """How the database orders names."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM patients_patient WHERE lower(last_name) < lower(%s)", [name])
        return f"{cursor.fetchone()[0]:04}"


def test_without_a_word_the_newest_come_first(known: dict[str, Patient]) -> None:
    assert [patient.pk for patient in search("  ")] == sorted((patient.pk for patient in known.values()), reverse=True)


@pytest.mark.parametrize(
    "text", ["smith", "smith, a", "a smith-jones", "1980-05-17", "x 1980-05-17", "555014", "P0001"]
)
def test_a_search_uses_an_index(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = search(text).explain()

    assert "Seq Scan" not in plan


def test_a_spelling_can_mean_two_dates() -> None:
    assert birth_dates("4/5/1980") == [date(1980, 4, 5), date(1980, 5, 4)]
    assert birth_dates("4.5.1980") == [date(1980, 5, 4)]
    assert birth_dates("2.30.1980") == []


def test_whose_family_name_begins_like_this_comes_first(known: dict[str, Patient]) -> None:
    assert [patient.first_name for patient in search("mor")] == ["Alex", "Morgan"]


def test_of_a_number_that_everybody_has_so_many_are_looked_at(known: dict[str, Patient]) -> None:
    assert [len(search("P0001", among=most)) for most in (2, 500)] == [2, 6]
    assert len(search("mor", among=1)) == 2


def test_a_name_as_long_as_it_can_be_is_found() -> None:
    patient = PatientFactory.create(first_name="\ufdfa" * 100, last_name="x" * 100)

    assert list(search("x" * 100)) == [patient]


def test_a_name_is_found_whoever_writes_it(known: dict[str, Patient]) -> None:
    Patient.objects.filter(pk=known["alex"].pk).update(last_name="Nuñez")
    Patient.objects.bulk_create(
        [Patient(record_number="B1", first_name="Zoë", last_name="Nunes", birth_date=date(1990, 1, 1), created_at=NOW)]
    )

    assert [str(patient) for patient in search("nun")] == ["Nunes, Zoë", "Nuñez, Alex"]


@pytest.mark.parametrize(
    ("text", "enough"),
    [("ma", False), ("m a", False), ("mar", True), ("55", False), ("(55) 5", True), ("--- '", False)],
)
def test_three_letters_or_digits_are_enough_to_search_while_somebody_types(text: str, enough: bool) -> None:
    assert says_enough(text) == enough


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ("okonkwo", {"last_name": "Okonkwo"}),
        ("eleanor van dyke", {"last_name": "Dyke", "first_name": "Eleanor Van"}),
        ("Van Dyke, Eleanor", {"last_name": "Van Dyke", "first_name": "Eleanor"}),
        ("vance, eleanor 14.3.1979", {"last_name": "Vance", "first_name": "Eleanor", "birth_date": "1979-03-14"}),
        ("vance 4/5/1979", {"last_name": "Vance"}),
        ("1979-03-14", {"birth_date": "1979-03-14"}),
        ("(555) 0142-771", {"phone": "(555) 0142-771"}),
    ],
)
def test_what_was_searched_for_fills_the_fields_of_a_new_patient(text: str, fields: dict[str, str]) -> None:
    assert parts(text) == fields
