"""Several sessions of a course move together: all or none, told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, RequestReused, RulesBroken, Stale
from patients.models import Patient
from scheduling import booking, cancelling, confirming, moving
from scheduling.booking import SlotTaken
from scheduling.models import Course, Mail, Session, SessionState
from scheduling.protocols.types import Place, Wanted
from tests.factories import NOW, Clinic, PatientFactory, local, protocol
from tests.scheduling import STANDARD, day, place

pytestmark = pytest.mark.django_db


def book(clinic: Clinic, patient: Patient, days: Sequence[int] = STANDARD, chair: int = 0) -> list[Session]:
    """A course's sessions in order of time."""
    places = [place(clinic, number, chair=chair) for number in days]
    change = booking.book_course(actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=NOW)
    return list(change.sessions)


def starts_of(course: Course) -> list[datetime]:
    return [session.starts_at for session in Session.objects.filter(course=course).in_order()]


def test_two_sessions_move_with_one_event_and_one_mail(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    fourth, fifth = sessions[3], sessions[4]
    Mail.objects.all().delete()

    change = moving.move_session(
        actor=clinic.desk,
        session=fourth,
        place=place(clinic, 13, chair=2),
        also=[(fifth, Wanted(starts_at=local(day(15), "10:00")))],
        now=NOW,
    )

    assert [session.pk for session in change.sessions] == [fourth.pk, fifth.pk]
    assert [finding.rule for finding in change.findings] == []
    assert starts_of(change.course) == [
        *(local(day(number)) for number in (0, 3, 7, 13)),
        local(day(15), "10:00"),
        local(day(17)),
    ]
    event = change.course.events.get(kind="moved")
    assert [move["session"] for move in event.details["moved"]] == event.details["sessions"] == [fourth.pk, fifth.pk]
    news = Mail.objects.get(course=change.course, session=None)
    assert (news.kind, [move["session"] for move in news.details["moved"]]) == ("changed", [fourth.pk, fifth.pk])


def test_sessions_take_each_others_times(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    second, third = sessions[1], sessions[2]

    change = moving.move_session(
        actor=clinic.desk, session=second, place=place(clinic, 7), also=[(third, place(clinic, 3))], now=NOW
    )

    second.refresh_from_db()
    third.refresh_from_db()
    assert (second.local_date, second.number, second.state) == (day(7), 3, SessionState.BOOKED)
    assert (third.local_date, third.number, third.freed_at) == (day(3), 2, None)
    assert change.findings == ()


def test_a_session_takes_the_time_that_another_leaves_in_the_middle_of_a_chain(
    clinic: Clinic, patient: Patient
) -> None:
    sessions = book(clinic, patient, (0, 3, 7, 10))
    chain = [(sessions[1], place(clinic, 7)), (sessions[2], place(clinic, 10)), (sessions[3], place(clinic, 14))]

    change = moving.move_session(actor=clinic.desk, session=chain[0][0], place=chain[0][1], also=chain[1:], now=NOW)

    assert starts_of(change.course) == [local(day(number)) for number in (0, 7, 10, 14)]


def test_a_confirmed_session_of_the_others_stays_confirmed_at_its_time(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    confirmed = confirming.confirm_session(actor=clinic.desk, session=sessions[4], now=NOW).sessions[0]

    moving.move_session(
        actor=clinic.desk,
        session=sessions[3],
        place=place(clinic, 9),
        also=[(confirmed, Wanted(chair=clinic.chairs[3].pk))],
        now=NOW,
    )

    confirmed.refresh_from_db()
    assert (confirmed.state, confirmed.confirmed_at, confirmed.chair_id) == ("confirmed", NOW, clinic.chairs[3].pk)


def test_what_stays_where_it_is_is_no_move(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)

    change = moving.move_session(
        actor=clinic.desk,
        session=sessions[3],
        place=place(clinic, 9),
        also=[(sessions[4], judged_place(sessions[4]))],
        now=NOW,
    )

    sessions[4].refresh_from_db()
    assert [session.pk for session in change.sessions] == [sessions[3].pk]
    assert sessions[4].times_version == 1


def judged_place(session: Session) -> Place:
    return Place(session.starts_at, session.chair_id, session.prescriber_id)


def test_all_are_judged_together_and_none_moves_when_one_cannot(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)

    with pytest.raises(RulesBroken) as refusal:
        moving.move_session(
            actor=clinic.desk,
            session=sessions[3],
            place=place(clinic, 13),
            also=[(sessions[4], place(clinic, 16))],
            now=NOW,
        )

    assert [(finding.rule, finding.sessions) for finding in refusal.value.findings] == [
        ("gap-min", (sessions[4].pk, sessions[5].pk))
    ]
    assert starts_of(sessions[0].course) == [local(day(number)) for number in STANDARD]


def test_a_taken_row_is_named_and_new_times_for_it_are_offered_beside_the_others(
    clinic: Clinic, patient: Patient
) -> None:
    book(clinic, PatientFactory.create(), [15], chair=1)
    sessions = book(clinic, patient)
    fourth = place(clinic, 13)

    with pytest.raises(SlotTaken) as refusal:
        moving.move_session(
            actor=clinic.desk,
            session=sessions[3],
            place=fourth,
            also=[(sessions[4], place(clinic, 15, chair=1))],
            now=NOW,
        )

    assert refusal.value.taken == (1,)
    assert refusal.value.message == "Nothing was moved: the time was taken a moment ago."
    offered = [[row.place for row in plan.sessions] for plan in refusal.value.plans]
    assert offered != []
    assert all(fourth in rows and len(rows) == 2 for rows in offered)
    assert starts_of(sessions[0].course) == [local(day(number)) for number in STANDARD]


def test_the_same_request_moves_once_and_is_answered_in_the_same_order(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    request = uuid4()

    def move(late: int) -> booking.Change:
        return moving.move_session(
            actor=clinic.desk,
            session=sessions[4],
            place=place(clinic, 15),
            also=[(sessions[3], place(clinic, late))],
            request_id=request,
            now=NOW,
        )

    first, again = move(9), move(9)
    with pytest.raises(RequestReused):
        move(8)

    assert (first.repeated, again.repeated) == (False, True)
    assert [session.pk for session in again.sessions] == [session.pk for session in first.sessions]
    assert first.course.events.filter(kind="moved").count() == 1


def test_only_open_sessions_of_the_course_move_and_each_once(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    foreign = book(clinic, PatientFactory.create(), chair=1)[0]
    cancelling.cancel_session(actor=clinic.desk, session=sessions[5], reason="Ill", now=NOW)

    for also in ([(foreign, place(clinic, 4))], [(sessions[1], place(clinic, 4))] * 2, [(sessions[0], Wanted())]):
        with pytest.raises(Invalid) as refusal:
            moving.move_session(actor=clinic.desk, session=sessions[0], place=place(clinic, 1), also=also, now=NOW)
        assert list(refusal.value.fields) == ["also"]
    with pytest.raises(Stale):
        moving.move_session(
            actor=clinic.desk,
            session=sessions[0],
            place=place(clinic, 1),
            also=[(sessions[5], place(clinic, 18))],
            now=NOW,
        )


def test_a_dry_run_of_several_writes_nothing(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    before = list(Session.objects.order_by("pk").values())

    change = moving.move_session(
        actor=clinic.desk,
        session=sessions[1],
        place=place(clinic, 7),
        also=[(sessions[2], place(clinic, 3))],
        dry_run=True,
        now=NOW,
    )

    assert [session.local_date for session in change.sessions] == [day(7), day(3)]
    assert list(Session.objects.order_by("pk").values()) == before


def test_the_queries_of_a_move_do_not_grow_with_the_sessions(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)

    def queries(also: Sequence[tuple[Session, Place]], clock: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as counted:
            moving.move_session(
                actor=clinic.desk, session=sessions[0], place=place(clinic, 0, clock), also=also, now=NOW
            )
        return len(counted)

    two = queries([(sessions[1], replace(place(clinic, 3), chair=clinic.chairs[1].pk))], "10:00")
    later = [(session, place(clinic, number, "11:00")) for session, number in zip(sessions, STANDARD, strict=True)]
    six = queries(later[1:], "11:00")

    assert two == six


def test_a_moved_visit_is_not_expected_at_the_time_that_was_said_for_the_old_one(
    clinic: Clinic, patient: Patient
) -> None:
    session = book(clinic, patient)[0]
    Session.objects.filter(pk=session.pk).update(expected_at=local(day(0), "09:40"))

    other_chair = moving.move_session(
        actor=clinic.desk, session=session, place=Wanted(chair=clinic.chairs[2].pk), now=NOW
    )
    other_time = moving.move_session(
        actor=clinic.desk, session=session, place=Wanted(starts_at=local(day(0), "10:00")), now=NOW
    )

    assert other_chair.sessions[0].expected_at == local(day(0), "09:40")
    assert other_time.sessions[0].expected_at is None
