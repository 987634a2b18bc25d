"""What a mail says when it is sent, or why it is not sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Channel, Consent, ConsentSource, Instrument, Patient, Score, TaskKind
from scheduling import evaluating
from scheduling.mails import gathering, letters, links
from scheduling.mails.calendars import Host, Visit
from scheduling.mails.emails import Letter, Preparation
from scheduling.mails.letters import Outcome
from scheduling.models import (
    CourseState,
    Mail,
    MailKind,
    MailState,
    Offer,
    OfferState,
    Reply,
    Room,
    Session,
    SessionState,
)
from tests.factories import MONDAY, NEW_YORK, NOW, Clinic, CourseFactory, PatientFactory, SessionFactory, local

pytestmark = pytest.mark.django_db

START = local(MONDAY + timedelta(days=4))
NOON = local(MONDAY + timedelta(days=2), "12:00")
DUE, FAILED, WITHDRAWN = MailState.DUE, MailState.FAILED, MailState.WITHDRAWN


@pytest.fixture
def session(clinic: Clinic) -> Session:
    course = CourseFactory.create(site=clinic.site)
    return SessionFactory.create(course=course, chair=clinic.chairs[0], prescriber=clinic.prescriber, starts_at=START)


def a_mail(session: Session, kind: str = MailKind.TWO_DAYS, **more: Any) -> Mail:
    """A mail about this visit, or about its course where the kind tells of no single visit."""
    mine = None if kind in (*gathering.NEWS, MailKind.CALL_US) else session
    columns = {"times_version": 1, "due_at": NOW, "try_at": NOW, "created_at": NOW, "session": mine} | more
    return Mail.objects.create(patient=session.patient, course=session.course, kind=kind, **columns)


def written(mail: Mail, now: datetime = NOON) -> Letter | Outcome:
    (letter,) = letters.write_all(gathering.read([mail.pk]), now=now)
    return letter


def letter(mail: Mail, now: datetime = NOON) -> Letter:
    found = written(mail, now)
    assert isinstance(found, Letter)
    return found


def complete(session: Session) -> None:
    """Let the patient have confirmed and nothing be missing."""
    Session.objects.filter(pk=session.pk).update(state=SessionState.CONFIRMED, confirmed_at=NOW)
    Reply.objects.create(session=session, escort_name="Sam", updated_at=NOW)
    answer(session)


def answer(session: Session) -> None:
    Score.objects.create(
        patient=session.patient,
        instrument=Instrument.PHQ9,
        items=[1] * 9,
        total=9,
        item_9=1,
        taken_at=NOW,
        at=NOW,
    )


# What it says


def test_a_reminder_says_all_that_a_patient_needs_and_nothing_more(session: Session, clinic: Clinic) -> None:
    mail = a_mail(session)
    token = links.token(mail.seed)
    found = letter(mail)
    assert found == Letter(
        kind=MailKind.TWO_DAYS,
        key=found.key,
        recipient=session.patient.email,
        first_name=session.patient.first_name,
        language="en",
        host=Host(
            name=clinic.site.neutral_name,
            address="1 Main Street, Springfield",
            phone="+1 555 010 0100",
            mail="appointments@clinic.example",
            zone=ZoneInfo("America/New_York"),
            open=found.host.open,
        ),
        visits=(Visit(found.visits[0].uid, 1, START, session.discharge_at),),
        link=links.address("portal", token),
        until=session.ends_at,
        stop=links.address("portal-stop", token),
        missing=frozenset({"answer", "escort", "form"}),
    )
    assert [day for day, _, _ in found.host.open] == [0, 1, 2, 3, 4]


def test_the_footer_says_since_when_the_patient_agrees(session: Session) -> None:
    for number, channel in enumerate((Channel.EMAIL, Channel.EMAIL, Channel.PHONE)):
        Consent.objects.create(
            patient=session.patient,
            channel=channel,
            level="neutral",
            wording="Yes.",
            language="en",
            source=ConsentSource.DESK,
            at=NOW - timedelta(days=9 - number),
        )
    assert letter(a_mail(session)).agreed_on == (NOW - timedelta(days=8)).astimezone(NEW_YORK).date()


@pytest.mark.parametrize(
    ("patient", "preparation"),
    [
        ({"mail_level": "neutral", "email_verified_at": NOW}, False),
        ({"mail_level": "detailed", "email_verified_at": NOW}, True),
        ({"mail_level": "detailed"}, False),  # the address has changed since
    ],
)
def test_only_who_agreed_to_details_at_a_verified_address_reads_what_to_prepare(
    session: Session, patient: dict[str, Any], preparation: bool
) -> None:
    Patient.objects.update(**patient)
    wanted = Preparation(START - timedelta(hours=6), START - timedelta(hours=2)) if preparation else None
    found = letter(a_mail(session))
    assert (found.level, found.preparation) == ("detailed" if preparation else "neutral", wanted)


def test_an_offer_names_the_times_that_are_still_to_be_had(session: Session, clinic: Clinic) -> None:
    for hours, more in ((1, {}), (2, {"turn": 2}), (3, {"until": NOON}), (4, {"times_version": 2}), (5, {})):
        Offer.objects.create(
            session=session,
            starts_at=START + timedelta(hours=hours),
            made_at=NOW,
            made_by=clinic.desk,
            **({"times_version": 1, "turn": 1, "until": START} | more),
        )
    mail = a_mail(session, MailKind.OFFER, turn=1)
    assert letter(mail).offers == (START + timedelta(hours=1), START + timedelta(hours=5))

    Offer.objects.update(state=OfferState.LAPSED, closed_at=NOW)
    assert written(mail) == Outcome(WITHDRAWN, "None of the offered times can be taken any more.")


def test_a_call_is_asked_for_without_any_date(session: Session) -> None:
    found = letter(a_mail(session, MailKind.CALL_US))
    assert (found.kind, found.visits, found.until) == (MailKind.CALL_US, (), NOON + timedelta(days=60))


@pytest.mark.parametrize("kind", [MailKind.BOOKED, MailKind.TWO_DAYS])
def test_a_mail_about_an_evaluation_names_its_date(clinic: Clinic, patient: Patient, kind: MailKind) -> None:
    room = Room.objects.create(site=clinic.site, name="Room 1")
    evaluation, _ = evaluating.book_evaluation(
        actor=clinic.desk, patient=patient, room=room, prescriber=clinic.prescriber, starts_at=START, now=NOW
    )
    mail = Mail.objects.get(kind=kind, evaluation=evaluation)
    found = letter(mail)
    standing = Visit(found.visits[0].uid, 1, START, evaluation.ends_at)
    assert (found.visits, found.cancelled, found.until) == ((standing,), (), evaluation.ends_at)

    evaluating.cancel_evaluation(actor=clinic.desk, evaluation=evaluation, reason="Ill", now=NOW)
    assert written(mail) == Outcome(WITHDRAWN, "The patient is not expected then any more.")
    told = letter(Mail.objects.get(kind=MailKind.CANCELLED))
    assert (told.visits, told.cancelled) == ((), (Visit(standing.uid, 2, START, evaluation.ends_at),))


# Why it is not sent


def test_who_has_confirmed_hears_only_of_what_is_missing(session: Session) -> None:
    Session.objects.update(state=SessionState.CONFIRMED, confirmed_at=NOW)
    for kind in (MailKind.PREPARATION, MailKind.TWO_DAYS, MailKind.TWO_HOURS):
        assert letter(a_mail(session, kind)).missing == {"escort", "form"}

    complete(session)
    nothing = Outcome(WITHDRAWN, "The patient has confirmed and nothing is missing.")
    assert {written(mail) for mail in Mail.objects.all()} == {nothing}


def test_a_questionnaire_is_asked_for_only_while_it_is_missing(session: Session) -> None:
    mail = a_mail(session, MailKind.SCORE_DUE)
    assert letter(mail).missing == {"answer", "escort", "form"}
    answer(session)
    assert written(mail) == Outcome(WITHDRAWN, "Nothing is missing.")


@pytest.mark.parametrize(
    ("patient", "reminder", "news"),
    [
        (
            {"mail_level": "stopped"},
            Outcome(WITHDRAWN, "The patient wants no mails."),
            Outcome(FAILED, "The patient wants no mails.", line=TaskKind.MAIL_STOPPED),
        ),
        (
            {"mail_level": ""},
            Outcome(WITHDRAWN, "Nobody has asked the patient about mails."),
            Outcome(FAILED, "Nobody has asked the patient about mails.", line=TaskKind.MAIL_STOPPED),
        ),
        (
            {"email_fault": "not-mine", "email_fault_at": NOW},
            Outcome(FAILED, "Mails do not reach the patient at this address.", line=TaskKind.BAD_ADDRESS),
            Outcome(FAILED, "Mails do not reach the patient at this address.", line=TaskKind.BAD_ADDRESS),
        ),
    ],
)
def test_to_whom_no_mail_can_go_none_goes(
    session: Session, patient: dict[str, Any], reminder: Outcome, news: Outcome
) -> None:
    Patient.objects.update(**patient)
    assert written(a_mail(session)) == reminder
    assert written(a_mail(session, MailKind.BOOKED)) == news


@pytest.mark.parametrize("kind", [*gathering.REMINDERS, MailKind.MISSED])
def test_in_the_quiet_hours_a_reminder_waits_for_their_end_if_it_is_worth_sending_then(
    session: Session, kind: MailKind
) -> None:
    if kind == MailKind.MISSED:
        Session.objects.update(state=SessionState.NO_SHOW, freed_at=NOW)
    night, morning = local(MONDAY + timedelta(days=3), "23:00"), local(MONDAY + timedelta(days=4), "07:00")
    mail = a_mail(session, kind, expires_at=START)
    assert written(mail, night) == Outcome(DUE, "It waits for the end of the quiet hours.", again=morning)
    assert letter(mail, morning).kind == kind

    Mail.objects.update(expires_at=morning)
    assert written(mail, night) == Outcome(FAILED, "It could not be sent in time.")


@pytest.mark.parametrize("kind", [MailKind.BOOKED, MailKind.CALL_US])
def test_what_is_news_goes_out_at_any_hour(session: Session, kind: MailKind) -> None:
    night = local(MONDAY + timedelta(days=3), "23:00")
    assert letter(a_mail(session, kind), night).kind == kind


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"times_version": 2}, Outcome(WITHDRAWN, "The patient is not expected then any more.")),
        (
            {"state": SessionState.CANCELLED, "freed_at": NOW},
            Outcome(WITHDRAWN, "The patient is not expected then any more."),
        ),
        ({"needs_replan": True}, Outcome(DUE, "The visit needs a new time.")),
    ],
)
def test_nobody_is_reminded_of_what_does_not_stand(session: Session, change: dict[str, Any], outcome: Outcome) -> None:
    Session.objects.update(**change)
    assert written(a_mail(session)) == outcome


def test_who_was_not_missed_after_all_or_is_not_treated_any_more_does_not_hear_of_it(session: Session) -> None:
    mail = a_mail(session, MailKind.MISSED)
    not_missed = Outcome(WITHDRAWN, "The visit was not missed after all.")
    assert written(mail) == not_missed
    Session.objects.update(state=SessionState.NO_SHOW, freed_at=NOW)
    assert [visit.starts_at for visit in letter(mail).visits] == [START]
    session.course.state, session.course.ended_at = CourseState.CANCELLED, NOW
    session.course.save(update_fields=["state", "ended_at"])
    assert written(mail) == not_missed


@pytest.mark.parametrize("kind", [*gathering.REMINDERS, MailKind.CALL_US])
def test_what_is_not_worth_sending_any_more_has_failed(session: Session, kind: MailKind) -> None:
    mail = a_mail(session, kind, expires_at=NOON)
    assert written(mail) == Outcome(FAILED, "It could not be sent in time.")


# What it costs


def test_letters_of_many_mails_cost_as_many_queries_as_one_of_each_kind(clinic: Clinic) -> None:
    for number in range(1, 13):
        session = SessionFactory.create(
            course__site=clinic.site,
            course__patient=PatientFactory.create(mail_level="detailed", email_verified_at=NOW),
            chair=clinic.chairs[number % 6],
            prescriber=clinic.prescribers[number % 2],
            starts_at=START + timedelta(days=7 * (number // 6)),
        )
        for kind in MailKind:
            a_mail(session, kind)
        if number in (1, 12):
            mails = list(Mail.objects.values_list("pk", flat=True))
            with CaptureQueriesContext(connection) as queries:
                found = letters.write_all(gathering.read(mails), now=NOON)
            assert (len(found), len(queries)) == (10 * number, 8)
