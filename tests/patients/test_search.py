"""Finding a patient by what people say."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from patients.models import Patient
from patients.search import birth_dates, search
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def known() -> dict[str, Patient]:
    people = [
        ("maya", "Maya", "Vance-Okonkwo", "1979-03-14", "+1 (555) 014-2771", "P000101"),
        ("alex", "Alex", "Morgan", "1980-05-17", "+1 555 020 0001", "P000102"),
        ("morgan", "Morgan", "Alexander", "1991-05-04", "555 020 0002", "P000103"),
        ("jose", "José María", "de la Cruz", "1991-04-05", "", "P000104"),
        ("asa", "Åsa", "Öberg", "2001-12-31", "+46 8 123 456", "P000105"),
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
        ("  Vance   Okonkwo ", []),
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
        ("P0001", ["morgan", "jose", "alex", "asa", "maya"]),
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


@pytest.mark.parametrize("text", ["smith", "smith, a", "alex smith", "1980-05-17", "555014", "P0001"])
def test_a_search_uses_an_index(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = search(text).explain()

    assert "Seq Scan" not in plan


def test_a_spelling_can_mean_two_dates() -> None:
    assert birth_dates("4/5/1980") == [date(1980, 4, 5), date(1980, 5, 4)]
    assert birth_dates("4.5.1980") == [date(1980, 5, 4)]
    assert birth_dates("2.30.1980") == []
