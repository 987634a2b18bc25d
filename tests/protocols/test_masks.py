"""A site's date as bit masks: from intervals to cells, and from cells to starts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.protocols.library import ESKETAMINE, STANDARD
from scheduling.protocols.masks import (
    CELL,
    LANE,
    REGULAR,
    Clock,
    DayMask,
    Needs,
    OnShift,
    build_day,
    cells_full,
    cells_touched,
    cells_within,
    local_day,
    pack,
    runs,
    unpack,
)
from scheduling.protocols.types import VisitShape
from scheduling.protocols.windows import instants

NEW_YORK = ZoneInfo("America/New_York")
DAY = date(2025, 6, 2)
MIDNIGHT = datetime(2025, 6, 2, tzinfo=UTC)

ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "UTC",
            "America/New_York",
            "America/Havana",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "Antarctica/Troll",
        )
    ]
)
DATES = st.dates(date(2015, 1, 1), date(2035, 12, 31))


def at(minutes: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=minutes)


def bits(mask: int) -> list[int]:
    return [cell for cell in range(mask.bit_length()) if mask >> cell & 1]


def day_with(*taken: tuple[int, int], chairs: int = 1, opens: int = 480, closes: int = 1080) -> DayMask:
    """A date in UTC, open from 8:00 to 18:00 with one prescriber throughout; chair 0 is taken at these minutes."""
    return build_day(
        day=DAY,
        zone=UTC,
        opened=[(at(opens), at(closes))],
        chairs={0: [(at(start), at(end)) for start, end in taken], **{chair: [] for chair in range(1, chairs)}},
        shifts=[OnShift(7, at(opens), at(closes), 1)],
        care={},
    )


MINUTES = st.lists(st.tuples(st.integers(-300, 1800), st.integers(-300, 1800)), max_size=6)


@given(MINUTES)
def test_a_cell_is_free_only_if_all_of_its_minutes_are_in_the_union(spells: list[tuple[int, int]]) -> None:
    inside = {minute for start, end in spells for minute in range(start, end)}
    free = [cell for cell in range(144) if inside.issuperset(range(10 * cell, 10 * cell + 10))]
    assert bits(cells_within(MIDNIGHT, 144, [(at(start), at(end)) for start, end in spells])) == free


@given(MINUTES)
def test_a_cell_is_taken_if_any_of_its_minutes_is(spells: list[tuple[int, int]]) -> None:
    inside = {minute for start, end in spells for minute in range(start, end)}
    taken = [cell for cell in range(144) if not inside.isdisjoint(range(10 * cell, 10 * cell + 10))]
    assert bits(cells_touched(MIDNIGHT, 144, [(at(start), at(end)) for start, end in spells])) == taken


@given(MINUTES, st.integers(0, 4))
def test_a_cell_is_full_if_at_any_of_its_minutes_the_limit_is_reached(
    spells: list[tuple[int, int]], limit: int
) -> None:
    def running(minute: int) -> int:
        return sum(start <= minute < end for start, end in spells)

    full = [cell for cell in range(144) if any(running(10 * cell + minute) >= limit for minute in range(10))]
    assert bits(cells_full(MIDNIGHT, 144, [(at(start), at(end)) for start, end in spells], limit)) == full


@given(st.integers(0, (1 << 150) - 1), st.integers(1, 24))
def test_a_run_begins_where_that_many_cells_in_a_row_are_set(mask: int, length: int) -> None:
    assert bits(runs(mask, length)) == [
        cell for cell in range(150) if all(mask >> later & 1 for later in range(cell, cell + length))
    ]


@given(st.lists(st.integers(0, (1 << (LANE - 1)) - 1), max_size=45))
def test_lanes_are_taken_apart_as_they_were_put_together(lanes: list[int]) -> None:
    assert unpack(pack(lanes), len(lanes)) == lanes


@pytest.mark.parametrize(
    ("zone", "day", "clock"),
    [
        ("UTC", date(2025, 3, 9), REGULAR),
        ("America/New_York", date(2025, 3, 9), Clock(138, 12, 6)),
        ("America/New_York", date(2025, 11, 2), Clock(150, 12, -6)),
        ("Australia/Lord_Howe", date(2025, 10, 5), Clock(141, 12, 3)),
        ("Australia/Lord_Howe", date(2025, 4, 6), Clock(147, 12, -3)),
        ("America/Havana", date(2025, 3, 9), Clock(138, 0, 6)),
        ("America/Havana", date(2025, 11, 2), Clock(150, 6, -6)),
        ("America/Sao_Paulo", date(2018, 2, 17), Clock(150, 144, -6)),
        ("Pacific/Apia", date(2011, 12, 30), Clock(0)),
    ],
)
def test_a_date_has_as_many_cells_as_its_clock_has_time_for(zone: str, day: date, clock: Clock) -> None:
    assert local_day(day, ZoneInfo(zone))[1] == clock


@given(ZONES, DATES)
def test_every_cell_shows_the_local_time_of_its_instant(zone: ZoneInfo, day: date) -> None:
    origin, clock = local_day(day, zone)
    local = [(origin + CELL * cell).astimezone(zone) for cell in range(clock.cells)]
    assert {at.date() for at in local} == {day}
    assert [clock.wall(cell) for cell in range(clock.cells)] == [at.hour * 6 + at.minute // 10 for at in local]


@given(ZONES, DATES, st.integers(0, 143))
def test_an_hour_of_the_clock_is_in_the_cells_of_its_instants(zone: ZoneInfo, day: date, wall: int) -> None:
    origin, clock = local_day(day, zone)
    shown = instants(day, time(wall // 6, wall % 6 * 10), zone)
    assert [origin + CELL * cell for cell in bits(clock.to_cells(1 << wall))] == list(shown)
    assert clock.to_wall(clock.to_cells(1 << wall)) == (1 << wall if shown else 0)


def test_a_visit_needs_the_chair_throughout_and_the_prescriber_from_dose_to_discharge() -> None:
    assert Needs.of(STANDARD.visit) == Needs(chair=20, dose=3, care=16)
    assert Needs.of(ESKETAMINE.visit) == Needs(chair=16, dose=2, care=13)


def test_phases_between_two_cells_take_whole_cells() -> None:
    assert Needs.of(VisitShape(prepare=25, give=40, monitor=120, turn_over=10)) == Needs(chair=20, dose=2, care=17)


def test_the_last_start_lets_turn_over_end_with_the_opening_hours() -> None:
    starts = bits(day_with().starts(Needs.of(STANDARD.visit)).any)
    assert (starts[0], starts[-1]) == (480 // 10, (1080 - 200) // 10)


def test_a_chair_is_free_between_two_visits_only_for_one_that_fits() -> None:
    day = day_with((480, 680), (880, 1080))
    assert bits(day.starts(Needs.of(STANDARD.visit)).any) == [68]
    assert bits(day.starts(Needs.of(ESKETAMINE.visit)).any) == [68, 69, 70, 71, 72]


def test_a_prescriber_is_needed_only_from_dose_to_discharge() -> None:
    day = build_day(
        day=DAY,
        zone=UTC,
        opened=[(at(0), at(1440))],
        chairs={0: []},
        shifts=[OnShift(7, at(510), at(670), 1)],
        care={},
    )
    assert bits(day.starts(Needs.of(STANDARD.visit)).any) == [48]


def test_a_prescriber_at_the_limit_takes_nobody_else_and_one_below_it_does() -> None:
    care = {7: [(at(600), at(700)), (at(650), at(750))], 8: [(at(600), at(700))]}
    day = build_day(
        day=DAY,
        zone=UTC,
        opened=[(at(480), at(1080))],
        chairs={0: []},
        shifts=[OnShift(7, at(480), at(1080), 2), OnShift(8, at(480), at(1080), 2)],
        care=care,
    )
    starts = day.starts(Needs.of(STANDARD.visit)).prescribers
    assert bits(starts[7]) == list(range(67, 89))
    assert bits(starts[8]) == list(range(48, 89))
    assert day.load == {7: 2, 8: 1}


def test_each_shift_of_a_prescriber_has_its_own_limit() -> None:
    day = build_day(
        day=DAY,
        zone=UTC,
        opened=[(at(480), at(1080))],
        chairs={0: []},
        shifts=[OnShift(7, at(780), at(1080), 2), OnShift(7, at(480), at(780), 1)],
        care={7: [(at(500), at(900))]},
    )
    assert bits(unpack(day.care, 1)[0]) == [48, 49, *range(78, 108)]


def test_starts_are_worked_out_once_for_a_shape() -> None:
    day = day_with()
    needs = Needs.of(STANDARD.visit)
    assert day.starts(needs) is day.starts(needs)


def test_a_visit_takes_the_chair_in_which_it_leaves_no_gap() -> None:
    day = build_day(
        day=DAY,
        zone=UTC,
        opened=[(at(480), at(1080))],
        chairs={5: [], 6: [(at(480), at(600))], 7: [(at(480), at(600)), (at(800), at(1080))], 8: []},
        shifts=[OnShift(1, at(480), at(1080), 4)],
        care={},
    )
    needs = Needs.of(STANDARD.visit)
    assert day.chair_at(needs, 60) == 7
    assert day.chair_at(needs, 61) == 5
    assert day.chair_at(needs, 61, prefer=8) == 8
    assert day.chair_at(needs, 60, prefer=5) == 7
    assert day.chair_at(needs, 48) == 5
    assert day.chair_at(needs, 61, prefer=99) == 5


def test_no_chair_is_given_where_none_is_free() -> None:
    with pytest.raises(ValueError, match="no chair is free from cell 60 of 2025-06-02"):
        day_with((600, 700)).chair_at(Needs.of(STANDARD.visit), 60)


def test_a_visit_does_not_run_past_local_midnight() -> None:
    day = day_with(opens=0, closes=2880)
    assert bits(day.starts(Needs.of(STANDARD.visit)).any)[-1] == 124


@given(st.lists(st.integers(0, (1 << 144) - 1), min_size=1, max_size=5), st.integers(0, (1 << 144) - 1))
def test_starts_are_those_of_any_chair_beside_any_prescriber(chairs: list[int], care: int) -> None:
    lanes = tuple(range(len(chairs)))
    day = DayMask(DAY, MIDNIGHT, REGULAR, (1 << 144) - 1, lanes, pack(chairs), (7,), pack([care]))
    needs = Needs(chair=5, dose=1, care=3)
    expected = [
        cell for cell in range(144) if any(chair >> cell & 31 == 31 for chair in chairs) and care >> (cell + 1) & 7 == 7
    ]
    assert bits(day.starts(needs).any) == expected
    for cell in expected:
        assert chairs[day.chair_at(needs, cell)] >> cell & 31 == 31
