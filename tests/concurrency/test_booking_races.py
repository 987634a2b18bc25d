"""The verbs against each other and against plain SQL, on real connections: somebody wins, everybody else is told what
was taken."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import connection

from clinic.errors import RulesBroken
from clinic.models import Chair, Shift, Staff
from patients.models import Patient, Task, TaskKind
from scheduling import booking, cancelling, moving, roster
from scheduling.booking import SlotTaken
from scheduling.models import LIVE, Course, CourseState, Mail, MailKind, ProtocolVersion, Session, SessionState
from scheduling.protocols.types import Place
from tests.concurrency.crowd import Manners, Write, connect
from tests.concurrency.test_races import assert_sound
from tests.concurrency.test_races import booking as sql_booking
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    make_clinic,
    protocol,
)

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 32
ROUNDS = 20
DAYS = [MONDAY + timedelta(days=7 * week + day) for week in range(ROUNDS // 5) for day in range(5)]
COURSE_DAYS = [MONDAY + timedelta(days=number) for number in (0, 3, 7, 10, 14, 17)]

OK, TAKEN, RULES = "ok", "taken", "rules"

Act = Callable[[], object]


class Desks:
    """So many people at their desks, each with a connection of their own; they press the button together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads = ThreadPoolExecutor(size)

    def press(self, acts: Sequence[Act]) -> list[str]:
        """What each was told: OK, TAKEN, or RULES; any other error is raised here."""
        barrier = threading.Barrier(len(acts))

        def act(verb: Act) -> str:
            barrier.wait(timeout=60)
            try:
                verb()
            except SlotTaken:
                return TAKEN
            except RulesBroken:
                return RULES
            return OK

        return list(self._threads.map(act, acts))

    def close(self) -> None:
        barrier = threading.Barrier(self.size)

        def hang_up(_: int) -> None:
            barrier.wait(timeout=60)  # so that each thread gets one
            connection.close()

        list(self._threads.map(hang_up, range(self.size)))
        self._threads.shutdown()


@pytest.fixture
def desks() -> Iterator[Desks]:
    desks = Desks(WRITERS)
    yield desks
    desks.close()


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=WRITERS, prescribers=2, weeks=ROUNDS // 5)


@pytest.fixture
def rules() -> ProtocolVersion:
    return protocol()


@pytest.fixture
def patients() -> list[Patient]:
    return PatientFactory.create_batch(WRITERS)


def book(clinic: Clinic, patient: Patient, rules: ProtocolVersion, *places: tuple[Chair, Staff, datetime]) -> Act:
    wanted = [Place(at, chair.pk, doctor.pk) for chair, doctor, at in places]
    return lambda: booking.book_course(actor=clinic.desk, patient=patient, protocol=rules, places=wanted, now=NOW)


def move(clinic: Clinic, session: Session, chair: Chair, at: datetime) -> Act:
    place = Place(at, chair.pk, session.prescriber_id)
    return lambda: moving.move_session(actor=clinic.desk, session=session, place=place, now=NOW)


def assert_nothing_half_done() -> None:
    """Nothing is double, and a course has all its sessions, its one event and its one mail, or does not exist."""
    assert_sound()
    for course in Course.objects.filter(state=CourseState.ACTIVE).prefetch_related("sessions", "events"):
        booked = next((event for event in course.events.all() if event.kind == "booked"), None)
        if booked is not None:
            assert sorted(booked.details["sessions"]) == sorted(session.pk for session in course.sessions.all())
            assert Mail.objects.filter(course=course, kind=MailKind.BOOKED).count() == 1


def make_room() -> None:
    """For the next round: whoever has won may book again."""
    Session.objects.filter(state__in=LIVE).update(state=SessionState.CANCELLED, freed_at=NOW)
    Course.objects.filter(ended_at=None).update(state=CourseState.CANCELLED, ended_at=NOW)


def test_one_slot_has_one_winner(clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks) -> None:
    for day in DAYS:
        place = (clinic.chairs[0], clinic.prescriber, local(day))
        answers = desks.press([book(clinic, patient, rules, place) for patient in patients])
        assert Counter(answers) == {OK: 1, TAKEN: WRITERS - 1}
        assert_nothing_half_done()
        make_room()


def test_overlapping_slots_of_a_chair(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    draw = random.Random(1)  # noqa: S311 the same slots at every run
    for day in DAYS:
        starts = [local(day, "08:00") + timedelta(minutes=10 * draw.randrange(40)) for _ in patients]
        acts = [
            book(clinic, patient, rules, (clinic.chairs[0], clinic.prescriber, start))
            for patient, start in zip(patients, starts, strict=True)
        ]
        answers = desks.press(acts)
        assert set(answers) == {OK, TAKEN}
        assert_nothing_half_done()
        make_room()


def test_the_prescribers_limit_is_filled_and_kept(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    for day in DAYS:
        acts = [
            book(clinic, patient, rules, (chair, clinic.prescriber, local(day)))
            for patient, chair in zip(patients, clinic.chairs, strict=True)
        ]
        assert Counter(desks.press(acts)) == {OK: 4, TAKEN: WRITERS - 4}
        assert_nothing_half_done()
        make_room()


def test_whole_courses_in_opposite_order(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    for chair in clinic.chairs[:ROUNDS]:
        places = [(chair, clinic.prescriber, local(day)) for day in COURSE_DAYS]
        acts = [
            book(clinic, patient, rules, *places[:: 1 if index % 2 else -1]) for index, patient in enumerate(patients)
        ]
        assert Counter(desks.press(acts)) == {OK: 1, TAKEN: WRITERS - 1}
        assert Session.objects.filter(state__in=LIVE).count() == len(COURSE_DAYS)
        assert_nothing_half_done()
        make_room()


def test_nobody_is_refused_for_nothing(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    Shift.objects.update(patients_at_once=8)
    for _ in range(ROUNDS):
        acts = [
            book(clinic, patient, rules, *[(chair, clinic.prescribers[index % 2], local(day)) for day in COURSE_DAYS])
            for index, (patient, chair) in enumerate(zip(patients[:16], clinic.chairs, strict=False))
        ]
        assert desks.press(acts) == [OK] * 16
        assert_nothing_half_done()
        make_room()


def test_moves_against_bookings(clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks) -> None:
    """Four visits leave their chairs at 8:00 for 11:20, while others book both times of these chairs."""
    draw = random.Random(3)  # noqa: S311 the same moves at every run
    chairs = clinic.chairs[:4]
    for day in DAYS:
        visits = [
            SessionFactory.create(
                course=CourseFactory.create(site=clinic.site),
                chair=chair,
                prescriber=clinic.prescribers[0],
                starts_at=local(day, "08:00"),
            )
            for chair in chairs
        ]
        acts = [move(clinic, visit, draw.choice(chairs), local(day, "11:20")) for visit in visits]
        acts += [
            book(clinic, patient, rules, (draw.choice(chairs), clinic.prescribers[1], local(day, clock)))
            for patient, clock in zip(patients[4:], ["08:00", "11:20"] * (WRITERS // 2 - 2), strict=True)
        ]
        draw.shuffle(acts)
        assert set(desks.press(acts)) <= {OK, TAKEN}
        assert_nothing_half_done()
        make_room()


def test_one_patient_at_two_desks_gets_one_course(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    for patient, day in zip(patients, DAYS[:5], strict=False):
        acts = [book(clinic, patient, rules, (chair, clinic.prescriber, local(day))) for chair in clinic.chairs[:4]]
        answers = Counter(desks.press(acts))
        assert answers[OK] == 1
        assert set(answers) <= {OK, TAKEN, RULES}
        assert Course.objects.filter(patient=patient, state=CourseState.ACTIVE).count() == 1


def test_a_cancelled_course_makes_room_once(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    first, *others = patients[:16]
    places = [(clinic.chairs[0], clinic.prescriber, local(day)) for day in COURSE_DAYS]
    for _ in range(3):
        book(clinic, first, rules, *places)()
        course = Course.objects.get(patient=first, state=CourseState.ACTIVE)
        acts = [book(clinic, patient, rules, *places) for patient in others]
        acts.append(partial(cancelling.cancel_course, actor=clinic.desk, course=course, reason="Ill", now=NOW))
        assert Counter(desks.press(acts))[OK] <= 2
        assert not Session.objects.filter(course=course, state__in=LIVE).exists()
        assert_nothing_half_done()
        make_room()


def test_a_closure_is_known_to_every_booking_or_marks_it(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    for day in DAYS[:4]:
        acts = [
            book(clinic, patient, rules, (chair, clinic.prescribers[index % 2], local(day)))
            for index, (patient, chair) in enumerate(zip(patients[:8], clinic.chairs, strict=False))
        ]
        acts.insert(
            4,
            partial(
                roster.set_closure,
                actor=clinic.manager,
                site=clinic.site,
                starts_at=local(day, "12:00"),
                ends_at=local(day, "13:00"),
                reason="Leak",
                now=NOW,
            ),
        )
        answers = desks.press(acts)
        assert answers[4] == OK
        assert set(answers) <= {OK, RULES}
        booked = Session.objects.filter(local_date=day, state__in=LIVE)
        assert booked.count() == Counter(answers)[OK] - 1
        assert not booked.filter(needs_replan=False).exists()
        asked = Task.objects.filter(kind=TaskKind.NEEDS_TIME, done_at=None).values_list("key", flat=True)
        assert {str(session.pk) for session in booked} <= set(asked)
        make_room()


def test_verbs_hold_their_own_against_plain_sql(
    clinic: Clinic, rules: ProtocolVersion, patients: list[Patient], desks: Desks
) -> None:
    """Every second writer knows nothing of locks or rules; the verbs still answer success or taken."""
    courses = CourseFactory.create_batch(WRITERS // 2, site=clinic.site)
    refused: list[str | None] = []

    def by_hand(link: psycopg.Connection[tuple[Any, ...]], write: Write) -> None:
        try:
            with link.transaction(), link.cursor() as cursor:
                write(cursor)
        except psycopg.Error as error:
            refused.append(error.sqlstate)

    with ExitStack() as stack:
        links = [stack.enter_context(connect()) for _ in courses]
        for day in DAYS:
            place = (clinic.chairs[0], clinic.prescriber, local(day))
            acts: list[Act] = [book(clinic, patient, rules, place) for patient in patients[: WRITERS // 2]]
            acts += [
                partial(by_hand, link, sql_booking(course, [place], Manners()))
                for link, course in zip(links, courses, strict=True)
            ]
            assert set(desks.press(acts)[: WRITERS // 2]) <= {OK, TAKEN}
            assert Session.objects.filter(local_date=day, state__in=LIVE).count() == 1
            assert_nothing_half_done()
            make_room()
            Course.objects.filter(pk__in=[course.pk for course in courses]).update(
                state=CourseState.ACTIVE, ended_at=None
            )
    assert set(refused) <= {"23P01", "55P03", "40P01"}
