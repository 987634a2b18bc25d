"""Several sessions that move together, and visits that nobody came to, at many desks at the same moment."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from clinic.errors import Invalid, Stale
from patients.models import Patient
from scheduling import booking, cancelling, moving
from scheduling.models import LIVE, Course, CourseEvent, Day, Session, SessionState
from scheduling.protocols.types import Place
from scheduling.visits import absence
from tests.concurrency.test_booking_races import OK, RULES, TAKEN, Act, Desks, assert_nothing_half_done
from tests.factories import MONDAY, NOW, Clinic, PatientFactory, local, make_clinic, protocol

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 16
ROUNDS = 10
DAYS = [MONDAY + timedelta(days=number) for number in (1, 4, 8, 11)]
STALE = "stale"


@pytest.fixture
def desks() -> Iterator[Desks]:
    desks = Desks(WRITERS)
    yield desks
    desks.close()


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=WRITERS, prescribers=4, weeks=4)


def book(clinic: Clinic, patient: Patient, chair: int, clock: str) -> list[Session]:
    places = [Place(local(day, clock), clinic.chairs[chair].pk, clinic.prescribers[chair % 4].pk) for day in DAYS]
    change = booking.book_course(actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=NOW)
    return list(change.sessions)


def place_of(session: Session) -> Place:
    return Place(session.starts_at, session.chair_id, session.prescriber_id)


def move(clinic: Clinic, moves: Sequence[tuple[Session, Place]]) -> Act:
    (session, place), *also = moves
    return lambda: moving.move_session(actor=clinic.desk, session=session, place=place, also=also, now=NOW)


def or_stale(verb: Act, told: list[str]) -> Act:
    """The verb; that it came too late is written down."""

    def act() -> None:
        try:
            verb()
        except Stale:
            told.append(STALE)

    return act


def test_pairs_that_move_in_opposite_order_neither_mix_nor_lock_each_other_out(clinic: Clinic, desks: Desks) -> None:
    """Four courses want each other's chairs and hours for their two inner sessions, from four desks each."""
    draw = random.Random(5)  # noqa: S311 the same moves at every run
    courses = [book(clinic, PatientFactory.create(), chair, "08:00") for chair in range(4)]
    moved = 0
    for _ in range(ROUNDS // 2):
        acts: list[Act] = []
        before = {}
        for mine in courses:
            fresh = [Session.objects.get(pk=session.pk) for session in mine]
            before[fresh[0].course_id] = [place_of(session) for session in fresh]
            for _ in range(WRITERS // 4):
                pair = [(fresh[1], draw.choice(DAYS[1:3])), (fresh[2], draw.choice(DAYS[1:3]))]
                clock, chair = draw.choice(["08:00", "11:20"]), draw.choice(clinic.chairs[:4]).pk
                draw.shuffle(pair)
                acts.append(
                    move(clinic, [(one, Place(local(day, clock), chair, one.prescriber_id)) for one, day in pair])
                )
        answers = desks.press(acts)

        assert set(answers) <= {OK, TAKEN, RULES}
        moved += answers.count(OK)
        assert_nothing_half_done()
        for course, places in before.items():
            standing = Course.objects.get(pk=course).sessions.filter(state__in=LIVE).in_order()
            now = [place_of(session) for session in standing]
            assert len(now) == 4
            # Both sessions of a pair went to one chair and hour, or none of them moved.
            inner = {(place.chair, place.starts_at.time()) for place in now[1:3]}
            assert now == places or len(inner) == 1
    assert moved >= ROUNDS // 2


def test_a_swap_and_a_cancellation_of_one_of_both_leave_no_half_of_it(clinic: Clinic, desks: Desks) -> None:
    for chair in range(ROUNDS):
        sessions = book(clinic, PatientFactory.create(), chair, "08:00")
        second, third = sessions[1], sessions[2]
        told: list[str] = []
        swap = or_stale(move(clinic, [(second, place_of(third)), (third, place_of(second))]), told)
        give_up = partial(cancelling.cancel_session, actor=clinic.desk, session=third, reason="Ill", now=NOW)

        desks.press([swap, give_up])

        second.refresh_from_db()
        assert second.local_date == (DAYS[1] if told else DAYS[2])
        assert [event.kind for event in CourseEvent.objects.filter(course=second.course).order_by("pk")] == [
            "booked",
            *([] if told else ["moved"]),
            "session-cancelled",
        ]
        assert_nothing_half_done()


def test_a_no_show_that_many_note_at_once_is_noted_once(clinic: Clinic, desks: Desks) -> None:
    for chair in range(ROUNDS):
        session = book(clinic, PatientFactory.create(), chair, "08:00")[0]
        late = session.starts_at + timedelta(minutes=15)
        told: list[str] = []
        note = partial(absence.no_show, actor=clinic.desk, session=session, now=late)

        desks.press([or_stale(note, told)] * WRITERS)

        assert Counter(told) == {STALE: WRITERS - 1}
        assert CourseEvent.objects.filter(course=session.course, kind="no-show").count() == 1
        session.refresh_from_db()
        assert session.state == SessionState.NO_SHOW


def test_one_request_sent_many_times_is_one_no_show(clinic: Clinic, desks: Desks) -> None:
    session = book(clinic, PatientFactory.create(), 0, "08:00")[0]
    late, request = session.starts_at + timedelta(minutes=15), uuid4()
    answers: list[tuple[int, bool]] = []

    def note() -> None:
        change = absence.no_show(actor=clinic.desk, session=session, request_id=request, now=late)
        answers.append((change.sessions[0].pk, change.repeated))

    assert desks.press([note] * WRITERS) == [OK] * WRITERS
    assert sorted(answers) == [(session.pk, False)] + [(session.pk, True)] * (WRITERS - 1)
    assert CourseEvent.objects.filter(course=session.course, kind="no-show").count() == 1


def test_the_freed_time_of_a_no_show_has_one_taker(clinic: Clinic, desks: Desks) -> None:
    """While one desk notes the no-show, the others book the rest of its time for other patients."""
    for chair in range(ROUNDS):
        session = book(clinic, PatientFactory.create(), chair, "08:00")[0]
        late = session.starts_at + timedelta(minutes=15)
        place = Place(local(DAYS[0], "08:20"), session.chair_id, session.prescriber_id)
        acts: list[Act] = [
            partial(
                booking.book_course,
                actor=clinic.desk,
                patient=patient,
                protocol=protocol(),
                places=[place],
                now=late,
            )
            for patient in PatientFactory.create_batch(WRITERS - 1)
        ]
        acts.insert(WRITERS // 2, partial(absence.no_show, actor=clinic.nurse, session=session, now=late))

        answers = desks.press(acts)

        assert answers.pop(WRITERS // 2) == OK
        assert set(answers) <= {OK, TAKEN}
        assert Counter(answers)[OK] <= 1
        assert_nothing_half_done()


def test_what_is_said_about_a_late_patient_and_a_move_of_the_visit_do_not_mix(clinic: Clinic, desks: Desks) -> None:
    for chair in range(ROUNDS):
        session = book(clinic, PatientFactory.create(), chair, "08:00")[0]
        at = session.starts_at + timedelta(minutes=40)
        before = Day.objects.get(site=clinic.site, date=DAYS[0]).version
        later = Place(local(DAYS[0], "11:20"), session.chair_id, session.prescriber_id)

        def expect(session: Session = session, at: datetime = at) -> None:
            with suppress(Invalid):  # it was moved behind that time already
                absence.expect(actor=clinic.desk, session=session, at=at, now=NOW)

        desks.press([expect, move(clinic, [(session, later)])])

        session.refresh_from_db()
        assert (session.starts_at, session.expected_at) == (later.starts_at, None)
        assert Day.objects.get(site=clinic.site, date=DAYS[0]).version > before
