"""The frame of a write: retries, and requests that are told apart by what was asked."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from clinic.errors import Stale
from scheduling import writes
from scheduling.judging import Signature
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, PatientFactory, SiteFactory, StaffFactory

DIGEST = """
from scheduling import writes
from scheduling.judging import Signature
from clinic.models import Staff
asked = {"override": Signature(Staff(pk=7), frozenset({"gap-min", "span-max", "month-max", "reach"}), "seen")}
print(writes.Once("book", None, asked).digest)
"""


def test_the_same_request_has_the_same_digest_in_every_process() -> None:
    program = f"import django; django.setup(){DIGEST}"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(digests) == 1


@pytest.mark.django_db
def test_another_reason_prescriber_or_place_is_another_request() -> None:
    one, other = StaffFactory.create_batch(2, prescriber=True)
    place = Place(datetime(2027, 2, 2, 14, tzinfo=UTC), 1, 2)
    signature = Signature(one, frozenset({"gap-min"}), "seen")
    asked: list[dict[str, object]] = [
        {"places": [place], "override": signature},
        {"places": [place], "override": Signature(other, frozenset({"gap-min"}), "seen")},
        {"places": [place], "override": Signature(one, frozenset({"gap-min"}), "accepted")},
        {"places": [Place(place.starts_at, 1, 3)], "override": signature},
        {"places": [place], "override": None},
    ]

    assert len({writes.Once("book", None, each).digest for each in asked}) == len(asked)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("code", "tries"), [("40001", 3), ("40P01", 3), ("55P03", 3)])
def test_another_writer_in_the_way_is_waited_for_three_times(code: str, tries: int) -> None:
    attempts = []

    def work() -> str:
        attempts.append(code)
        if len(attempts) <= tries:
            raise_sqlstate(code)
        return "done"

    assert writes.commit(work) == "done"
    assert len(attempts) == tries + 1


@pytest.mark.django_db(transaction=True)
def test_after_the_third_retry_somebody_has_to_try_again() -> None:
    def work() -> None:
        raise_sqlstate("40001")

    with pytest.raises(Stale):
        writes.commit(work)


@pytest.mark.django_db(transaction=True)
def test_a_broken_constraint_is_not_tried_again_and_says_its_name() -> None:
    attempts = []

    def work() -> None:
        attempts.append(1)
        patient = PatientFactory.create()
        PatientFactory.create(record_number=patient.record_number)

    with pytest.raises(IntegrityError) as error:
        writes.commit(work)

    assert (len(attempts), writes.constraint_of(error.value)) == (1, "patients_patient_record_number_key")


@pytest.mark.django_db(transaction=True)
def test_days_are_locked_inside_a_transaction_only() -> None:
    site = SiteFactory.create()

    with pytest.raises(DatabaseError):
        writes.lock_days({site.pk: [MONDAY]})
    with transaction.atomic():
        writes.lock_days({site.pk: [MONDAY]})


@pytest.mark.django_db
def test_a_claimed_request_without_success_is_new_again() -> None:
    once = writes.Once("book", uuid4(), {"patient": 1})

    with pytest.raises(ZeroDivisionError):
        writes.commit(lambda: (once.claim(NOW), 1 / 0))
    assert once.claim(NOW) is None
    once.remember(course=5)
    assert once.claim(NOW) == {"course": 5, "findings": []}


def raise_sqlstate(code: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '{code}'; END $$")
