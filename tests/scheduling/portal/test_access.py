"""When the link of a mail opens the patient's page, what it opens, and why it does not any more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients import contact
from patients.models import AddressFault, Patient
from scheduling import cancelling, evaluating, moving
from scheduling.mails import links
from scheduling.models import Course, Evaluation, Mail, MailKind, MailState, Room, Session, SessionState
from scheduling.portal import access
from scheduling.portal.access import LinkVoid, Void
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, Clinic, local
from tests.scheduling.views import PATTERN


def opened(mail: Mail, now: datetime = NOW) -> access.Access:
    return access.read(links.token(mail.seed), now=now)


def void(mail: Mail, now: datetime = NOW) -> Void:
    with pytest.raises(LinkVoid) as refused:
        opened(mail, now)
    assert refused.value.site == (mail.course or mail.evaluation).site  # type: ignore[union-attr]  # it is about one
    return refused.value.reason


def starts(found: access.Access) -> list[datetime]:
    return [session.starts_at for session in found.sessions]


@pytest.fixture
def evaluation(clinic: Clinic, patient: Patient) -> Mail:
    """The mail of an evaluation on Monday at ten."""
    room = Room.objects.create(site=clinic.site, name="Room 1")
    at = local(MONDAY, "10:00")
    booked, _again = evaluating.book_evaluation(
        actor=clinic.desk, patient=patient, room=room, prescriber=clinic.prescriber, starts_at=at, now=NOW
    )
    mail = Mail(patient=patient, evaluation=booked, kind=MailKind.CALL_US, times_version=1)
    mail.due_at = mail.try_at = mail.created_at = NOW
    mail.link_hash = links.digest(links.token(mail.seed))
    mail.save()
    return mail


def test_a_reminder_s_link_opens_its_own_visit_and_all_dates_to_come(reminder: Mail, course: Course) -> None:
    found = opened(reminder)

    assert (found.session, found.course, found.patient) == (reminder.session, course, course.patient)
    assert starts(found) == [local(MONDAY + timedelta(days=day)) for day in PATTERN]


def test_the_link_of_news_opens_the_next_visit_to_come(news: Mail, course: Course) -> None:
    first, second, *_ = course.sessions.in_order()

    assert opened(news).session == first
    assert opened(news, first.starts_at).session == second


def test_a_course_without_a_date_to_come_still_opens(news: Mail, course: Course) -> None:
    last = course.sessions.in_order()[5]
    found = opened(news, last.starts_at)

    assert (found.session, found.sessions) == (None, ())


def test_opening_takes_two_queries_and_a_forged_link_none(reminder: Mail) -> None:
    with CaptureQueriesContext(connection) as asked:
        opened(reminder)
    with CaptureQueriesContext(connection) as forged, pytest.raises(LinkVoid) as refused:
        access.read("0" * 48, now=NOW)

    assert (len(asked), len(forged)) == (2, 0)
    assert (refused.value.reason, refused.value.site, refused.value.language) == (Void.UNKNOWN, None, "")


def test_after_a_move_the_links_of_the_visit_and_of_earlier_news_are_void(
    clinic: Clinic, reminder: Mail, news: Mail, course: Course
) -> None:
    session = course.sessions.in_order()[1]
    other = Mail.objects.get(session=course.sessions.in_order()[2], kind=MailKind.TWO_DAYS)
    place = Place(local(MONDAY + timedelta(days=4)), session.chair_id, session.prescriber_id)
    moving.move_session(actor=clinic.desk, session=session, place=place, now=NOW)
    changed = Mail.objects.get(course=course, kind=MailKind.CHANGED)

    assert (void(reminder), void(news)) == (Void.MOVED, Void.MOVED)
    assert opened(changed).sessions[1].starts_at == place.starts_at
    assert opened(other).session == other.session  # whose time has not changed


def test_a_visit_that_was_given_up_is_said_to_be_cancelled(clinic: Clinic, reminder: Mail) -> None:
    assert reminder.session is not None
    cancelling.cancel_session(actor=clinic.desk, session=reminder.session, reason="ill", now=NOW)

    assert void(reminder) == Void.CANCELLED


def test_a_reminder_s_link_opens_until_the_planned_end(reminder: Mail) -> None:
    assert reminder.session is not None
    end = reminder.session.ends_at

    assert opened(reminder, end - timedelta(seconds=1)).session == reminder.session
    assert void(reminder, end) == Void.OVER


def test_the_link_of_news_opens_for_sixty_days_from_when_it_was_sent(news: Mail) -> None:
    Mail.objects.filter(pk=news.pk).update(
        state=MailState.SENT, sent_at=NOW + timedelta(hours=1), settled_at=NOW + timedelta(hours=1)
    )
    end = NOW + timedelta(days=60, hours=1)

    assert opened(news, end - timedelta(seconds=1)).session is None
    assert void(news, end) == Void.EXPIRED


def test_whoever_missed_a_visit_is_shown_the_next(reminder: Mail, course: Course) -> None:
    first, second, *_ = course.sessions.in_order()
    Session.objects.filter(pk=first.pk).update(state=SessionState.NO_SHOW, freed_at=NOW)
    Mail.objects.filter(pk=reminder.pk).update(kind=MailKind.MISSED, session=first)

    assert opened(reminder, first.ends_at).session == second


def test_a_link_in_another_mailbox_opens_nothing(reminder: Mail, patient: Patient) -> None:
    Mail.objects.filter(pk=reminder.pk).update(state=MailState.SENT, sent_at=NOW, settled_at=NOW)
    Patient.objects.filter(pk=patient.pk).update(email="new@example.org", email_since=NOW + timedelta(hours=1))

    assert void(reminder) == Void.READDRESSED


def test_nor_does_a_link_that_came_back_before_the_address_was_another(reminder: Mail, patient: Patient) -> None:
    Mail.objects.filter(pk=reminder.pk).update(state=MailState.FAILED, settled_at=NOW, due_at=NOW)
    assert opened(reminder).patient == patient
    Patient.objects.filter(pk=patient.pk).update(email="new@example.org", email_since=NOW + timedelta(hours=1))

    assert void(reminder) == Void.READDRESSED


def test_a_mailbox_that_is_not_the_patient_s_opens_nothing(reminder: Mail, patient: Patient) -> None:
    contact.fault(fault=AddressFault.NOT_MINE, patient=patient, now=NOW)

    assert void(reminder) == Void.NOT_MINE


def test_an_evaluation_s_link_opens_it_until_its_end_and_while_it_is_booked(clinic: Clinic, evaluation: Mail) -> None:
    booked = Evaluation.objects.get()
    found = opened(evaluation)

    assert (found.evaluation, found.session, found.sessions) == (booked, None, ())
    assert void(evaluation, booked.ends_at) == Void.OVER
    evaluating.cancel_evaluation(actor=clinic.desk, evaluation=booked, reason="ill", now=NOW)
    assert void(evaluation) == Void.CANCELLED
