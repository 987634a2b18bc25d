"""The outbox: what bookings put into it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from anymail.signals import AnymailTrackingEvent
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, RoleRefused
from patients import contact, worklist
from patients.models import Patient, Task, TaskKind
from scheduling import booking, cancelling, evaluating, moving
from scheduling.mails import bounces, gathering, letters, links, outbox
from scheduling.mails.emails import Letter
from scheduling.models import Attempt, Course, Mail, MailKind, MailState, Room, Session
from scheduling.portal import access
from scheduling.protocols.types import Place
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, StaffFactory, local, protocol

pytestmark = pytest.mark.django_db

DAYS = (1, 4, 8, 11)
DUE, SENT, FAILED, WITHDRAWN = MailState.DUE, MailState.SENT, MailState.FAILED, MailState.WITHDRAWN


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


def reminders(number: int, day: int, *kinds: str) -> list[tuple[str, int | None, datetime]]:
    """The reminders of a session on this day at 9, or some of them."""
    due = {
        "preparation": start(day - 3),
        "two-days": start(day - 2),
        "score-due": start(day - 1),
        "two-hours": start(day, "07:00"),
    }
    return [(kind, number, due[kind]) for kind in kinds or due]


def by_due(*found: tuple[str, int | None, datetime]) -> list[tuple[str, int | None, datetime]]:
    return sorted(found, key=lambda mail: mail[2])


ALL = [*reminders(1, 1, "score-due", "two-hours"), *reminders(2, 4), *reminders(3, 8), *reminders(4, 11)]


def test_a_booking_queues_one_mail_and_the_reminders_of_each_session(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    assert mails(course) == by_due(("booked", None, NOW), *ALL)


def test_every_mail_has_a_link_of_its_own_and_the_database_only_its_digest(clinic: Clinic) -> None:
    book(clinic, PatientFactory.create())
    rows = list(Mail.objects.all())
    assert [mail.link_hash for mail in rows] == [links.digest(links.token(mail.seed)) for mail in rows]
    assert len({mail.link_hash for mail in rows}) == len(rows)


def test_a_reminder_is_worth_sending_until_one_that_says_as_much_and_the_last_until_the_session(
    clinic: Clinic,
) -> None:
    course = book(clinic, PatientFactory.create())
    second = Mail.objects.filter(course=course, session__number=2).order_by("due_at")
    assert list(second.values_list("kind", "try_at", "expires_at")) == [
        ("preparation", start(1), start(2)),
        ("two-days", start(2), start(4, "07:00")),
        ("score-due", start(3), start(4, "07:00")),
        ("two-hours", start(4, "07:00"), start(4)),
    ]
    assert Mail.objects.get(course=course, kind=MailKind.BOOKED).expires_at == start(11)


def test_a_reminder_of_an_early_session_goes_out_before_the_night(clinic: Clinic) -> None:
    clinic.site.quiet_until = time(7, 30)
    clinic.site.save(update_fields=["quiet_until"])
    course = book(clinic, PatientFactory.create())
    last = Mail.objects.filter(course=course, kind=MailKind.TWO_HOURS).order_by("due_at")
    assert list(last.values_list("due_at", flat=True)) == [start(day - 1, "20:45") for day in DAYS]


def test_nothing_is_queued_for_a_time_that_is_past(clinic: Clinic) -> None:
    booked_at = start(1, "07:01")
    course = book(clinic, PatientFactory.create(), now=booked_at)
    late = [mail for mail in ALL if mail[1] != 1]
    assert mails(course) == by_due(("booked", None, booked_at), *late)


def test_a_held_course_says_nothing(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create(), hold=True)
    assert mails(course) == []


def test_a_move_withdraws_the_reminders_and_queues_new_ones(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    second = sessions_of(course)[1]
    moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(3, "10:00")), now=NOW)

    assert mails(course, WITHDRAWN) == [("booked", None, NOW), *reminders(2, 4)]
    assert [mail for mail in mails(course) if mail[1] in (None, 2)] == [
        ("changed", None, NOW),
        ("preparation", 2, start(0, "10:00")),
        ("two-days", 2, start(1, "10:00")),
        ("score-due", 2, start(2, "10:00")),
        ("two-hours", 2, start(3, "08:00")),
    ]


def test_another_chair_at_the_same_time_is_no_news(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    before = mails(course)
    second = sessions_of(course)[1]
    late = start(2, "09:30")  # what was due at nine waits for a mail server that is down
    moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(4), chair=1), now=late)
    assert mails(course) == before
    for mail in Mail.objects.filter(course=course).exclude(session__during__startswith__lt=late):
        assert access.read(links.token(mail.seed), now=late).course == course  # no other mail brings another link


def test_a_change_that_came_back_is_told_once_the_address_is_good(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create(email="ingrid@example.org"))
    Mail.objects.filter(kind=MailKind.BOOKED).update(state=SENT, sent_at=NOW, settled_at=NOW)
    second = sessions_of(course)[1]
    moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(4, "10:00")), now=NOW)
    changed = Mail.objects.get(kind=MailKind.CHANGED)
    Mail.objects.filter(pk=changed.pk).update(state=SENT, sent_at=NOW, settled_at=NOW)
    Attempt.objects.create(mail=changed, at=NOW, state=SENT)
    answer = "550 5.1.1 No such user."
    event = AnymailTrackingEvent(event_type="bounced", recipient="ingrid@example.org", mta_response=answer)
    bounces.received(event, now=NOW)

    trusted = contact.trust(actor=clinic.desk, patient=Patient.objects.get(), now=NOW)
    outbox.catch_up(patient=trusted, now=NOW)

    due = Mail.objects.get(kind=MailKind.CHANGED, state=DUE)
    (letter,) = letters.write_all(gathering.read([due.pk]), now=NOW)
    assert isinstance(letter, Letter)
    assert [(was, visit.starts_at) for was, visit in letter.moved] == [(start(4), start(4, "10:00"))]


def test_an_added_session_gets_its_reminders(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    Mail.objects.filter(kind=MailKind.BOOKED).update(state=SENT, sent_at=NOW, settled_at=NOW)
    booking.add_sessions(actor=clinic.desk, course=course, places=[place(clinic, start(15))], now=NOW)
    assert [mail for mail in mails(course) if mail[1] in (None, 5)] == [("changed", None, NOW), *reminders(5, 15)]


def test_a_cancelled_session_is_not_reminded_of(clinic: Clinic) -> None:
    course = book(clinic, PatientFactory.create())
    second = sessions_of(course)[1]
    cancelling.cancel_session(actor=clinic.desk, session=second, reason="Ill", now=NOW)
    assert set(Mail.objects.filter(session=second).values_list("state", flat=True)) == {WITHDRAWN}
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


# Patients to whom no mail can go


UNREACHABLE = [
    ({"email": ""}, "no-address", "The patient has no mail address."),
    ({"mail_level": "stopped"}, "mail-stopped", "The patient wants no mails."),
    ({"mail_level": ""}, "mail-stopped", "Nobody has asked the patient about mails."),
    (
        {"email_fault": "bounced", "email_fault_at": NOW},
        "bad-address",
        "Mails do not reach the patient at this address.",
    ),
]


@pytest.mark.parametrize(("patient", "line", "reason"), UNREACHABLE)
def test_what_cannot_be_mailed_is_written_down_as_failed_and_makes_one_line_on_the_worklist(
    clinic: Clinic, patient: dict[str, Any], line: str, reason: str
) -> None:
    someone = PatientFactory.create(**patient)
    course = book(clinic, someone)
    cancelling.cancel_session(actor=clinic.desk, session=sessions_of(course)[0], reason="Ill", now=NOW)
    rows = Mail.objects.order_by("pk").values_list("kind", "state", "error")
    assert list(rows) == [("booked", FAILED, reason), ("cancelled", FAILED, reason)]
    lines = Task.objects.values_list("kind", "patient", "course", "done_at")
    assert list(lines) == [(line, someone.pk, course.pk, None)]


def test_the_line_about_somebody_who_was_never_asked_says_so(clinic: Clinic) -> None:
    book(clinic, PatientFactory.create(mail_level=""))
    assert worklist.text_of(Task.objects.get()) == (
        "The patient was not asked about mails yet: tell dates and changes by phone, and ask."
    )


@pytest.mark.parametrize(("patient", "line", "reason"), UNREACHABLE)
def test_what_was_not_mailed_is_caught_up_with_once(
    clinic: Clinic, patient: dict[str, Any], line: str, reason: str
) -> None:
    someone = PatientFactory.create(**patient)
    course = book(clinic, someone)
    later = start(2, "12:00")
    outbox.catch_up(patient=someone, now=later)
    assert mails(course) == []

    now_reached = {"email": "late@example.org", "mail_level": "neutral", "email_fault": "", "email_fault_at": None}
    for name, value in now_reached.items():
        setattr(someone, name, value)
    someone.save(update_fields=list(now_reached))
    for _ in range(2):
        outbox.catch_up(patient=someone, now=later)
    assert mails(course) == by_due(
        ("booked", None, later),
        *reminders(2, 4, "score-due", "two-hours"),
        *reminders(3, 8),
        *reminders(4, 11),
    )
    assert Task.objects.filter(kind=TaskKind.NO_ADDRESS, done_at=None).count() == 0


def test_who_has_heard_of_the_dates_catches_up_with_what_has_changed(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient)
    Mail.objects.filter(kind=MailKind.BOOKED).update(state=SENT, sent_at=NOW, settled_at=NOW)
    patient.mail_level = "stopped"
    patient.save(update_fields=["mail_level"])
    moving.move_session(
        actor=clinic.desk, session=sessions_of(course)[1], place=place(clinic, start(3, "10:00")), now=NOW
    )
    patient.mail_level = "neutral"
    patient.save(update_fields=["mail_level"])
    outbox.catch_up(patient=patient, now=NOW)
    assert [mail for mail in mails(course) if mail[1] in (None, 2)] == [
        ("changed", None, NOW),
        ("preparation", 2, start(0, "10:00")),
        ("two-days", 2, start(1, "10:00")),
        ("score-due", 2, start(2, "10:00")),
        ("two-hours", 2, start(3, "08:00")),
    ]


def test_catching_up_without_an_address_or_a_course_does_nothing(clinic: Clinic) -> None:
    patient = PatientFactory.create(email="")
    worklist.open_task(kind=TaskKind.NO_ADDRESS, patient=patient, now=NOW)
    outbox.catch_up(patient=patient, now=NOW)
    outbox.catch_up(patient=PatientFactory.create(), now=NOW)
    assert (Mail.objects.count(), Task.objects.filter(done_at=None).count()) == (0, 1)


# What the desk asks for


def test_a_patient_is_asked_to_call_as_often_as_the_desk_says_and_once_for_each_request(
    clinic: Clinic, patient: Patient
) -> None:
    course = book(clinic, patient)
    request = uuid4()
    asked: dict[str, Any] = {"actor": clinic.desk, "patient": patient, "now": NOW}
    first = outbox.call_us(**asked, course=course, request_id=request)
    assert outbox.call_us(**asked, course=course, request_id=request) == first
    outbox.call_us(**asked)
    rows = Mail.objects.filter(kind=MailKind.CALL_US, session=None).order_by("pk")
    assert list(rows.values_list("course", "turn", "due_at")) == [(course.pk, 0, NOW), (course.pk, 1, NOW)]
    assert (first.details, first.times_version) == ({"by": clinic.desk.pk}, course.times_version)


def test_who_has_no_course_is_asked_about_the_evaluation(clinic: Clinic, patient: Patient) -> None:
    with pytest.raises(Invalid):
        outbox.call_us(actor=clinic.desk, patient=patient, now=NOW)
    room = Room.objects.create(site=clinic.site, name="Room 1")
    evaluation, _ = evaluating.book_evaluation(
        actor=clinic.desk, patient=patient, room=room, prescriber=clinic.prescriber, starts_at=start(1), now=NOW
    )
    for _ in range(2):
        assert outbox.call_us(actor=clinic.desk, patient=patient, now=NOW).evaluation == evaluation


def test_only_who_books_asks_a_patient_to_call(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient)
    for actor in (clinic.nurse, StaffFactory.create()):
        with pytest.raises(RoleRefused):
            outbox.call_us(actor=actor, patient=patient, course=course, now=NOW)
    assert not Mail.objects.filter(kind=MailKind.CALL_US).exists()


@pytest.mark.parametrize(("columns", "line", "reason"), UNREACHABLE)
def test_nothing_is_asked_of_who_cannot_be_mailed(
    clinic: Clinic, columns: dict[str, Any], line: str, reason: str
) -> None:
    course = book(clinic, PatientFactory.create(**columns))
    before = Mail.objects.count()
    with pytest.raises(Invalid) as refused:
        outbox.call_us(actor=clinic.desk, patient=course.patient, course=course, now=NOW)
    assert refused.value.message == f"{reason} Please call."
    with pytest.raises(Invalid):
        outbox.offer(course=course, session=sessions_of(course)[0], turn=1, now=NOW, expires_at=start(1))
    assert Mail.objects.count() == before


def test_an_offer_is_mailed_until_it_ends_and_withdrawn_when_the_visit_moves(clinic: Clinic, patient: Patient) -> None:
    course = book(clinic, patient)
    second = sessions_of(course)[1]
    outbox.offer(course=course, session=second, turn=1, now=NOW, expires_at=start(2))
    mail = Mail.objects.get(kind=MailKind.OFFER)
    assert (mail.session, mail.turn, mail.times_version, mail.due_at, mail.expires_at) == (second, 1, 1, NOW, start(2))
    moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(3, "10:00")), now=NOW)
    mail.refresh_from_db()
    assert mail.state == WITHDRAWN


@pytest.mark.parametrize(("fresh", "statements"), [(True, 1), (False, 2)])
def test_renewing_costs_as_much_for_many_sessions_as_for_one(clinic: Clinic, fresh: bool, statements: int) -> None:
    course = book(clinic, PatientFactory.create())
    whole = Course.objects.select_related("patient", "site").get(pk=course.pk)
    for sessions in (sessions_of(course), sessions_of(course)[:1]):
        with CaptureQueriesContext(connection) as queries:
            outbox.renew(course=whole, sessions=sessions, news=MailKind.CHANGED, now=NOW, fresh=fresh)
        assert len(queries) == statements
