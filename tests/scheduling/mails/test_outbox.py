"""The outbox: what bookings put into it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients import worklist
from patients.models import Patient, Task, TaskKind
from scheduling import booking, cancelling, moving
from scheduling.mails import outbox
from scheduling.models import Course, Mail, MailKind, MailState, Session
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, protocol

pytestmark = pytest.mark.django_db

DAYS = (1, 4, 8, 11)
DUE, SENT, WITHDRAWN = MailState.DUE, MailState.SENT, MailState.WITHDRAWN


def start(day: int, clock: str = "09:00") -> datetime:
    return local(MONDAY + timedelta(days=day), clock)


def place(clinic: Clinic, starts_at: datetime, chair: int = 0) -> Place:
    return Place(starts_at, clinic.chairs[chair].pk, clinic.prescriber.pk)


def book(clinic: Clinic, patient: Patient, *, now: datetime = NOW, hold: bool = False) -> Course:
    places = [place(clinic, start(day)) for day in DAYS]
    change = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, hold=hold, now=now
    )
    return change.course


def sessions_of(course: Course) -> list[Session]:
    return list(course.sessions.order_by("during__startswith"))


def mails(course: Course, state: MailState = DUE) -> list[tuple[str, int | None, datetime]]:
    """Kind, number of the session and due time of each mail, by due time."""
    rows = Mail.objects.filter(course=course, state=state).order_by("due_at", "pk")
    return list(rows.values_list("kind", "session__number", "due_at"))


def test_a_booking_queues_one_mail_and_two_reminders_for_each_session(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    assert mails(course) == [
        ("booked", None, NOW),
        ("two-hours", 1, start(1, "07:00")),
        ("two-days", 2, start(2)),
        ("two-hours", 2, start(4, "07:00")),
        ("two-days", 3, start(6)),
        ("two-hours", 3, start(8, "07:00")),
        ("two-days", 4, start(9)),
        ("two-hours", 4, start(11, "07:00")),
    ]


def test_a_reminder_is_worth_sending_until_the_next_one_and_the_last_until_the_session(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    second = Mail.objects.filter(course=course, session__number=2).order_by("due_at")
    assert list(second.values_list("kind", "try_at", "expires_at")) == [
        ("two-days", start(2), start(4, "07:00")),
        ("two-hours", start(4, "07:00"), start(4)),
    ]
    assert Mail.objects.get(course=course, kind=MailKind.BOOKED).expires_at == start(11)


def test_nothing_is_queued_for_a_time_that_is_past(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create(), now=start(1, "07:01"))
    assert mails(course)[:2] == [("booked", None, start(1, "07:01")), ("two-days", 2, start(2))]


def test_a_held_course_says_nothing(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create(), hold=True)
    assert mails(course) == []


def test_a_move_withdraws_the_reminders_and_queues_new_ones(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    second = sessions_of(course)[1]
    moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(3, "10:00")), now=NOW)

    assert mails(course, WITHDRAWN) == [
        ("booked", None, NOW),
        ("two-days", 2, start(2)),
        ("two-hours", 2, start(4, "07:00")),
    ]
    assert mails(course)[:4] == [
        ("changed", None, NOW),
        ("two-hours", 1, start(1, "07:00")),
        ("two-days", 2, start(1, "10:00")),
        ("two-hours", 2, start(3, "08:00")),
    ]


def test_another_chair_at_the_same_time_is_no_news(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    before = mails(course)
    second = sessions_of(course)[1]
    moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(4), chair=1), now=NOW)
    assert mails(course) == before


def test_an_added_session_gets_its_reminders(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    Mail.objects.filter(kind=MailKind.BOOKED).update(state=SENT, sent_at=NOW)
    booking.add_sessions(actor=clinic.desk, course=course, places=[place(clinic, start(15))], now=NOW)
    assert [mail for mail in mails(course) if mail[1] in (None, 5)] == [
        ("changed", None, NOW),
        ("two-days", 5, start(13)),
        ("two-hours", 5, start(15, "07:00")),
    ]


def test_a_cancelled_session_is_not_reminded_of(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    second = sessions_of(course)[1]
    cancelling.cancel_session(actor=clinic.desk, session=second, reason="Ill", now=NOW)
    assert list(Mail.objects.filter(session=second).values_list("state", flat=True)) == [WITHDRAWN, WITHDRAWN]
    assert [kind for kind, number, _ in mails(course) if number is None] == ["cancelled"]


def test_a_cancelled_course_leaves_one_mail(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    cancelling.cancel_course(actor=clinic.desk, course=course, reason="Moved away", now=NOW)
    assert mails(course) == [("cancelled", None, NOW)]


def test_a_refused_booking_leaves_nothing(clinic: Clinic) -> None:
    book(clinic, PatientFactory.create())
    before = Mail.objects.count()
    with pytest.raises(booking.SlotTaken):
        book(clinic, PatientFactory.create())
    assert Mail.objects.count() == before


def test_a_patient_without_an_address_makes_one_line_on_the_worklist(clinic: Clinic) -> None:
    patient = PatientFactory.create(email="")
    course = book(clinic, patient)
    cancelling.cancel_session(actor=clinic.desk, session=sessions_of(course)[0], reason="Ill", now=NOW)
    assert Mail.objects.count() == 0
    lines = Task.objects.filter(kind=TaskKind.NO_ADDRESS)
    assert list(lines.values_list("patient", "course", "done_at")) == [(patient.pk, course.pk, None)]


def test_an_address_that_comes_later_catches_up_once(clinic: Clinic) -> None:
    patient = PatientFactory.create(email="")
    course = book(clinic, patient)
    patient.email = "late@example.org"
    patient.save(update_fields=["email"])
    later = start(2, "12:00")
    for _ in range(2):
        outbox.catch_up(patient=patient, now=later)
    assert mails(course) == [
        ("booked", None, later),
        ("two-hours", 2, start(4, "07:00")),
        ("two-days", 3, start(6)),
        ("two-hours", 3, start(8, "07:00")),
        ("two-days", 4, start(9)),
        ("two-hours", 4, start(11, "07:00")),
    ]
    assert Task.objects.filter(kind=TaskKind.NO_ADDRESS, done_at=None).count() == 0


def test_catching_up_without_an_address_or_a_course_does_nothing(clinic: Clinic) -> None:
    patient = PatientFactory.create(email="")
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    outbox.catch_up(patient=patient, now=NOW)
    outbox.catch_up(patient=PatientFactory.create(), now=NOW)
    assert (Mail.objects.count(), Task.objects.filter(done_at=None).count()) == (0, 1)


@pytest.mark.parametrize(("fresh", "statements"), [(True, 1), (False, 2)])
def test_renewing_costs_as_much_for_many_sessions_as_for_one(clinic: Clinic, fresh: bool, statements: int) -> None:
    course = book(clinic, PatientFactory.create())
    whole = Course.objects.select_related("patient", "site").get(pk=course.pk)
    for sessions in (sessions_of(course), sessions_of(course)[:1]):
        with CaptureQueriesContext(connection) as queries:
            outbox.renew(course=whole, sessions=sessions, news=MailKind.CHANGED, now=NOW, fresh=fresh)
        assert len(queries) == statements
