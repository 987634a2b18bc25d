"""Where a session could go, and which later ones have to go with it: read from the calendar, kept by the move."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from itertools import combinations, product
from time import perf_counter
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test.utils import CaptureQueriesContext

from clinic.errors import Invalid, RoleRefused, RulesBroken, Stale
from clinic.findings import Level, worst
from clinic.models import OpeningHours, Shift
from patients.models import Patient
from scheduling import booking, cancelling, judging, moving
from scheduling.booking import Signature
from scheduling.fitting import Cascade, Window
from scheduling.models import CourseState, PhaseChoice, Session, SessionState
from scheduling.protocols.types import Place, Spot, Wanted
from tests.factories import (
    MONDAY,
    NOW,
    Clinic,
    ClosureFactory,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    make_clinic,
    protocol,
)
from tests.scheduling import STANDARD, day, place

pytestmark = pytest.mark.django_db


def book(
    clinic: Clinic, patient: Patient, days: Sequence[int] = STANDARD, *, clock: str = "09:00", **more: Any
) -> list[Session]:
    places = [place(clinic, number, clock) for number in days]
    change = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=protocol(), places=places, now=NOW, **more
    )
    return list(change.sessions)


def cascade(clinic: Clinic, session: Session, where: Place | Wanted) -> Cascade | None:
    return moving.cascade(actor=clinic.desk, session=session, place=where, now=NOW)


def moves_of(found: Cascade | None) -> Mapping[int, Place]:
    assert found is not None
    assert found.none is None
    return {session.number: where for session, where in found.moves}


def test_a_move_that_breaks_nothing_needs_no_other(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)

    assert cascade(clinic, sessions[3], place(clinic, 9)) is None
    assert cascade(clinic, sessions[5], place(clinic, 20)) is None


def test_the_next_session_is_pushed_to_the_nearest_day_at_its_hour_and_the_rest_stays(
    clinic: Clinic, patient: Patient
) -> None:
    """Session 4 goes to the Monday before session 5, which goes from Tuesday to Wednesday: Friday stays."""
    sessions = book(clinic, patient)

    found = cascade(clinic, sessions[3], place(clinic, 13))

    assert moves_of(found) == {5: place(clinic, 15)}
    assert found is not None
    assert found.findings == ()


def test_the_offer_is_what_the_move_takes(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    found = cascade(clinic, sessions[3], place(clinic, 13))
    assert found is not None

    change = moving.move_session(
        actor=clinic.desk, session=sessions[3], place=place(clinic, 13), also=found.moves, now=NOW
    )

    assert change.findings == found.findings
    dates = [session.local_date for session in Session.objects.filter(course=change.course).in_order()]
    assert dates == [day(number) for number in (0, 3, 7, 13, 15, 17)]


def test_nothing_is_written_by_asking(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    before = list(Session.objects.order_by("pk").values())

    cascade(clinic, sessions[3], place(clinic, 13))

    assert list(Session.objects.order_by("pk").values()) == before


def test_each_pushed_session_keeps_its_own_hour_prescriber_and_chair(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    own = Place(local(day(14), "11:30"), clinic.chairs[4].pk, clinic.prescribers[1].pk)
    moving.move_session(actor=clinic.desk, session=sessions[4], place=own, now=NOW)

    found = cascade(clinic, sessions[3], place(clinic, 13))

    assert moves_of(found) == {5: Place(local(day(15), "11:30"), own.chair, own.prescriber)}


def test_the_nearest_hour_is_offered_where_the_own_one_is_taken(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    for chair in clinic.chairs:
        SessionFactory.create(
            course=CourseFactory.create(site=clinic.site),
            chair=chair,
            prescriber=clinic.prescribers[chair.position % 2],
            starts_at=local(day(15), "08:00"),
        )

    found = cascade(clinic, sessions[3], place(clinic, 13))

    assert moves_of(found) == {5: place(clinic, 15, "11:20")}


def test_a_session_past_the_one_behind_it_is_pushed_when_that_changes_less(clinic: Clinic, patient: Patient) -> None:
    """Session 5 has no day between 4 on Wednesday and 6 on Friday left: it alone goes past 6, which stays."""
    sessions = book(clinic, patient, (0, 3, 7, 9, 13, 15))

    found = cascade(clinic, sessions[3], place(clinic, 13, "10:00"))

    assert moves_of(found) == {5: place(clinic, 17)}


def test_as_many_move_as_have_to(clinic: Clinic, patient: Patient) -> None:
    """Sessions 1 to 3 late in the first week leave no gap to any of the two behind them."""
    sessions = book(clinic, patient, (0, 2, 6, 8, 10))

    found = cascade(clinic, sessions[1], place(clinic, 7))

    moves = moves_of(found)
    assert sorted(moves) == [3, 4]
    dates = [where.starts_at for where in moves.values()]
    assert all(where > local(day(7), "23:00") for where in dates)


def test_earlier_sessions_stay_so_a_move_too_near_to_one_of_them_cannot_be_mended(
    clinic: Clinic, patient: Patient
) -> None:
    sessions = book(clinic, patient)

    found = cascade(clinic, sessions[3], place(clinic, 8))

    assert found is not None
    assert found.moves == ()
    assert found.none is not None
    assert found.none.limit == "gap-min"
    assert [finding.rule for finding in found.findings] == ["gap-min"]


def test_a_taken_or_closed_place_cannot_be_mended_by_moving_others(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    book(clinic, PatientFactory.create(), [13], clock="13:00")

    taken = cascade(clinic, sessions[3], place(clinic, 13, "13:00"))
    closed = cascade(clinic, sessions[3], place(clinic, 13, "17:00"))

    assert taken is not None
    assert closed is not None
    assert (taken.moves, taken.none and taken.none.limit) == ((), "taken")
    assert (closed.moves, closed.none and closed.none.limit) == ((), "doctor")


def test_the_last_one_stays_inside_the_span(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)

    assert moves_of(cascade(clinic, sessions[4], place(clinic, 16))) == {6: place(clinic, 20)}


def test_where_no_day_is_left_the_limit_in_the_way_is_named(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    ClosureFactory.create(site=clinic.site, day=day(18), days=4)

    found = cascade(clinic, sessions[4], place(clinic, 16))

    assert found is not None
    assert found.none is not None
    assert (found.moves, found.none.limit) == ((), "span-max")
    assert found.none.text % dict(found.none.values) == "The sessions do not fit by day 21 of the phase."


def test_a_full_calendar_leaves_no_offer_and_says_so(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    ClosureFactory.create(site=clinic.site, day=day(15), days=60)

    found = cascade(clinic, sessions[3], place(clinic, 13))

    assert found is not None
    assert (found.moves, [finding.rule for finding in found.findings]) == ((), ["gap-min"])
    assert found.none is not None
    assert found.none.text % dict(found.none.values) != ""


def test_an_override_that_was_signed_before_is_not_new(clinic: Clinic, patient: Patient) -> None:
    signed = Signature(clinic.prescriber, frozenset({"gap-min"}), "Travels.")
    sessions = book(clinic, patient, (0, 1, 7, 10), override=signed)

    assert cascade(clinic, sessions[3], place(clinic, 13)) is None


def test_a_maintenance_session_is_pushed_so_far_that_nothing_is_found(clinic: Clinic, patient: Patient) -> None:
    """From Tuesday 23 March, a day behind the one that is moved, to the first date that is ten days behind it."""
    sessions = maintenance(clinic, patient, [27, 49, 70])

    found = cascade(clinic, sessions[0], place(clinic, 48))

    assert moves_of(found) == {2: place(clinic, 58)}
    assert found is not None
    assert found.findings == ()


def maintenance(clinic: Clinic, patient: Patient, days: Sequence[int]) -> list[Session]:
    """Maintenance sessions of a course, after shifts were added so far ahead."""
    last = max(days) + 40
    Shift.objects.bulk_create(
        Shift(staff=doctor, site=clinic.site, during=DateTimeTZRange(local(one, "08:00"), local(one, "18:00")))
        for one in (MONDAY + timedelta(days=number) for number in range(56, last))
        if one.weekday() < 5
        for doctor in clinic.prescribers
    )
    course = CourseFactory.create(site=clinic.site, patient=patient, phase=PhaseChoice.MAINTENANCE, interval_days=21)
    change = booking.add_sessions(
        actor=clinic.desk, course=course, places=[place(clinic, one) for one in days], now=NOW
    )
    return list(change.sessions)


def test_a_taper_session_is_pushed_by_its_own_aim(patient: Patient) -> None:
    """Two on one date is a block; a gap under two days is a mere warning of the spray's protocol, and avoided."""
    clinic = make_clinic(weeks=10)
    spray = protocol("esketamine-trd-us")
    days = (0, 3, 7, 10, 14, 17, 21, 24)
    course = booking.book_course(
        actor=clinic.desk, patient=patient, protocol=spray, places=[place(clinic, one) for one in days], now=NOW
    ).course
    taper = booking.add_sessions(
        actor=clinic.desk, course=course, places=[place(clinic, one) for one in (31, 38, 45, 52)], now=NOW
    ).sessions

    found = cascade(clinic, taper[0], place(clinic, 38, "13:00"))

    assert [session.phase for session in taper] == ["taper"] * 4
    assert moves_of(found) == {2: place(clinic, 41)}


@pytest.mark.parametrize("seed", range(6))
def test_no_smaller_set_of_sessions_would_do(clinic: Clinic, patient: Patient, seed: int) -> None:
    """Held against every choice of open days for every smaller set of later sessions."""
    draw = random.Random(seed)  # noqa: S311 the same courses at every run
    open_days = [number for number in range(22) if day(number).weekday() < 5]
    days = [0]
    while len(days) < 6:
        days.append(draw.choice([number for number in open_days if number >= days[-1] + 2][:2]))
    sessions = book(clinic, patient, days)
    moved = draw.randrange(2, 5)
    target = draw.choice([number for number in open_days if days[moved] < number <= days[moved + 1]])
    found = cascade(clinic, sessions[moved], place(clinic, target, "10:00"))
    later = sessions[moved + 1 :]

    def possible(chosen: Sequence[Session]) -> bool:
        standing = judging.spots_of(judging.standing_of(patient.pk), sessions[0].course, by_id=True)
        leaving = {sessions[moved].pk, *(session.pk for session in chosen)}
        fixed = Spot(sessions[moved].pk, local(day(target), "10:00"))
        for goals in product([number for number in open_days if number > target], repeat=len(chosen)):
            spots = [Spot(one.pk, local(day(goal), "10:00")) for one, goal in zip(chosen, goals, strict=True)]
            new = judging.new_findings(
                protocol=sessions[0].course.protocol.protocol,
                zone=clinic.site.zone,
                standing=standing,
                spots=[fixed, *spots],
                leaving=leaving,
            )
            if worst(new) in (None, Level.WARN):
                return True
        return False

    sets = (chosen for size in range(len(later) + 1) for chosen in combinations(later, size))
    least = next((len(chosen) for chosen in sets if possible(chosen)), None)
    assert least == (0 if found is None else len(found.moves) or None)


def test_who_may_not_book_is_not_told_what_could_move(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)

    with pytest.raises(RoleRefused):
        moving.cascade(actor=clinic.nurse, session=sessions[3], place=place(clinic, 13), now=NOW)
    with pytest.raises(RoleRefused):
        moving.possible_starts(actor=clinic.nurse, session=sessions[3], first=day(0), last=day(1), now=NOW)


# Possible starts


def windows(clinic: Clinic, session: Session, first: int, last: int | None = None, **more: Any) -> tuple[Window, ...]:
    end = day(first if last is None else last)
    return moving.possible_starts(actor=clinic.desk, session=session, first=day(first), last=end, now=NOW, **more)


def shown(found: Sequence[Window], clinic: Clinic, chair: int) -> list[tuple[date, str, str, str | None]]:
    """The windows of a chair with their wall times."""
    zone = clinic.site.zone
    return [
        (
            window.date,
            f"{window.first.astimezone(zone):%H:%M}",
            f"{window.last.astimezone(zone):%H:%M}",
            window.level and window.level.value,
        )
        for window in found
        if window.chair == clinic.chairs[chair].pk
    ]


def test_the_own_time_is_free_and_another_visit_is_not(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    book(clinic, PatientFactory.create(), [0], clock="13:00")

    found = windows(clinic, sessions[0], 0)

    assert shown(found, clinic, 0) == [(day(0), "08:00", "09:40", None)]
    assert shown(found, clinic, 1) == [(day(0), "08:00", "14:40", None)]


def test_a_day_of_another_session_is_not_there_and_one_too_near_needs_an_override(
    clinic: Clinic, patient: Patient
) -> None:
    sessions = book(clinic, patient)

    found = windows(clinic, sessions[3], 6, 10)

    assert shown(found, clinic, 0) == [
        (day(6), "08:00", "14:40", "override"),
        (day(8), "08:00", "14:40", "override"),
        (day(9), "08:00", "14:40", None),
        (day(10), "08:00", "14:40", None),
    ]


def test_the_hours_of_the_gap_divide_a_long_day(patient: Patient) -> None:
    """Open from 6 to 24: 40 hours after a visit at 18:00 are over at 10:00 two days later."""
    clinic = long_days()
    sessions = book(clinic, patient, (0, 7), clock="18:00")

    found = windows(clinic, sessions[1], 2)

    assert shown(found, clinic, 0) == [(day(2), "06:00", "09:50", "override"), (day(2), "10:00", "20:30", None)]


def long_days() -> Clinic:
    clinic = make_clinic()
    OpeningHours.objects.filter(site=clinic.site).update(opens=time(6), closes=time(23, 59))
    for shift in Shift.objects.filter(site=clinic.site):
        lower = shift.during.lower - timedelta(hours=2)
        shift.during = type(shift.during)(lower, lower + timedelta(hours=18))
        shift.save(update_fields=["during"])
    return clinic


def test_every_window_says_what_the_move_says(patient: Patient) -> None:
    """Every hour of three days around another session, in a window or in none, tried as a dry move."""
    clinic = long_days()
    sessions = book(clinic, patient, (0, 2, 7, 9), clock="17:00")
    session = sessions[3]
    book(clinic, PatientFactory.create(), [9, 13], clock="10:00")
    found = windows(clinic, session, 8, 10)
    told = {}
    for window in found:
        at = window.first
        while at <= window.last:
            told[window.chair, at] = (window.level, window.prescriber)
            at += timedelta(minutes=10)

    starts = [local(day(one), "06:00") + timedelta(hours=hours) for one in (8, 9, 10) for hours in range(16)]
    said, moved = [], []
    for at in starts:
        level, prescriber = told.get((session.chair_id, at), (Level.BLOCK, session.prescriber_id))
        said.append(level)
        moved.append(dry_move(clinic, session, Place(at, session.chair_id, prescriber)))
    assert said == moved
    assert set(said) == {None, Level.OVERRIDE, Level.BLOCK}


def dry_move(clinic: Clinic, session: Session, where: Place) -> Level | None:
    """The worst that a move says; what is taken counts as blocked."""
    signed = Signature(clinic.prescriber, frozenset({"gap-min", "span-max"}), "Travels.")
    try:
        change = moving.move_session(
            actor=clinic.prescriber, session=session, place=where, override=signed, dry_run=True, now=NOW
        )
    except (booking.SlotTaken, RulesBroken):
        return Level.BLOCK
    return worst(change.findings)


def test_another_prescriber_takes_over_where_the_own_one_cannot(clinic: Clinic, patient: Patient) -> None:
    own, other = clinic.prescribers
    sessions = book(clinic, patient)
    Shift.objects.filter(staff=own, during__startswith__gt=local(day(9), "00:00")).filter(
        during__startswith__lt=local(day(9), "23:00")
    ).delete()

    any_prescriber = windows(clinic, sessions[3], 9)
    with_own = windows(clinic, sessions[3], 9, prescriber=own.pk)
    with_other = windows(clinic, sessions[3], 8, prescriber=other.pk)

    assert {window.prescriber for window in any_prescriber} == {other.pk}
    assert with_own == ()
    assert {window.prescriber for window in with_other} == {other.pk}


def test_what_is_past_closed_or_broken_is_not_offered(clinic: Clinic, patient: Patient) -> None:
    session = book(clinic, patient, [1])[0]
    ClosureFactory.create(site=clinic.site, day=day(2))
    ClosureFactory.create(site=clinic.site, day=day(1), chair=clinic.chairs[1])
    later = local(day(0), "10:05")

    found = moving.possible_starts(actor=clinic.desk, session=session, first=day(-2), last=day(5), now=later)

    assert shown(found, clinic, 1) == [(day(0), "10:40", "14:40", None), (day(3), "08:00", "14:40", None)]


def test_the_clock_change_keeps_the_offered_hours(patient: Patient) -> None:
    """A site that is open on Sundays: on 14 March 2027 there is no 02:30."""
    clinic = make_clinic()
    sunday = date(2027, 3, 14)
    OpeningHours.objects.create(site=clinic.site, weekday=6, opens=time(1), closes=time(9))
    during = DateTimeTZRange(local(sunday, "01:00"), local(sunday, "09:00"))
    Shift.objects.create(staff=clinic.prescriber, site=clinic.site, during=during)
    session = book(clinic, patient, [0])[0]

    found = moving.possible_starts(actor=clinic.desk, session=session, first=sunday, last=sunday, now=NOW)

    (window,) = (window for window in found if window.chair == clinic.chairs[0].pk)
    assert (window.first, window.last) == (local(sunday, "01:00"), local(sunday, "05:40"))
    assert window.last - window.first == timedelta(hours=3, minutes=40)


@pytest.mark.parametrize(("first", "last"), [(3, 2), (0, 42)])
def test_a_span_is_no_longer_than_a_look(clinic: Clinic, patient: Patient, first: int, last: int) -> None:
    sessions = book(clinic, patient)

    with pytest.raises(Invalid):
        windows(clinic, sessions[0], first, last)


def test_what_has_begun_or_was_cancelled_goes_nowhere(clinic: Clinic, patient: Patient) -> None:
    sessions = book(clinic, patient)
    cancelled = cancelling.cancel_session(actor=clinic.desk, session=sessions[0], reason="Ill", now=NOW).sessions[0]
    ended = CourseFactory.create(site=clinic.site, state=CourseState.STOPPED)
    left = SessionFactory.create(
        course=ended,
        chair=clinic.chairs[3],
        prescriber=clinic.prescriber,
        state=SessionState.BOOKED,
        starts_at=local(day(0)),
    )

    with pytest.raises(Stale):
        windows(clinic, cancelled, 0)
    assert windows(clinic, left, 0) == ()


@pytest.mark.django_db(transaction=True)
def test_a_week_takes_as_many_queries_as_a_day_and_little_time(clinic: Clinic, patient: Patient) -> None:
    session = Session.objects.select_related("course__site", "course__protocol").get(pk=book(clinic, patient)[3].pk)

    def cost(last: int) -> tuple[int, float]:
        with CaptureQueriesContext(connection) as counted:
            began = perf_counter()
            found = windows(clinic, session, 6, last)
            took = perf_counter() - began
        assert found != ()
        return len(counted), took

    cost(12)
    (a_day, _), (a_week, took) = cost(6), cost(12)
    assert a_day <= a_week == 10
    assert took < 0.5  # aimed at: 0.05 on a quiet machine
