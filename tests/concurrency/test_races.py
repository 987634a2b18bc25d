"""Writers past the application: plain SQL on real connections, all at the same moment.

Whatever they do and however they behave, no chair and no patient is booked twice and no prescriber has more patients
than the shift allows; and nobody gets another answer than success or that something is taken.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from clinic.models import Chair, Shift, Staff
from scheduling.models import LIVE, Course, Day, Session
from tests.concurrency.crowd import OK, Crowd, Manners, Write, connect
from tests.factories import (
    MONDAY,
    Clinic,
    CourseFactory,
    SessionFactory,
    ShiftFactory,
    StaffFactory,
    local,
    make_clinic,
)
from tests.plain_sql import insert, visit

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 32
ROUNDS = 20

#: Taken (exclusion, uniqueness, the guard), or another writer was in the way (lock, serialization, deadlock).
TAKEN = {"23P01", "23505", "23514"}
IN_THE_WAY = {"55P03", "40001", "40P01"}

REPEATABLE = psycopg.IsolationLevel.REPEATABLE_READ
MANNERS = [
    Manners(),
    Manners(locks_days=True),
    Manners(isolation=REPEATABLE),
    Manners(isolation=REPEATABLE, locks_days=True),
    Manners(defers=True),
]
any_manners = pytest.mark.parametrize("manners", MANNERS, ids=str)

WORKING_DAYS = [MONDAY + timedelta(days=7 * week + day) for week in range(ROUNDS // 5) for day in range(5)]


@pytest.fixture
def clinic() -> Clinic:
    return make_clinic(chairs=WRITERS, prescribers=2, weeks=ROUNDS // 5)


@pytest.fixture
def courses(clinic: Clinic) -> list[Course]:
    return CourseFactory.create_batch(WRITERS, site=clinic.site)


@pytest.fixture(scope="module")
def crowd(django_db_setup: None) -> Iterator[Crowd]:
    with Crowd(WRITERS) as crowd:
        yield crowd


def booking(course: Course, places: list[tuple[Chair, Staff, datetime]], manners: Manners) -> Write:
    """A writer who books these places in this order, all or none."""
    rows = [visit(course, chair, doctor, at) for chair, doctor, at in places]

    def write(cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        if manners.locks_days:
            cursor.execute("SELECT lock_days(%s, %s)", [course.site_id, [row["local_date"] for row in rows]])
        for row in rows:
            insert(cursor, row)

    return write


def moving(session: Session, chair: Chair, at: datetime, manners: Manners) -> Write:
    """A writer who moves a visit within its date."""
    row = visit(session.course, chair, session.prescriber, at)

    def write(cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        if manners.locks_days:
            cursor.execute("SELECT lock_days(%s, %s)", [session.site_id, [row["local_date"]]])
        cursor.execute(
            "UPDATE scheduling_session SET chair_id = %(chair_id)s, during = %(during)s::tstzrange,"
            " dose_starts_at = %(dose_starts_at)s, dose_ends_at = %(dose_ends_at)s, discharge_at = %(discharge_at)s"
            " WHERE id = %(id)s",
            {**row, "id": session.pk},
        )

    return write


def overlaps() -> list[tuple[int, int]]:
    """Pairs of live sessions that share a chair or a patient at some moment, counted without the constraints."""
    rows = list(Session.objects.filter(state__in=LIVE).values_list("pk", "chair", "patient", "during", "local_date"))
    return [
        (one[0], other[0])
        for index, one in enumerate(rows)
        for other in rows[index + 1 :]
        if one[4] == other[4]
        and (
            one[2] == other[2]
            or (one[1] == other[1] and one[3].lower < other[3].upper and other[3].lower < one[3].upper)
        )
    ]


def overloads() -> list[tuple[int, datetime]]:
    """Unflagged visits and moments at which their prescriber has more patients than the shift allows, counted here."""
    shifts = list(Shift.objects.all())
    visits = list(Session.objects.filter(state__in=LIVE))
    breaches = []
    for doctor in {row.prescriber_id for row in visits}:
        cared_for = [row for row in visits if row.prescriber_id == doctor]
        worked = [shift for shift in shifts if shift.staff_id == doctor]
        for moment in {row.dose_starts_at for row in cared_for} | {shift.during.lower for shift in worked}:
            present = [row for row in cared_for if row.dose_starts_at <= moment < row.discharge_at]
            limit = sum(s.patients_at_once for s in worked if s.during.lower <= moment < s.during.upper)
            if len(present) > limit:
                breaches += [(row.pk, moment) for row in present if not row.needs_replan]
    return breaches


def misfits() -> list[int]:
    """Live sessions that break the guard's own rules without being marked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM scheduling_session AS s WHERE session_live(state) AND NOT needs_replan"
            " AND session_misfit(s) IS NOT NULL"
        )
        return [row[0] for row in cursor.fetchall()]


def assert_sound() -> None:
    assert overlaps() == []
    assert overloads() == []
    assert misfits() == []


def assert_answers(answers: list[str], manners: Manners) -> None:
    """Success or taken; whoever waits for the days in their order and reads afresh never finds another in the way."""
    waits = manners.locks_days and manners.isolation is not REPEATABLE
    assert set(answers) <= {OK} | TAKEN | (set() if waits else IN_THE_WAY)


@any_manners
def test_one_slot_has_one_winner(clinic: Clinic, courses: list[Course], crowd: Crowd, manners: Manners) -> None:
    for day in WORKING_DAYS:
        place = (clinic.chairs[0], clinic.prescriber, local(day))
        answers = crowd.write([booking(course, [place], manners) for course in courses], manners)
        assert_answers(answers, manners)
        assert Counter(answers)[OK] == 1
    assert_sound()


@any_manners
def test_overlapping_slots_of_a_chair(clinic: Clinic, courses: list[Course], crowd: Crowd, manners: Manners) -> None:
    draw = random.Random(1)  # noqa: S311 the same slots at every run
    for day in WORKING_DAYS:
        starts = [local(day, "08:00") + timedelta(minutes=10 * draw.randrange(40)) for _ in courses]
        writes = [
            booking(course, [(clinic.chairs[0], clinic.prescriber, start)], manners)
            for course, start in zip(courses, starts, strict=True)
        ]
        answers = crowd.write(writes, manners)
        assert_answers(answers, manners)
        assert OK in answers
    assert_sound()


@any_manners
def test_a_prescriber_never_has_more_patients_than_the_limit(
    clinic: Clinic, courses: list[Course], crowd: Crowd, manners: Manners
) -> None:
    draw = random.Random(2)  # noqa: S311 the same slots at every run
    for day in WORKING_DAYS:
        writes = [
            booking(
                course, [(chair, clinic.prescriber, local(day) + timedelta(minutes=10 * draw.randrange(6)))], manners
            )
            for course, chair in zip(courses, clinic.chairs, strict=True)
        ]
        answers = crowd.write(writes, manners)
        assert_answers(answers, manners)
        assert 1 <= Counter(answers)[OK] <= 4
        if manners == Manners(locks_days=True):
            assert Counter(answers)[OK] == 4  # nobody is refused below the limit
    assert_sound()


@any_manners
def test_whole_courses_in_opposite_order(clinic: Clinic, courses: list[Course], crowd: Crowd, manners: Manners) -> None:
    for number in range(ROUNDS):
        days = WORKING_DAYS[number % 4 :: 3][:6]
        places = [
            (clinic.chairs[number % 4], clinic.prescribers[place % 2], local(day)) for place, day in enumerate(days)
        ]
        writes = [booking(course, places[:: 1 if index % 2 else -1], manners) for index, course in enumerate(courses)]
        answers = crowd.write(writes, manners)
        assert_answers(answers, manners)
        assert Session.objects.count() == 6 * Counter(answers)[OK]
        assert Counter(answers)[OK] <= 1
        if manners == Manners(locks_days=True):
            assert Counter(answers)[OK] == 1
        assert_sound()
        Session.objects.all().delete()


@any_manners
def test_moves_against_bookings(clinic: Clinic, courses: list[Course], crowd: Crowd, manners: Manners) -> None:
    """Eight visits fill the chairs from 8:00; all of them move to 11:20 while others book both times."""
    draw = random.Random(3)  # noqa: S311 the same moves at every run
    answers = []
    for day in WORKING_DAYS:
        there = [
            SessionFactory.create(
                course=course, chair=chair, prescriber=clinic.prescribers[0], starts_at=local(day, "08:00")
            )
            for course, chair in zip(courses, clinic.chairs[:4], strict=False)
        ]
        writes = [moving(visit, draw.choice(clinic.chairs[:4]), local(day, "11:20"), manners) for visit in there]
        writes += [
            booking(course, [(draw.choice(clinic.chairs[:4]), clinic.prescribers[1], local(day, clock))], manners)
            for course, clock in zip(courses[4:], ["08:00", "11:20"] * WRITERS, strict=False)
        ]
        draw.shuffle(writes)
        answers += crowd.write(writes, manners)
    assert_answers(answers, manners)
    assert_sound()


@any_manners
def test_a_shift_that_is_lowered_while_others_book(
    clinic: Clinic, courses: list[Course], crowd: Crowd, manners: Manners
) -> None:
    answers = []
    for day in WORKING_DAYS:

        def lower(cursor: psycopg.Cursor[tuple[Any, ...]], day: date = day) -> None:
            if manners.locks_days:
                cursor.execute("SELECT lock_days(%s, %s)", [clinic.site.pk, [day]])
            cursor.execute(
                "UPDATE clinic_shift SET patients_at_once = 1 WHERE staff_id = %s AND during @> %s::timestamptz",
                [clinic.prescriber.pk, local(day)],
            )

        writes = [
            booking(course, [(chair, clinic.prescriber, local(day))], manners)
            for course, chair in zip(courses[1:], clinic.chairs, strict=False)
        ]
        answers += crowd.write([*writes, lower], manners)
    assert_answers(answers, manners)
    assert_sound()


def test_nobody_is_refused_for_nothing(clinic: Clinic, courses: list[Course], crowd: Crowd) -> None:
    """Distinct slots: a chair and a prescriber of one's own."""
    manners = Manners(locks_days=True)
    doctors = [clinic.prescribers[0], *StaffFactory.create_batch(7, prescriber=True)]
    for doctor in doctors[1:]:
        for day in WORKING_DAYS:
            ShiftFactory.create(staff=doctor, site=clinic.site, day=day)
    for day in WORKING_DAYS:
        writes = [
            booking(course, [(chair, doctor, local(day))], manners)
            for course, chair, doctor in zip(courses, clinic.chairs, doctors * 2, strict=False)
        ]
        assert crowd.write(writes, manners) == [OK] * 16


def test_a_day_is_raised_once_a_transaction(clinic: Clinic, courses: list[Course], crowd: Crowd) -> None:
    def versions() -> list[int]:
        return list(Day.objects.filter(date__in=WORKING_DAYS[:3]).order_by("date").values_list("version", flat=True))

    before = versions()
    places = [(clinic.chairs[0], clinic.prescriber, local(day)) for day in WORKING_DAYS[:2]]
    for manners in (Manners(), Manners(locks_days=True)):
        assert crowd.write([booking(courses[0], places, manners)], manners) == [OK]
        Session.objects.all().delete()
    assert versions() == [before[0] + 4, before[1] + 4, before[2]]


def test_a_writer_who_does_not_wait_is_told_so_at_once(clinic: Clinic, courses: list[Course], crowd: Crowd) -> None:
    write = booking(courses[0], [(clinic.chairs[0], clinic.prescriber, local(MONDAY))], Manners())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT lock_days(%s, %s)", [clinic.site.pk, [MONDAY]])
        assert crowd.write([write]) == ["55P03"]
    assert crowd.write([write]) == [OK]


@pytest.mark.parametrize("manners", [Manners(REPEATABLE), Manners(REPEATABLE, locks_days=True)], ids=str)
def test_a_writer_who_looked_before_the_others_booked_has_to_start_over(
    clinic: Clinic, courses: list[Course], crowd: Crowd, manners: Manners
) -> None:
    """Their count is an old one: what keeps them from passing the limit is the raised version of the day."""
    polite = Manners(locks_days=True)
    *others, late = [
        booking(course, [(chair, clinic.prescriber, local(MONDAY))], polite if index < 4 else manners)
        for index, (course, chair) in enumerate(zip(courses[:5], clinic.chairs, strict=False))
    ]
    with connect() as link:
        link.isolation_level = manners.isolation
        with link.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM scheduling_session")
            assert crowd.write(others, polite) == [OK] * 4
            with pytest.raises(psycopg.errors.SerializationFailure):
                late(cursor)
        link.rollback()
    assert_sound()
