"""Many at once say what a patient wants, or that an address bounces: each takes effect once, in some order."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from clinic.errors import Invalid, Stale
from patients import contact, registering
from patients.models import (
    AddressFault,
    Channel,
    Consent,
    ConsentSource,
    ContactLevel,
    Patient,
    Task,
    TaskKind,
)
from tests.concurrency.test_registering import MANY, at_once
from tests.factories import NOW, PatientFactory, make_clinic

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def patient() -> Patient:
    return PatientFactory.create(email="maya@example.org")


def stop(patient: Patient) -> int:
    return contact.stop(actor=None, patient=patient, source=ConsentSource.UNSUBSCRIBE, now=NOW).pk


def agree(patient: Patient, level: ContactLevel = ContactLevel.NEUTRAL) -> int:
    consent = contact.agree(
        actor=None, patient=patient, channel=Channel.EMAIL, level=level, source=ConsentSource.PAGE, now=NOW
    )
    return consent.pk


def test_many_stops_at_once_are_one(patient: Patient) -> None:
    told = at_once(lambda: stop(Patient.objects.get()))

    assert set(told) == {Consent.objects.get().pk}
    assert Task.objects.filter(kind=TaskKind.MAIL_STOPPED, done_at=None).count() == 1


def test_what_is_said_last_counts_and_nothing_is_said_twice_in_a_row(patient: Patient) -> None:
    turns = iter(range(MANY))

    def say() -> int:
        fresh = Patient.objects.get()
        return stop(fresh) if next(turns) % 2 else agree(fresh)

    at_once(say)
    levels = list(Consent.objects.order_by("pk").values_list("level", flat=True))

    assert [pair for pair in pairwise(levels) if pair[0] == pair[1]] == []
    assert Patient.objects.get().mail_level == levels[-1]
    assert Task.objects.filter(done_at=None).count() == (levels[-1] == "stopped")


def test_detailed_mails_never_go_to_an_address_that_was_changed_meanwhile(patient: Patient) -> None:
    desk = make_clinic(chairs=1, prescribers=1, weeks=1).desk
    contact.verify(patient=patient, address="maya@example.org", now=NOW)
    turns = iter(range(MANY))

    def act() -> None:
        turn = next(turns)
        fresh = Patient.objects.get()
        if turn == MANY // 2:
            registering.change(actor=desk, patient=fresh, now=NOW + timedelta(hours=1), email="new@example.org")
        else:
            try:
                agree(fresh, ContactLevel.DETAILED)
            except (Invalid, Stale):
                assert Patient.objects.get().email_verified_at is None

    at_once(act)
    stored = Patient.objects.get()

    assert (stored.email, stored.mail_level, stored.email_verified_at) == ("new@example.org", "neutral", None)
    assert not Consent.objects.filter(level="detailed", address="new@example.org").exists()


def test_an_address_bounces_once_for_each_who_has_it(patient: Patient) -> None:
    PatientFactory.create(email="Maya@example.org")
    told = at_once(lambda: contact.fault(address="maya@example.org", fault=AddressFault.BOUNCED, now=NOW))

    assert sorted(len(new) for new in told) == [0] * (MANY - 1) + [2]
    assert Task.objects.filter(kind=TaskKind.BAD_ADDRESS, done_at=None).count() == 2
