"""What patients agree to and take back, to which words; whether their address is theirs and works."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, transaction

from clinic.errors import Invalid, RoleRefused, Stale
from patients import contact, registering
from patients.models import AddressFault, Channel, Consent, ConsentSource, ContactLevel, Patient, Task, TaskKind
from tests.factories import NOW, Clinic, PatientFactory, make_clinic
from tests.patients.test_registering import register

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)
EMAIL, PHONE = Channel.EMAIL, Channel.PHONE
NEUTRAL, DETAILED, STOPPED = ContactLevel.NEUTRAL, ContactLevel.DETAILED, ContactLevel.STOPPED
DESK, PAGE = ConsentSource.DESK, ConsentSource.PAGE


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=1, prescribers=1, weeks=1)


@pytest.fixture
def patient() -> Patient:
    """Nobody has asked this one anything yet."""
    return PatientFactory.create(email="maya@example.org", mail_level="", language="es")


def agree(patient: Patient, level: ContactLevel = NEUTRAL, **more: Any) -> Consent:
    known = {"actor": None, "channel": EMAIL, "source": PAGE, "now": NOW}
    return contact.agree(patient=patient, level=level, **{**known, **more})


def stop(patient: Patient, source: ConsentSource = ConsentSource.UNSUBSCRIBE, **more: Any) -> Consent:
    return contact.stop(patient=patient, source=source, **{"actor": None, "now": LATER, **more})


def lines(kind: TaskKind) -> list[tuple[int, dict[str, Any]]]:
    """The open lines of a kind: of whom, and what they know."""
    return list(Task.objects.filter(kind=kind, done_at=None).order_by("pk").values_list("patient", "details"))


def history(patient: Patient) -> list[tuple[str, str, str, str]]:
    return list(patient.consents.order_by("pk").values_list("channel", "level", "source", "address"))


def test_who_agrees_does_so_to_words_in_their_language_at_an_address(clinic: Clinic, patient: Patient) -> None:
    agree(patient, actor=clinic.desk, source=DESK)
    kept = Consent.objects.get()
    stored = Patient.objects.get()

    assert (kept.channel, kept.level, kept.source, kept.language, kept.address, kept.at, kept.by) == (
        *("email", "neutral", "desk", "es", "maya@example.org", NOW),
        clinic.desk,
    )
    assert kept.wording == contact.wording(EMAIL, NEUTRAL, "es") != ""
    assert (stored.mail_level, patient.mail_level) == ("neutral", "neutral")


def test_the_words_can_be_read_in_another_language_than_the_patients(patient: Patient) -> None:
    kept = agree(patient, language="en")

    assert (kept.language, kept.wording) == ("en", contact.wording(EMAIL, NEUTRAL, "en"))


def test_to_agree_again_to_the_same_words_changes_nothing(patient: Patient) -> None:
    assert agree(patient) == agree(patient, now=LATER)
    assert agree(patient, language="en", now=LATER) != agree(patient, now=LATER)
    assert history(patient) == [("email", "neutral", "page", "maya@example.org")] * 3


def test_what_was_agreed_is_never_changed_or_removed(patient: Patient) -> None:
    agree(patient)
    for write in (lambda: Consent.objects.update(level=STOPPED), Consent.objects.all().delete):
        with pytest.raises(ProgrammingError, match="patients_consent"), transaction.atomic():
            write()

    assert history(patient) == [("email", "neutral", "page", "maya@example.org")]


def test_detailed_mails_want_an_address_that_is_verified_and_works(patient: Patient) -> None:
    with pytest.raises(Invalid) as unverified:
        agree(patient, DETAILED)
    contact.verify(patient=patient, address="Maya@example.org", now=NOW)
    agree(patient, DETAILED)
    contact.fault(address="maya@example.org", fault=AddressFault.BOUNCED, now=NOW)
    agree(patient)
    with pytest.raises(Invalid) as bounced:
        agree(patient, DETAILED)

    assert list(unverified.value.fields) == list(bounced.value.fields) == ["level"]
    assert [level for _channel, level, _source, _address in history(patient)] == ["detailed", "neutral"]


@pytest.mark.parametrize(
    ("channel", "level", "fields"),
    [
        (EMAIL, NEUTRAL, {"email": ""}),
        (PHONE, NEUTRAL, {"phone": ""}),
        (PHONE, DETAILED, {}),
        (EMAIL, STOPPED, {}),
        (EMAIL, ContactLevel.UNASKED, {}),
    ],
)
def test_what_nobody_can_agree_to_is_refused(channel: Channel, level: ContactLevel, fields: dict[str, str]) -> None:
    patient = PatientFactory.create(**{"mail_level": "", **fields})
    with pytest.raises(Invalid):
        agree(patient, level, channel=channel)

    assert history(patient) == []


def test_a_stop_away_from_the_desk_is_one_line_that_goes_when_they_agree_again(patient: Patient) -> None:
    agree(patient)
    first, again = stop(patient), stop(patient, ConsentSource.COMPLAINT)
    stopped, waits = Patient.objects.get().mail_level, lines(TaskKind.MAIL_STOPPED)
    agree(patient, now=LATER)

    assert (first, stopped, waits) == (again, "stopped", [(patient.pk, {"source": "unsubscribe"})])
    assert (Patient.objects.get().mail_level, lines(TaskKind.MAIL_STOPPED)) == ("neutral", [])
    assert [level for _channel, level, _source, _address in history(patient)] == ["neutral", "stopped", "neutral"]


def test_what_the_desk_stops_is_no_news_to_it(clinic: Clinic, patient: Patient) -> None:
    stop(patient, DESK, actor=clinic.desk)

    assert (Patient.objects.get().mail_level, lines(TaskKind.MAIL_STOPPED)) == ("stopped", [])


@pytest.mark.parametrize("source", ConsentSource)
def test_each_way_to_stop_keeps_what_was_read_or_has_happened(source: ConsentSource, patient: Patient) -> None:
    read = {
        ConsentSource.UNSUBSCRIBE: "The mail program asked us to send no more mails.",
        ConsentSource.COMPLAINT: "A mail of ours was reported as unwanted.",
    }

    assert stop(patient, source, language="en").wording == read.get(source, contact.wording(EMAIL, STOPPED, "en"))


def test_the_phone_is_agreed_to_apart_from_mails(clinic: Clinic, patient: Patient) -> None:
    agree(patient, channel=PHONE, actor=clinic.desk, source=DESK)
    asked = (contact.level_of(patient, PHONE), contact.level_of(patient, EMAIL))
    stop(patient, DESK, channel=PHONE, actor=clinic.desk)

    assert asked == (NEUTRAL, ContactLevel.UNASKED)
    assert (contact.level_of(patient, PHONE), Patient.objects.get().mail_level) == (STOPPED, "")


def test_an_address_is_verified_once_and_only_the_present_one(patient: Patient) -> None:
    other = contact.verify(patient=patient, address="old@example.org", now=NOW)
    mine = contact.verify(patient=patient, address="MAYA@example.org", now=NOW)
    again = contact.verify(patient=Patient.objects.get(), address="maya@example.org", now=LATER)

    assert (other, mine, again) == (False, True, True)
    assert Patient.objects.get().email_verified_at == NOW


def test_a_bounce_is_that_of_everybody_with_the_address_once(patient: Patient) -> None:
    partner = PatientFactory.create(email="MAYA@Example.org")
    PatientFactory.create(email="other@example.org")
    first = contact.fault(address="Maya@example.org", fault=AddressFault.BOUNCED, now=NOW)
    again = contact.fault(address="maya@example.org", fault=AddressFault.BOUNCED, now=LATER)

    assert (first, again) == ([patient, partner], [])
    assert list(Patient.objects.exclude(email_fault="").order_by("pk").values_list("pk", "email_fault_at")) == [
        (patient.pk, NOW),
        (partner.pk, NOW),
    ]
    assert lines(TaskKind.BAD_ADDRESS) == [
        (patient.pk, {"fault": "bounced"}),
        (partner.pk, {"fault": "bounced"}),
    ]


def test_a_bounce_without_an_address_is_nobodys() -> None:
    PatientFactory.create(email="")

    assert contact.fault(address="", fault=AddressFault.BOUNCED, now=NOW) == []


def test_a_mail_that_arrives_after_a_bounce_shows_that_the_address_works(patient: Patient) -> None:
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=NOW)
    contact.verify(patient=patient, address="maya@example.org", now=LATER)
    stored = Patient.objects.get()

    assert (stored.email_fault, stored.email_fault_at, lines(TaskKind.BAD_ADDRESS)) == ("", None, [])


def test_what_belongs_to_somebody_else_is_not_verified_by_them(clinic: Clinic, patient: Patient) -> None:
    contact.fault(patient=patient, fault=AddressFault.NOT_MINE, now=NOW)
    verified = contact.verify(patient=patient, address="maya@example.org", now=LATER)
    waits = lines(TaskKind.BAD_ADDRESS)
    contact.trust(actor=clinic.desk, patient=patient, now=LATER)

    assert (verified, waits) == (False, [(patient.pk, {"fault": "not-mine"})])
    assert (Patient.objects.get().email_fault, lines(TaskKind.BAD_ADDRESS)) == ("", [])


def test_who_may_not_book_writes_down_no_consent(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(RoleRefused):
        agree(patient, actor=clinic.nurse)
    with pytest.raises(RoleRefused):
        stop(patient, actor=clinic.nurse)
    with pytest.raises(RoleRefused):
        contact.trust(actor=clinic.nurse, patient=patient, now=NOW)

    assert (history(patient), Patient.objects.get().mail_level) == ([], "")


def test_an_address_that_is_entered_without_a_word_means_neutral_mails(clinic: Clinic) -> None:
    patient = register(clinic, email="maya@example.org")

    assert history(patient) == [("email", "neutral", "desk", "maya@example.org")]
    assert (patient.mail_level, Patient.objects.get().mail_level, Patient.objects.get().email_since) == (
        *("neutral", "neutral"),
        NOW,
    )


def test_without_an_address_nothing_is_agreed_to(clinic: Clinic) -> None:
    assert (history(register(clinic)), Patient.objects.get().mail_level) == ([], "")


def test_who_registers_can_want_no_mails_but_not_detailed_ones_yet(clinic: Clinic) -> None:
    patient = register(clinic, email="maya@example.org", mail_consent=STOPPED)
    with pytest.raises(Invalid) as refused:
        register(clinic, email="m@example.org", mail_consent=DETAILED, not_duplicate=True)

    assert history(patient) == [("email", "stopped", "desk", "maya@example.org")]
    assert (list(refused.value.fields), Patient.objects.get()) == (["mail_consent"], patient)


def test_another_address_is_asked_about_anew_and_its_line_goes(clinic: Clinic) -> None:
    patient = register(clinic, email="maya@example.org")
    contact.verify(patient=patient, address="maya@example.org", now=NOW)
    agree(patient, DETAILED)
    contact.fault(patient=patient, fault=AddressFault.BOUNCED, now=NOW)
    changed = registering.change(actor=clinic.desk, patient=patient, now=LATER, email="new@example.org")
    stored = Patient.objects.get()

    assert (stored.mail_level, stored.email_verified_at, stored.email_fault, stored.email_fault_at) == (
        *("neutral", None, "", None),
    )
    assert (stored.email_since, changed.mail_level, lines(TaskKind.BAD_ADDRESS)) == (LATER, "neutral", [])
    assert history(patient)[-1] == ("email", "neutral", "desk", "new@example.org")


def test_the_same_address_in_capitals_is_the_same(clinic: Clinic) -> None:
    patient = register(clinic, email="maya@example.org")
    contact.verify(patient=patient, address="maya@example.org", now=NOW)
    registering.change(actor=clinic.desk, patient=patient, now=LATER, email="Maya@example.org")
    stored = Patient.objects.get()

    assert (stored.email, stored.email_verified_at, stored.email_since) == ("Maya@example.org", NOW, NOW)
    assert len(history(patient)) == 1


def test_who_has_stopped_mails_is_not_mailed_at_another_address_until_they_say_so(clinic: Clinic) -> None:
    patient = register(clinic, email="maya@example.org")
    stop(patient)
    registering.change(actor=clinic.desk, patient=patient, now=LATER, email="new@example.org")
    silent = (Patient.objects.get().mail_level, len(lines(TaskKind.MAIL_STOPPED)))
    registering.change(actor=clinic.desk, patient=patient, now=LATER, mail_consent=NEUTRAL)

    assert silent == ("stopped", 1)
    assert (Patient.objects.get().mail_level, lines(TaskKind.MAIL_STOPPED)) == ("neutral", [])
    assert history(patient)[-1] == ("email", "neutral", "desk", "new@example.org")


def test_who_speaks_from_an_earlier_mailbox_says_nothing_for_the_next(clinic: Clinic) -> None:
    patient = register(clinic, email="maya@example.org")
    registering.change(actor=clinic.desk, patient=patient, now=LATER, email="new@example.org")
    with pytest.raises(Stale):
        stop(patient)
    with pytest.raises(Stale):
        agree(patient)

    assert history(patient)[-1] == ("email", "neutral", "desk", "new@example.org")


def test_a_mail_reaches_the_present_address_only_if_it_went_out_since(clinic: Clinic) -> None:
    patient = register(clinic, email="maya@example.org")
    patient = registering.change(actor=clinic.desk, patient=patient, now=LATER, email="new@example.org")
    known_longer = PatientFactory.create()

    assert [contact.was_reached(patient, at) for at in (NOW, LATER, None)] == [False, True, False]
    assert contact.was_reached(known_longer, NOW)
