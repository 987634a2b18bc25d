"""The drain: real mail server, real port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar
from pytest_django import Settings

from clinic.local import places
from patients.models import Patient, Task, TaskKind
from scheduling import booking, cancelling, moving, roster
from scheduling.mails import drain
from scheduling.models import Attempt, Course, Mail, MailKind, MailState, Session, SessionState
from scheduling.protocols.types import Place
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    protocol,
)
from tests.mail_server import MailServer

pytestmark = pytest.mark.django_db(transaction=True)  # what is sent is written down on another connection

DUE, SENT, FAILED, WITHDRAWN = MailState.DUE, MailState.SENT, MailState.FAILED, MailState.WITHDRAWN


@pytest.fixture
def unreachable(settings: Settings) -> MailServer:
    """A mail server that does not run yet."""
    server = MailServer()
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 1
    return server


@pytest.fixture
def server(unreachable: MailServer) -> Iterator[MailServer]:
    with unreachable.running():
        yield unreachable


def start(day: int, clock: str = "09:00") -> datetime:
    return local(MONDAY + timedelta(days=day), clock)


def place(clinic: Clinic, starts_at: datetime, chair: int = 0) -> Place:
    return Place(starts_at, clinic.chairs[chair].pk, clinic.prescriber.pk)


def book(clinic: Clinic, patient: Patient | None = None) -> Course:
    return booking.book_course(
        actor=clinic.desk,
        patient=patient or PatientFactory.create(first_name="Ingrid", email="ingrid@example.org"),
        protocol=protocol(),
        places=[place(clinic, start(day)) for day in (1, 4, 8, 11)],
        now=NOW,
    ).course


def a_mail(clinic: Clinic, address: str, **more: object) -> Mail:
    """A mail about a booked course of one session, due now."""
    course = CourseFactory.create(site=clinic.site, patient__email=address)
    number = Mail.objects.count()
    SessionFactory.create(
        course=course,
        chair=clinic.chairs[number % 6],
        prescriber=clinic.prescribers[number % 2],
        starts_at=start(1 + number // 6),
    )
    row = {"due_at": NOW, "try_at": NOW, "created_at": NOW, "times_version": 1, "kind": MailKind.BOOKED} | more
    return Mail.objects.create(patient=course.patient, course=course, **row)


def states() -> list[tuple[str, str]]:
    return list(Mail.objects.order_by("pk").values_list("patient__email", "state"))


def failed_lines() -> list[tuple[str, str]]:
    """Patient and reason of each open line about a mail."""
    lines = Task.objects.filter(kind=TaskKind.FAILED_MAIL, done_at=None).order_by("pk")
    return [(line.patient.email, line.details["reason"]) for line in lines]


def entries(server: MailServer, mail: int) -> list[tuple[str, str, int, datetime]]:
    """METHOD, UID, SEQUENCE and start of every calendar entry that a mail carries."""
    found = []
    for part in server.received[mail].iter_attachments():
        calendar = Calendar.from_ical(part.get_content())
        assert isinstance(calendar, Calendar)
        found += [
            (str(calendar["METHOD"]), str(entry["UID"]), int(str(entry["SEQUENCE"])), entry.decoded("DTSTART"))
            for entry in calendar.walk("VEVENT")
        ]
    return found


# What arrives


def test_a_booking_arrives_with_all_dates(clinic: Clinic, server: MailServer) -> None:
    course = book(clinic)
    assert drain.send_batch(now=NOW) == 1
    mail = Mail.objects.get(course=course, kind=MailKind.BOOKED)
    assert (mail.state, mail.sent_at, mail.attempts, mail.error) == (SENT, NOW, 1, "")
    assert server.subjects == [("ingrid@example.org", "Your dates with us")]
    assert [(method, sequence, at) for method, _, sequence, at in entries(server, 0)] == [
        ("REQUEST", 1, start(day)) for day in (1, 4, 8, 11)
    ]


def test_reminders_arrive_when_they_are_due(clinic: Clinic, server: MailServer) -> None:
    course = book(clinic)
    Mail.objects.exclude(session__number=2).update(state=WITHDRAWN, settled_at=NOW)
    sent = Mail.objects.filter(course=course, state=SENT).order_by("-due_at")
    for due, kind in (
        (start(1), MailKind.PREPARATION),
        (start(2), MailKind.TWO_DAYS),
        (start(3), MailKind.SCORE_DUE),
        (start(4, "07:00"), MailKind.TWO_HOURS),
    ):
        assert drain.send_batch(now=due - timedelta(seconds=1)) == 0
        assert drain.send_batch(now=due) == 1
        assert sent.values_list("kind", "sent_at").first() == (kind, due)
    assert len(server.received) == 4


def test_a_move_is_told_once_and_raises_the_sequence_of_the_same_entry(clinic: Clinic, server: MailServer) -> None:
    course = book(clinic)
    drain.send_batch(now=NOW)
    second = course.sessions.get(number=2)
    moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(3, "10:00")), now=NOW)
    drain.send_batch(now=NOW)
    assert [subject for _, subject in server.subjects] == ["Your dates with us", "Your dates have changed"]
    uids = [uid for _, uid, _, _ in entries(server, 0)]
    assert entries(server, 1) == [("REQUEST", uids[1], 2, start(3, "10:00"))]

    drain.send_batch(now=start(2))  # when the old reminder was due; that of the new time has gone out before
    assert set(Mail.objects.filter(session=second, times_version=1).values_list("state", flat=True)) == {WITHDRAWN}


def test_a_cancelled_course_takes_its_entries_back(clinic: Clinic, server: MailServer) -> None:
    course = book(clinic)
    drain.send_batch(now=NOW)
    cancelling.cancel_course(actor=clinic.desk, course=course, reason="Moved away", now=NOW)
    drain.send_batch(now=NOW)
    assert [(method, uid) for method, uid, _, _ in entries(server, 1)] == [
        ("CANCEL", uid) for _, uid, _, _ in entries(server, 0)
    ]
    assert {sequence for _, _, sequence, _ in entries(server, 1)} == {2}


def test_what_happened_while_the_server_was_down_is_told_in_one_mail(clinic: Clinic, unreachable: MailServer) -> None:
    course = book(clinic)
    Mail.objects.filter(kind=MailKind.BOOKED).update(state=SENT, sent_at=NOW, settled_at=NOW)
    second, third = course.sessions.get(number=2), course.sessions.get(number=3)
    for clock in ("10:00", "11:00"):
        moving.move_session(actor=clinic.desk, session=second, place=place(clinic, start(4, clock)), now=NOW)
        drain.send_batch(now=NOW)
    cancelling.cancel_session(actor=clinic.desk, session=third, reason="Ill", now=NOW)
    with unreachable.running():
        drain.send_batch(now=NOW)
    (mail,) = unreachable.received
    text = mail.get_body(("plain",))
    assert text is not None
    said = " ".join(text.get_content().split())
    for told in (
        "No longer: Friday 5 February 2027, 09:00",
        "Now: Friday 5 February 2027",
        "11:00 Eastern Time",
        "Cancelled: Tuesday 9 February 2027, 09:00",
    ):
        assert told in said


def test_one_connection_carries_a_batch(clinic: Clinic, server: MailServer) -> None:
    for number in range(5):
        a_mail(clinic, f"p{number}@example.org")
    assert drain.send_batch(now=NOW, size=3) == 3
    assert drain.send_batch(now=NOW, size=3) == 2
    assert (server.connections, len(server.received)) == (2, 5)


def test_nothing_due_means_no_connection(clinic: Clinic, server: MailServer) -> None:
    a_mail(clinic, "later@example.org", try_at=NOW + timedelta(seconds=1))
    assert drain.send_batch(now=NOW) == 0
    assert server.connections == 0


# What does not stand any more


@pytest.mark.parametrize(
    "change",
    [
        {"times_version": 2},
        {"state": SessionState.CANCELLED, "freed_at": NOW},
        {"state": SessionState.CHECKED_IN, "checked_in_at": NOW},
    ],
)
def test_a_reminder_is_withdrawn_when_its_session_has_changed_past_the_application(
    clinic: Clinic, server: MailServer, change: dict[str, object]
) -> None:
    course = book(clinic)
    Mail.objects.exclude(kind=MailKind.TWO_HOURS).delete()
    Session.objects.filter(course=course, number=1).update(**change)
    assert drain.send_batch(now=start(1, "07:00")) == 1
    mail = Mail.objects.get(session__number=1)
    assert (mail.state, mail.error, mail.attempts) == (WITHDRAWN, "The patient is not expected then any more.", 0)
    assert (server.received, failed_lines()) == ([], [])


def test_nobody_is_reminded_of_a_time_that_no_longer_fits_until_it_fits_again(
    clinic: Clinic, server: MailServer
) -> None:
    course = book(clinic)
    drain.send_batch(now=NOW)
    closure = roster.set_closure(
        actor=clinic.manager,
        site=clinic.site,
        starts_at=start(4, "00:00"),
        ends_at=start(5, "00:00"),
        reason="Painting",
        now=NOW,
    )
    reminder = Mail.objects.get(kind=MailKind.TWO_DAYS, session=course.sessions.get(number=2))

    Mail.objects.exclude(pk=reminder.pk).update(state=WITHDRAWN, sent_at=None, settled_at=NOW)
    drain.send_batch(now=reminder.due_at)
    reminder.refresh_from_db()
    assert (reminder.state, reminder.error, reminder.attempts) == (DUE, "The visit needs a new time.", 0)
    assert len(server.received) == 1

    roster.remove_closure(actor=clinic.manager, closure=closure, now=NOW)
    drain.send_batch(now=reminder.due_at + timedelta(minutes=1))
    reminder.refresh_from_db()
    assert (reminder.state, len(server.received)) == (SENT, 2)


def test_older_news_gives_way_to_newer(clinic: Clinic, server: MailServer) -> None:
    old = a_mail(clinic, "p@example.org")
    Mail.objects.create(
        patient=old.patient,
        course=old.course,
        kind=MailKind.BOOKED,
        times_version=2,
        due_at=NOW,
        try_at=NOW,
        created_at=NOW,
    )
    assert drain.send_batch(now=NOW) == 2
    assert states() == [("p@example.org", WITHDRAWN), ("p@example.org", SENT)]


# What goes wrong


def test_what_the_server_refuses_for_good_fails_onto_the_worklist_and_stops_nobody(
    clinic: Clinic, server: MailServer
) -> None:
    for address in ("a@example.org", "gone@example.org", "z@example.org"):
        a_mail(clinic, address)
    server.answers["gone@example.org"] = "550 No such user here"
    assert drain.send_batch(now=NOW) == 3
    assert states() == [("a@example.org", SENT), ("gone@example.org", FAILED), ("z@example.org", SENT)]
    assert failed_lines() == [("gone@example.org", "550 No such user here")]
    assert server.connections == 1


def test_whatever_the_server_says_is_written_down(clinic: Clinic, server: MailServer) -> None:
    a_mail(clinic, "odd@example.org")
    server.answers["odd@example.org"] = f"554-What is\x00this,\r\n554 {'x' * 400}"
    assert drain.send_batch(now=NOW) == 1
    mail = Mail.objects.get()
    assert (mail.state, mail.error[:20], len(mail.error)) == (FAILED, "554 What is this, xx", 300)


def test_what_the_server_puts_off_is_tried_again_after_a_minute_at_most(clinic: Clinic, server: MailServer) -> None:
    mail = a_mail(clinic, "slow@example.org")
    a_mail(clinic, "z@example.org")
    server.answers["slow@example.org"] = "450 Come back later"
    pauses, now = [], NOW
    for _ in range(6):
        drain.send_batch(now=now)
        mail.refresh_from_db()
        pauses.append((mail.try_at - now).total_seconds())
        now = mail.try_at
    assert pauses == [10, 20, 40, 60, 60, 60]
    assert (mail.state, mail.attempts, mail.error) == (DUE, 6, "450 Come back later")
    assert states()[1] == ("z@example.org", SENT)

    server.answers.clear()
    drain.send_batch(now=now)
    assert states() == [("slow@example.org", SENT), ("z@example.org", SENT)]


def test_a_server_that_is_down_loses_nothing_and_gets_all_within_two_minutes(
    clinic: Clinic, unreachable: MailServer
) -> None:
    for number in range(4):
        a_mail(clinic, f"p{number}@example.org")
    for seconds in range(0, 600, 5):
        assert drain.send_batch(now=NOW + timedelta(seconds=seconds)) == 0
    assert {state for _, state in states()} == {DUE}
    assert set(Mail.objects.values_list("error", flat=True)) == {
        "The mail server cannot be reached (ConnectionRefusedError)."
    }
    with unreachable.running():
        for seconds in range(600, 720, 5):
            drain.send_batch(now=NOW + timedelta(seconds=seconds))
    assert sorted(unreachable.subjects) == [(f"p{number}@example.org", "Your dates with us") for number in range(4)]
    assert failed_lines() == []


def test_a_mail_that_is_due_for_hours_makes_a_line_that_goes_when_it_arrives(
    clinic: Clinic, unreachable: MailServer
) -> None:
    mail = a_mail(clinic, "p@example.org", due_at=NOW - timedelta(hours=4))
    drain.send_batch(now=NOW)
    assert failed_lines() == [("p@example.org", "The mail server cannot be reached (ConnectionRefusedError).")]
    with unreachable.running():
        drain.send_batch(now=NOW + timedelta(seconds=10))
    mail.refresh_from_db()
    assert (mail.state, failed_lines()) == (SENT, [])


def test_what_is_too_late_fails_onto_the_worklist_also_while_the_server_is_down(
    clinic: Clinic, unreachable: MailServer
) -> None:
    book(clinic)
    Mail.objects.exclude(kind=MailKind.TWO_HOURS).delete()
    drain.send_batch(now=start(1, "08:59"))
    assert drain.send_batch(now=start(1)) == 1
    mail = Mail.objects.get(session__number=1)
    assert (mail.state, mail.error) == (FAILED, "It could not be sent in time.")
    assert failed_lines() == [("ingrid@example.org", "It could not be sent in time.")]


def test_news_about_dates_that_have_passed_fails_onto_the_worklist(clinic: Clinic, server: MailServer) -> None:
    a_mail(clinic, "p@example.org", expires_at=start(1))
    assert drain.send_batch(now=start(1)) == 1
    assert (states(), server.received) == ([("p@example.org", FAILED)], [])
    assert failed_lines() == [("p@example.org", "It could not be sent in time.")]


def test_an_address_that_was_taken_away_asks_for_one(clinic: Clinic, server: MailServer) -> None:
    mail = a_mail(clinic, "p@example.org")
    Patient.objects.update(email="")
    assert drain.send_batch(now=NOW) == 1
    mail.refresh_from_db()
    assert (mail.state, mail.error) == (FAILED, "The patient has no mail address.")
    assert list(Task.objects.values_list("kind", "patient")) == [("no-address", mail.patient_id)]


def test_an_address_to_which_no_mail_can_go_fails(clinic: Clinic, server: MailServer) -> None:
    a_mail(clinic, "jürgen@example.org")
    a_mail(clinic, "z@example.org")
    assert drain.send_batch(now=NOW) == 2
    assert states() == [("jürgen@example.org", FAILED), ("z@example.org", SENT)]
    assert failed_lines() == [("jürgen@example.org", "Mail cannot go to this address.")]


def test_a_mail_that_would_give_it_away_is_held_back(clinic: Clinic, server: MailServer) -> None:
    clinic.site.neutral_name = "Ketamine House"
    clinic.site.save(update_fields=["neutral_name"])
    mail = a_mail(clinic, "p@example.org")
    assert drain.send_batch(now=NOW) == 1
    mail.refresh_from_db()
    assert (mail.state, mail.error) == (
        FAILED,
        "Held back, it would have said: From: ketamin; text/plain: ketamin; text/html: ketamin; text/calendar: ketamin",
    )
    assert (server.connections, len(failed_lines())) == (0, 1)


def test_a_mail_with_the_patients_birth_date_is_held_back(clinic: Clinic, server: MailServer) -> None:
    clinic.site.address = "Hall of 17 May 1980"
    clinic.site.save(update_fields=["address"])
    a_mail(clinic, "p@example.org")
    drain.send_batch(now=NOW)
    assert (states(), server.received) == ([("p@example.org", FAILED)], [])


def test_a_mail_that_cannot_be_written_waits_for_repair_and_stops_nobody(clinic: Clinic, server: MailServer) -> None:
    broken = a_mail(clinic, "broken@example.org")
    site = CourseFactory.create().site
    site.neutral_name = "House\r\nBcc: all@example.org"
    site.save(update_fields=["neutral_name"])
    Course.objects.filter(patient=broken.patient).update(site=site)
    a_mail(clinic, "z@example.org")
    assert drain.send_batch(now=NOW) == 1
    broken.refresh_from_db()
    assert (broken.state, broken.error, broken.attempts) == (DUE, "It could not be written.", 1)
    assert server.subjects == [("z@example.org", "Your dates with us")]


def test_a_row_that_cannot_be_read_stops_nobody(clinic: Clinic, server: MailServer) -> None:
    for number in range(5):
        a_mail(clinic, f"p{number}@example.org", details={"moved": [{}]} if number == 2 else {})
    assert drain.send_batch(now=NOW) == 4
    broken = Mail.objects.get(patient__email="p2@example.org")
    assert (broken.state, broken.error, broken.attempts) == (DUE, "It could not be written.", 1)
    assert sorted(address for address, _ in server.subjects) == [f"p{number}@example.org" for number in (0, 1, 3, 4)]


def test_what_could_not_be_written_in_time_makes_way_for_the_others(clinic: Clinic, server: MailServer) -> None:
    a_mail(clinic, "broken@example.org", details={"moved": [{}]}, expires_at=NOW)
    a_mail(clinic, "z@example.org")
    assert drain.send_batch(now=NOW + timedelta(minutes=1), size=1) == 1
    assert drain.send_batch(now=NOW + timedelta(minutes=1), size=1) == 1
    assert states() == [("broken@example.org", FAILED), ("z@example.org", SENT)]
    assert failed_lines() == [("broken@example.org", "It could not be written.")]


def test_who_has_stopped_mails_gets_none_and_is_called_once(clinic: Clinic, server: MailServer) -> None:
    course = book(clinic)
    Patient.objects.update(mail_level="stopped")
    drain.send_batch(now=NOW)
    drain.send_batch(now=start(1, "07:00"))
    told = Mail.objects.filter(course=course).exclude(state=DUE).order_by("due_at", "pk")
    assert list(told.values_list("kind", "state", "error")) == [
        ("booked", FAILED, "The patient wants no mails."),
        ("score-due", WITHDRAWN, "The patient wants no mails."),
        ("two-hours", WITHDRAWN, "The patient wants no mails."),
    ]
    assert list(Task.objects.values_list("kind", flat=True)) == [TaskKind.MAIL_STOPPED]
    assert server.connections == 0


def test_a_reminder_that_was_held_up_until_the_night_goes_out_in_the_morning(
    clinic: Clinic, unreachable: MailServer
) -> None:
    book(clinic)
    mail = Mail.objects.get(kind=MailKind.TWO_DAYS, session__number=2)
    Mail.objects.exclude(pk=mail.pk).update(state=WITHDRAWN, settled_at=NOW)
    drain.send_batch(now=start(2, "20:59"))
    with unreachable.running():
        for clock in ("21:00", "21:01", "23:00"):
            assert drain.send_batch(now=start(2, clock)) == 0
        mail.refresh_from_db()
        assert (mail.try_at, mail.error) == (start(3, "07:00"), "It waits for the end of the quiet hours.")
        assert drain.send_batch(now=start(3, "07:00")) == 1
    assert len(unreachable.received) == 1


def test_each_answer_of_the_server_is_written_down_once(clinic: Clinic, server: MailServer) -> None:
    mail = a_mail(clinic, "slow@example.org")
    for answer in ("450 Come back later", "450 Come back later", "451 Soon", ""):
        server.answers = {"slow@example.org": answer} if answer else {}
        drain.send_batch(now=mail.try_at)
        mail.refresh_from_db()
    tries = Attempt.objects.order_by("pk").values_list("at", "state", "answer")
    assert list(tries) == [
        (NOW, DUE, "450 Come back later"),
        (NOW + timedelta(seconds=30), DUE, "451 Soon"),
        (NOW + timedelta(seconds=70), SENT, ""),
    ]
    assert (mail.state, mail.attempts) == (SENT, 4)


@pytest.mark.parametrize("size", [1, 100])
def test_a_batch_costs_as_many_queries_for_many_mails_as_for_one(clinic: Clinic, server: MailServer, size: int) -> None:
    """The claim, what was sent before; mails, hours, consents (letters of other kinds: test_letters.py); results,
    refusals, lines."""
    course = CourseFactory.create(site=clinic.site, patient__email="gone@example.org")
    for turn in range(size):
        Mail.objects.create(
            patient=course.patient,
            course=course,
            kind=MailKind.CALL_US,
            times_version=1,
            turn=turn,
            due_at=NOW,
            try_at=NOW,
            created_at=NOW,
        )
    server.answers["gone@example.org"] = "550 No such user here"
    with CaptureQueriesContext(connection) as queries:
        assert drain.send_batch(now=NOW, fresh=60) == size
    verbs = [query["sql"].split()[0] for query in queries]
    assert verbs == [
        "BEGIN",
        *["SELECT"] * 3,
        "SAVEPOINT",
        *["SELECT"] * 2,
        "RELEASE",
        "UPDATE",
        "INSERT",
        "INSERT",
        "COMMIT",
    ]


def test_a_server_that_dawdles_over_one_mail_gets_the_next(
    clinic: Clinic, server: MailServer, settings: Settings
) -> None:
    settings.EMAIL_TIMEOUT = 0.5
    for address in ("a@example.org", "slow@example.org", "z@example.org"):
        a_mail(clinic, address)
    server.pauses["slow@example.org"] = 10
    assert drain.send_batch(now=NOW) == 2
    assert states() == [("a@example.org", SENT), ("slow@example.org", DUE), ("z@example.org", SENT)]
    slow = Mail.objects.get(patient__email="slow@example.org")
    assert slow.error == "The mail server broke off (SMTPServerDisconnected)."
    assert server.connections == 2


def test_a_batch_begins_no_mail_after_its_time(clinic: Clinic, server: MailServer) -> None:
    for number in range(3):
        a_mail(clinic, f"p{number}@example.org")
        server.pauses[f"p{number}@example.org"] = 0.3
    assert drain.send_batch(now=NOW, seconds=0.2) == 1
    assert drain.send_batch(now=NOW) == 2


# Several at once, and sudden ends


def in_threads(work: Callable[[], int], number: int) -> list[int]:
    barrier = threading.Barrier(number)

    def act() -> int:
        try:
            barrier.wait()
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as threads:
        return [future.result() for future in [threads.submit(act) for _ in range(number)]]


def test_drains_at_the_same_time_share_the_work_and_send_each_mail_once(clinic: Clinic, server: MailServer) -> None:
    addresses = sorted(f"p{number}@example.org" for number in range(24))
    for address in addresses:
        a_mail(clinic, address)
    settled = in_threads(lambda: drain.send_batch(now=NOW), 4)
    assert sum(settled) == 24
    assert sorted(address for address, _ in server.subjects) == addresses
    assert {state for _, state in states()} == {SENT}


def test_a_booking_does_not_wait_for_a_mail_that_is_on_its_way(clinic: Clinic, server: MailServer) -> None:
    course = book(clinic)
    server.pauses["ingrid@example.org"] = 0.8
    worker = ThreadPoolExecutor(1).submit(in_threads, lambda: drain.send_batch(now=NOW), 1)
    while not (server.tried or worker.done()):
        time.sleep(0.01)
    begin = time.monotonic()
    moving.move_session(
        actor=clinic.desk, session=course.sessions.get(number=2), place=place(clinic, start(3)), now=NOW
    )
    assert (time.monotonic() - begin < 0.5, worker.done()) == (True, False)
    assert worker.result() == [1]
    drain.send_batch(now=NOW)
    assert [subject for _, subject in server.subjects] == ["Your dates with us", "Your dates have changed"]


def test_what_a_slow_server_lets_grow_old_is_looked_at_again(clinic: Clinic, server: MailServer) -> None:
    mails = [a_mail(clinic, f"{name}@example.org") for name in "abz"]
    server.pauses = {"a@example.org": 0.6 * drain.FRESH, "b@example.org": 0.6 * drain.FRESH}
    worker = ThreadPoolExecutor(1).submit(in_threads, lambda: drain.send_batch(now=NOW), 1)
    while not (server.tried or worker.done()):
        time.sleep(0.01)
    assert mails[2].course is not None
    cancelling.cancel_course(actor=clinic.desk, course=mails[2].course, reason="Moved away", now=NOW)
    assert worker.result() == [3]
    assert [address for address, _ in server.subjects] == ["a@example.org", "b@example.org"]
    assert list(Mail.objects.order_by("pk").values_list("kind", "state", "error")) == [
        ("booked", SENT, ""),
        ("booked", SENT, ""),
        ("booked", WITHDRAWN, "A later mail says it."),
        ("cancelled", DUE, ""),
    ]


def test_of_a_course_that_another_worker_is_telling_about_only_the_rest_is_told(
    clinic: Clinic, server: MailServer
) -> None:
    """The worker of the first mail died between its note and its commit; the next news tells what came after it."""
    course = book(clinic)
    told = Mail.objects.get(kind=MailKind.BOOKED)
    Attempt.objects.create(mail=told, at=NOW, state=SENT)
    moving.move_session(
        actor=clinic.desk, session=course.sessions.get(number=2), place=place(clinic, start(3)), now=NOW
    )
    drain.send_batch(now=NOW)
    assert [subject for _, subject in server.subjects] == ["Your dates have changed"]
    told.refresh_from_db()
    assert (told.state, told.sent_at) == (SENT, NOW)


def drain_elsewhere(server: MailServer) -> subprocess.Popen[bytes]:
    """A worker of its own, on the test's database."""
    database = connection.settings_dict
    code = (
        "import django; django.setup()\n"
        "from datetime import datetime\n"
        "from scheduling.mails import drain\n"
        f"drain.send_batch(now=datetime.fromisoformat({NOW.isoformat()!r}))\n"
    )
    environ = os.environ | {
        "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}",
        "EMAIL_URL": f"smtp://127.0.0.1:{server.port}",
    }
    return subprocess.Popen([sys.executable, "-c", code], env=environ, cwd=places.BASE_DIR)


def kill_once(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    while others_in_a_transaction():  # PostgreSQL notices a moment later, and frees the rows
        assert time.monotonic() < until
        time.sleep(0.01)


def others_in_a_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND state LIKE %s",
            ["idle in transaction%"],
        )
        return int(cursor.fetchone()[0])


def test_a_worker_killed_before_the_server_has_accepted_loses_nothing_and_doubles_nothing(
    clinic: Clinic, server: MailServer
) -> None:
    for address in ("a@example.org", "b@example.org", "z@example.org"):
        a_mail(clinic, address)
    server.pauses["b@example.org"] = 30
    kill_once(drain_elsewhere(server), lambda: "b@example.org" in server.tried)
    assert {state for _, state in states()} == {DUE}  # the batch is not committed, but that the first was sent is
    assert list(Attempt.objects.values_list("mail__patient__email", "state")) == [("a@example.org", SENT)]
    server.pauses.clear()
    later = NOW + timedelta(minutes=1)
    assert drain.send_batch(now=later) == 3
    assert [address for address, _ in server.subjects] == ["a@example.org", "b@example.org", "z@example.org"]
    sent = Mail.objects.order_by("pk").values_list("state", "sent_at", "attempts")
    assert list(sent) == [(SENT, NOW, 1), (SENT, later, 1), (SENT, later, 1)]


def test_the_one_double_that_is_possible_carries_the_same_message_id(clinic: Clinic, server: MailServer) -> None:
    for address in ("a@example.org", "b@example.org"):
        a_mail(clinic, address)
    server.pauses_after["a@example.org"] = 30
    kill_once(drain_elsewhere(server), lambda: bool(server.received))
    server.pauses_after.clear()
    assert drain.send_batch(now=NOW) == 2
    assert [address for address, _ in server.subjects] == ["a@example.org", "a@example.org", "b@example.org"]
    first, second, third = (message["Message-ID"] for message in server.received)
    assert (first == second, second == third) == (True, False)
