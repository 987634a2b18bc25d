from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.protocols.windows import NoSuchTime, day_bounds, instant, instants, intersect, merge, subtract

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("intervals", "merged"),
    [
        ([], []),
        ([(1, 1), (3, 2)], []),
        ([(4, 6), (1, 2)], [(1, 2), (4, 6)]),
        ([(1, 2), (2, 3)], [(1, 3)]),
        ([(1, 9), (2, 3), (8, 10)], [(1, 10)]),
    ],
)
def test_a_union_is_ordered_and_touching_intervals_become_one(
    intervals: list[tuple[int, int]], merged: list[tuple[int, int]]
) -> None:
    assert merge(intervals) == merged


@pytest.mark.parametrize(
    ("some", "others", "shared", "left"),
    [
        ([(0, 10)], [], [], [(0, 10)]),
        ([(0, 10)], [(2, 4), (6, 8)], [(2, 4), (6, 8)], [(0, 2), (4, 6), (8, 10)]),
        ([(0, 10)], [(10, 12)], [], [(0, 10)]),
        ([(0, 10)], [(-5, 15)], [(0, 10)], []),
        ([(0, 3), (5, 8)], [(2, 6)], [(2, 3), (5, 6)], [(0, 2), (6, 8)]),
        ([(0, 10)], [(0, 4), (4, 10)], [(0, 10)], []),
    ],
)
def test_what_two_unions_share_and_what_one_leaves_of_the_other(
    some: list[tuple[int, int]],
    others: list[tuple[int, int]],
    shared: list[tuple[int, int]],
    left: list[tuple[int, int]],
) -> None:
    assert intersect(some, others) == shared
    assert subtract(some, others) == left


INTERVALS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


def points(intervals: list[tuple[int, int]]) -> set[int]:
    return {point for start, end in intervals for point in range(start, end)}


@settings(deadline=None)
@given(some=INTERVALS, others=INTERVALS)
def test_intervals_behave_as_the_sets_of_their_points(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    assert points(merge(some)) == points(some)
    assert points(intersect(some, others)) == points(some) & points(others)
    assert points(subtract(some, others)) == points(some) - points(others)
    for found in (merge(some), intersect(some, others), subtract(some, others)):
        assert found == merge(found)


@pytest.mark.parametrize(
    ("day", "zone", "start", "hours"),
    [
        (date(2026, 6, 1), "America/New_York", datetime(2026, 6, 1, 4, tzinfo=UTC), 24),
        (date(2026, 3, 8), "America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
        (date(2026, 11, 1), "America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
        (date(2026, 10, 4), "Australia/Lord_Howe", datetime(2026, 10, 3, 13, 30, tzinfo=UTC), 23.5),
        # Midnight itself is skipped, and shown twice.
        (date(2026, 3, 8), "America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
        (date(2026, 11, 1), "America/Havana", datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
        # The zone crossed the date line and had no such date.
        (date(2011, 12, 30), "Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC), 0),
    ],
)
def test_a_local_date_is_as_long_as_its_clocks_make_it(day: date, zone: str, start: datetime, hours: float) -> None:
    assert day_bounds(day, ZoneInfo(zone)) == (start, start + timedelta(hours=hours))


@settings(deadline=None)
@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    zone=st.sampled_from(["America/New_York", "America/Havana", "Asia/Beirut", "Pacific/Chatham", "Europe/Berlin"]),
)
def test_every_moment_lies_in_the_bounds_of_its_local_date(moment: datetime, zone: str) -> None:
    start, end = day_bounds(moment.astimezone(ZoneInfo(zone)).date(), ZoneInfo(zone))
    assert start <= moment < end


def test_a_local_time_is_one_instant_on_most_days() -> None:
    assert instants(date(2026, 6, 1), time(1, 30), NEW_YORK) == (datetime(2026, 6, 1, 5, 30, tzinfo=UTC),)
    assert instant(date(2026, 6, 1), time(1, 30), NEW_YORK, fold=1) == datetime(2026, 6, 1, 5, 30, tzinfo=UTC)


def test_a_time_in_the_spring_gap_is_refused() -> None:
    assert instants(date(2026, 3, 8), time(2, 30), NEW_YORK) == ()
    with pytest.raises(NoSuchTime, match=r"^2026-03-08 02:30 does not exist in America/New_York: the clocks skip it$"):
        instant(date(2026, 3, 8), time(2, 30), NEW_YORK)
    with pytest.raises(NoSuchTime):
        instant(date(2026, 3, 8), time(2, 0), NEW_YORK, fold=1)
    assert instant(date(2026, 3, 8), time(3, 0), NEW_YORK) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_both_instants_of_the_autumn_fold_can_be_chosen() -> None:
    first, second = datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert instants(date(2026, 11, 1), time(1, 30), NEW_YORK) == (first, second)
    assert instants(date(2026, 11, 1), time(1, 30, fold=1), NEW_YORK) == (first, second)
    assert instant(date(2026, 11, 1), time(1, 30), NEW_YORK) == first
    assert instant(date(2026, 11, 1), time(1, 30), NEW_YORK, fold=1) == second
