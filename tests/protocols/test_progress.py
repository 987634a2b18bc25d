from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.protocols.library import ESKETAMINE, STANDARD, builtin
from scheduling.protocols.progress import (
    default_interval,
    first_owed_month,
    maintenance_dates,
    maintenance_from,
    next_phase,
    remaining_initial,
    taper_dates,
)
from scheduling.protocols.spacing import judge
from scheduling.protocols.types import Phase, Protocol, Spot

INITIAL, TAPER, MAINTENANCE = Phase


def days_after(first: date, *days: int) -> tuple[date, ...]:
    return tuple(first + timedelta(days=day) for day in days)


@pytest.mark.parametrize(("counted", "remaining"), [(0, 6), (4, 2), (6, 0), (7, 0)])
def test_the_plan_owes_what_does_not_count_yet(counted: int, remaining: int) -> None:
    assert remaining_initial(STANDARD, counted) == remaining


@pytest.mark.parametrize(
    ("protocol", "initial", "taper", "decided", "phase"),
    [
        (STANDARD, 0, 0, False, INITIAL),
        (STANDARD, 5, 0, False, INITIAL),
        (STANDARD, 6, 0, False, None),
        (STANDARD, 6, 0, True, MAINTENANCE),
        (STANDARD, 4, 0, True, MAINTENANCE),
        (ESKETAMINE, 7, 0, False, INITIAL),
        (ESKETAMINE, 8, 0, False, TAPER),
        (ESKETAMINE, 8, 3, False, TAPER),
        (ESKETAMINE, 8, 4, False, None),
        (ESKETAMINE, 8, 4, True, MAINTENANCE),
    ],
)
def test_the_next_phase_follows_from_what_counts_and_maintenance_from_a_decision(
    protocol: Protocol, initial: int, taper: int, decided: bool, phase: Phase | None
) -> None:
    assert next_phase(protocol, initial=initial, taper=taper, decided=decided) == phase


MONDAY = date(2026, 6, 1)


def test_the_taper_is_weekly_in_weeks_5_to_8() -> None:
    last = MONDAY + timedelta(days=24)
    assert taper_dates(ESKETAMINE, first=MONDAY, last=last) == days_after(MONDAY, 28, 35, 42, 49)
    assert [(day - MONDAY).days // 7 + 1 for day in taper_dates(ESKETAMINE, first=MONDAY, last=last)] == [5, 6, 7, 8]


@pytest.mark.parametrize(
    ("last", "counted", "days"),
    [
        (28, 0, (30, 37, 44, 51)),
        (28, 1, (35, 42, 49)),
        (31, 1, (38, 45, 52)),
        (49, 4, ()),
    ],
)
def test_a_late_session_moves_the_rest_of_the_taper(last: int, counted: int, days: tuple[int, ...]) -> None:
    assert taper_dates(ESKETAMINE, first=MONDAY, last=MONDAY + timedelta(days=last), counted=counted) == days_after(
        MONDAY, *days
    )


def test_a_protocol_without_a_taper_has_no_taper_dates() -> None:
    assert taper_dates(STANDARD, first=MONDAY, last=MONDAY) == ()


def test_maintenance_begins_with_week_9_after_a_taper_and_at_any_time_without() -> None:
    assert maintenance_from(ESKETAMINE, first=MONDAY) == MONDAY + timedelta(days=56)
    assert maintenance_from(STANDARD, first=MONDAY) == MONDAY


def test_without_a_clinicians_interval_whole_weeks_near_the_middle_are_aimed_at() -> None:
    assert [default_interval(protocol) for protocol in builtin()] == [21, 21, 21, 14]


@pytest.mark.parametrize(
    ("protocol", "last", "earliest", "interval", "expected"),
    [
        (STANDARD, MONDAY, MONDAY, None, days_after(MONDAY, 21, 42, 63, 84)),
        (STANDARD, MONDAY, MONDAY, 21, days_after(MONDAY, 21, 42, 63, 84)),
        (STANDARD, MONDAY, MONDAY, 40, days_after(MONDAY, 40, 80)),
        (STANDARD, MONDAY, MONDAY, 120, ()),
        (ESKETAMINE, MONDAY, MONDAY, None, days_after(MONDAY, 14, 28, 42, 56, 70, 84)),
        (ESKETAMINE, MONDAY, MONDAY, 7, days_after(MONDAY, *range(7, 92, 7))),
        # Overdue: from the earliest date on.
        (STANDARD, date(2026, 3, 2), MONDAY, 28, days_after(MONDAY, 0, 28, 56, 84)),
        # 14 days would give a third session in August: it goes to the first of September.
        (STANDARD, date(2026, 7, 18), date(2026, 7, 20), 14, days_after(date(2026, 8, 1), 0, 14, 31, 45, 61, 75)),
    ],
)
def test_maintenance_is_aimed_at_for_three_months_at_the_interval(
    protocol: Protocol, last: date, earliest: date, interval: int | None, expected: tuple[date, ...]
) -> None:
    assert maintenance_dates(protocol, last=last, earliest=earliest, interval=interval) == expected


def test_maintenance_sessions_that_stand_count_in_their_month() -> None:
    standing = (date(2026, 6, 3), date(2026, 6, 15))
    assert maintenance_dates(STANDARD, last=standing[-1], earliest=date(2026, 6, 16), interval=14, standing=standing)[
        :2
    ] == (date(2026, 7, 1), date(2026, 7, 15))


@pytest.mark.parametrize("interval", [0, -7])
def test_an_interval_under_a_day_is_refused(interval: int) -> None:
    with pytest.raises(ValueError, match=r"^interval: at least one day$"):
        maintenance_dates(STANDARD, last=MONDAY, earliest=MONDAY, interval=interval)


@settings(deadline=None)
@given(
    protocol=st.sampled_from(builtin()),
    last=st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    waited=st.integers(0, 200),
    interval=st.one_of(st.none(), st.integers(10, 60)),
)
def test_aimed_maintenance_breaks_no_rule_above_a_warning(
    protocol: Protocol, last: date, waited: int, interval: int | None
) -> None:
    earliest = last + timedelta(days=waited)
    dates = maintenance_dates(protocol, last=last, earliest=earliest, interval=interval)
    sessions = [
        Spot(ref, datetime.combine(day, time(12), UTC), MAINTENANCE, number=ref) for ref, day in enumerate(dates)
    ]
    assert {finding.rule for finding in judge(protocol=protocol, sessions=sessions, zone=UTC)} <= {"month-gap"}


@pytest.mark.parametrize(
    ("ended_on", "month"),
    [
        (date(2026, 1, 31), date(2026, 2, 1)),
        (date(2026, 2, 1), date(2026, 3, 1)),
        (date(2026, 12, 15), date(2027, 1, 1)),
    ],
)
def test_the_first_month_that_owes_a_session_is_the_first_full_one(ended_on: date, month: date) -> None:
    assert first_owed_month(ended_on) == month
