"""Plans for courses, by example; that they are exact optima is in `test_planning_exact`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from itertools import pairwise

import pytest

from scheduling.protocols.library import ESKETAMINE, FLEX, INTENSIVE, STANDARD
from scheduling.protocols.masks import DayMask
from scheduling.protocols.types import NoPlan, Spot, Wishes
from tests.protocols.planning_sites import (
    EVERY_DAY,
    MAINTENANCE,
    MONDAY,
    NEW_YORK,
    TAPER,
    WORKING,
    clocks,
    instant,
    none,
    numbers,
    plan,
    plans,
    site,
    standing,
)

# Days


def test_soonest_takes_every_second_working_day() -> None:
    assert numbers(plan(site())) == [0, 2, 4, 7, 9, 11]


def test_even_keeps_the_protocols_pattern() -> None:
    assert numbers(plan(site(), label="even")) == [0, 3, 7, 10, 14, 17]


def test_even_begins_later_rather_than_with_uneven_gaps() -> None:
    thursday = site(MONDAY + timedelta(days=3))
    assert numbers(plan(thursday, label="even"), MONDAY) == [4, 7, 11, 14, 18, 21]


def test_wishes_come_first_and_the_pattern_next() -> None:
    wishes = Wishes(weekdays=frozenset({1, 3}))
    found = plan(site(), label="wishes", wishes=wishes)
    assert numbers(found) == [1, 3, 8, 10, 15, 17]
    assert [row.meets_wishes for row in found.sessions] == [True] * 6


def test_sessions_that_cannot_meet_the_wishes_say_so() -> None:
    found = plan(site(), label="wishes", wishes=Wishes(weekdays=frozenset({0})))
    assert numbers(found) == [0, 3, 7, 10, 14, 21]
    assert [row.meets_wishes for row in found.sessions] == [True, False, True, False, True, True]


def test_soonest_is_as_soon_whatever_is_wished() -> None:
    found = plan(site(), wishes=Wishes(weekdays=frozenset({0})))
    assert numbers(found) == [0, 2, 4, 7, 9, 11]
    assert [row.meets_wishes for row in found.sessions] == [True, False, False, True, False, False]


def test_plans_are_labelled_and_wishes_come_first() -> None:
    found = plans(site(), wishes=Wishes(weekdays=frozenset({1, 3})))
    assert isinstance(found, tuple)
    assert [one.label for one in found] == ["wishes", "soonest", "even"]


def test_without_wishes_there_are_two_labels() -> None:
    found = plans(site())
    assert isinstance(found, tuple)
    assert [one.label for one in found] == ["soonest", "even"]


def test_identical_plans_are_given_once() -> None:
    found = plans(site(), INTENSIVE)
    assert isinstance(found, tuple)
    assert [one.label for one in found] == ["soonest"]
    found = plans(site(), INTENSIVE, wishes=Wishes(weekdays=WORKING))
    assert isinstance(found, tuple)
    assert [one.label for one in found] == ["wishes"]


def test_dates_on_which_the_patient_cannot_come_are_never_used() -> None:
    away = frozenset({MONDAY, MONDAY + timedelta(days=7)})
    assert numbers(plan(site(), wishes=Wishes(except_dates=away))) == [1, 4, 8, 10, 14, 16]


def test_nothing_is_planned_before_now_or_before_the_first_date() -> None:
    found = plan(site(), now=instant(MONDAY, 14))
    assert (numbers(found)[0], clocks(found)[0]) == (0, "14:10")
    found = plan(site(), now=instant(MONDAY, 14.99))
    assert numbers(found)[0] == 1
    assert numbers(plan(site(), earliest=MONDAY + timedelta(days=8)))[0] == 8


def test_a_warning_is_avoided_where_another_day_does() -> None:
    closed = [MONDAY + timedelta(days=day) for day in range(5, 13)]
    assert numbers(plan(site(closed=closed))) == [14, 16, 18, 21, 23, 25]


def test_a_warning_is_accepted_where_nothing_avoids_it() -> None:
    closed = [MONDAY + timedelta(days=day) for day in range(5, 13)]
    days = site(closed=closed)
    found = plan(days, count=3, standing=standing(0, 2, 4), earliest=MONDAY + timedelta(days=5))
    assert numbers(found) == [14, 16, 18]


def test_a_phase_of_a_few_sessions_is_not_over_in_a_week() -> None:
    assert numbers(plan(site(weekdays=EVERY_DAY), count=4)) == [0, 2, 5, 7]
    assert numbers(plan(site(), FLEX)) == [0, 2, 4, 7, 10, 14]


def test_a_gap_that_is_a_mere_warning_is_broken_only_where_nothing_keeps_it() -> None:
    assert numbers(plan(site(weekdays={0, 1, 3}), ESKETAMINE)) == [0, 3, 7, 10, 14, 17, 21, 24]
    together = plan(site(weekdays={0, 1}), ESKETAMINE)
    assert numbers(together) == [0, 1, 7, 8, 14, 15, 21, 22]


def test_without_protocol_gaps_one_session_a_day_remains() -> None:
    limits = {rule: limit for rule, limit in STANDARD.limits.items() if rule not in ("gap-min", "span-min")}
    assert numbers(plan(site(), replace(STANDARD, limits=limits))) == [0, 1, 2, 3, 4, 7]


# Hours, prescribers and chairs


def test_all_sessions_are_at_the_same_earliest_hour() -> None:
    assert clocks(plan(site())) == ["08:00"] * 6


def test_a_course_keeps_to_one_hour_of_the_clock_when_the_clocks_change() -> None:
    found = plan(site(date(2025, 3, 3), weekdays={0, 2, 4, 6}))
    assert clocks(found) == ["08:00"] * 6
    starts = [row.place.starts_at for row in found.sessions]
    assert [(later - earlier) / timedelta(hours=1) for earlier, later in pairwise(starts)] == [48, 48, 47, 72, 48]


def test_starts_are_offered_at_the_sites_step() -> None:
    found = plan(site(hours=((8.25, 18),)), step=30)
    assert clocks(found) == ["08:30"] * 6
    assert [f"{other.starts_at.astimezone(NEW_YORK):%H:%M}" for other in found.sessions[0].alternatives] == [
        "09:00",
        "09:30",
    ]


def test_both_hours_of_the_autumn_night_are_told_apart() -> None:
    night = date(2025, 11, 2)
    days = site(night, 1, weekdays=EVERY_DAY, hours=((0, 24),), free={night: ((1.5, 4.5),)})
    row = plan(days, ESKETAMINE, count=1).sessions[0]
    assert [place.starts_at.astimezone(NEW_YORK).isoformat() for place in (row.place, *row.alternatives)] == [
        "2025-11-02T01:00:00-05:00",
        "2025-11-02T01:10:00-05:00",
        "2025-11-02T01:50:00-04:00",
    ]


def test_an_hour_that_the_clocks_skip_is_never_planned() -> None:
    gap = date(2025, 3, 9)
    days = site(gap, 1, weekdays=EVERY_DAY, hours=((0, 24),), free={gap: ((1.5, 7),)})
    found = plan(days, ESKETAMINE, count=1, step=30, wishes=Wishes(not_before=time(2)), label="wishes")
    assert clocks(found) == ["03:00"]


def test_wished_hours_bound_the_start_and_the_way_home() -> None:
    found = plan(site(), label="wishes", wishes=Wishes(not_before=time(9, 15)))
    assert clocks(found) == ["09:20"] * 6
    found = plan(site(hours=((12, 20),)), label="wishes", wishes=Wishes(home_by=time(15, 30)))
    assert clocks(found) == ["12:00"] * 6
    assert [row.meets_wishes for row in found.sessions] == [True] * 6
    found = plan(site(hours=((12, 20),)), label="wishes", wishes=Wishes(home_by=time(15)))
    assert [row.meets_wishes for row in found.sessions] == [False] * 6
    found = plan(site(hours=((12, 20),)), label="wishes", wishes=Wishes(not_after=time(11)))
    assert [row.meets_wishes for row in found.sessions] == [False] * 6


def test_one_prescriber_accompanies_most_of_the_course() -> None:
    shifts = {7: (((8, 14),), 1), 8: (((8, 18),), 1), 9: (((13, 18),), 1)}
    assert {row.place.prescriber for row in plan(site(shifts=shifts, load={8: 5})).sessions} == {7}


def test_the_usual_prescriber_is_preferred_and_then_the_least_loaded() -> None:
    shifts = dict.fromkeys((7, 8, 9), (((8, 18),), 9))
    load = {7: 3, 8: 1, 9: 2}
    assert {row.place.prescriber for row in plan(site(shifts=shifts, load=load)).sessions} == {8}
    assert {row.place.prescriber for row in plan(site(shifts=shifts, load=load), usual=7).sessions} == {7}


def test_sessions_that_stand_draw_new_ones_to_their_hour() -> None:
    found = plan(site(), count=3, standing=standing(0, 3, 7, hour=11), earliest=MONDAY + timedelta(days=8))
    assert clocks(found) == ["11:00"] * 3


def test_a_course_stays_on_its_chair_where_no_other_fits_better() -> None:
    assert {row.place.chair for row in plan(site(chairs=(4, 5, 6))).sessions} == {4}


def test_the_hours_of_the_gap_bind_on_long_days() -> None:
    free = {MONDAY: ((20, 24),), MONDAY + timedelta(days=2): ((6, 10),), MONDAY + timedelta(days=3): ((6, 10),)}
    found = plan(site(hours=((0, 24),), free=free), count=2)
    assert (numbers(found), clocks(found)) == ([0, 3], ["20:00", "06:40"])
    free[MONDAY + timedelta(days=2)] = ((10, 16),)
    found = plan(site(hours=((0, 24),), free=free), count=2)
    assert (numbers(found), clocks(found)) == ([0, 2], ["20:00", "12:40"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (date(2025, 3, 8), 10),  # 47 hours lie between the same hours of the clock
        (date(2025, 6, 7), 9),
        (date(2025, 11, 1), 8),  # 49 hours
    ],
)
def test_forty_hours_are_counted_across_a_change_of_the_clocks(first: date, second: int) -> None:
    def two_days(last_start: float) -> list[DayMask]:
        free = {first: ((17, 21),), first + timedelta(days=2): ((6, last_start + 10 / 3),)}
        return site(first, 4, weekdays=EVERY_DAY, hours=((0, 24),), free=free)

    found = plan(two_days(second), count=2)
    assert clocks(found) == ["17:00", f"{second:02}:00"]
    assert found.sessions[1].place.starts_at - found.sessions[0].place.starts_at == timedelta(hours=40)
    assert isinstance(plans(two_days(second - 1 / 6), count=2), NoPlan)


# Alternatives


def test_alternatives_are_the_nearest_starts_of_the_same_day() -> None:
    found = plan(site(), label="wishes", wishes=Wishes(not_before=time(10)))
    assert [
        [f"{other.starts_at.astimezone(NEW_YORK):%d %H:%M}" for other in row.alternatives] for row in found.sessions[:2]
    ] == [["02 10:10", "02 09:50"], ["05 10:10", "05 09:50"]]


def test_alternatives_lie_on_other_days_where_the_day_has_no_more() -> None:
    found = plan(site(hours=((8, 11 + 20 / 60),)), label="even")
    assert [
        [(other.starts_at.astimezone(NEW_YORK).date() - MONDAY).days for other in row.alternatives]
        for row in found.sessions
    ] == [[1, 21], [4, 2], [8, 21], [11, 9], [15, 21], [18, 16]]


def test_there_are_no_alternatives_where_nothing_else_keeps_the_rules() -> None:
    free = {MONDAY + timedelta(days=day): ((8, 11 + 20 / 60),) for day in (0, 3)}
    found = plan(site(free=free), count=2)
    assert [row.alternatives for row in found.sessions] == [(), ()]


# Sessions that stand


def test_make_ups_lie_between_sessions_that_stand_and_are_numbered_by_time() -> None:
    found = plan(site(), count=2, standing=standing(0, 3, 14, 17), label="even", earliest=MONDAY + timedelta(days=4))
    assert numbers(found) == [7, 10]
    assert [row.number for row in found.sessions] == [3, 4]


def test_the_span_counts_from_the_first_session_that_stands() -> None:
    days = site(weekdays=EVERY_DAY)
    found = plan(days, count=2, standing=standing(0, 3, 7, 10), earliest=MONDAY + timedelta(days=19))
    assert numbers(found) == [19, 21]
    refused = none(days, count=2, standing=standing(0, 3, 7, 10), earliest=MONDAY + timedelta(days=20))
    assert (refused.limit, refused.first_possible) == ("span-max", None)


def test_a_session_before_those_that_stand_leaves_none_outside_the_span() -> None:
    days = site(count=3)
    assert numbers(plan(days, count=1, standing=standing(10, 12, 23))) == [2]
    assert none(days[:2], count=1, standing=standing(10, 12, 23)).limit == "span-max"


def test_sessions_of_other_phases_and_courses_are_only_kept_away_from() -> None:
    found = plan(site(), standing=standing(1, phase=MAINTENANCE, counts=False))
    assert numbers(found) == [3, 7, 9, 11, 14, 16]
    assert [row.number for row in found.sessions] == [1, 2, 3, 4, 5, 6]


def test_rows_of_a_plan_are_placed_again_beside_those_that_stay() -> None:
    days = site(closed=[MONDAY + timedelta(days=7)])
    found = plan(days, count=2, standing=standing(0, 3, 10, 17), label="even")
    assert (numbers(found), clocks(found)) == ([8, 14], ["10:00", "10:00"])
    assert [row.number for row in found.sessions] == [3, 5]


# Taper and maintenance


def test_maintenance_keeps_near_to_its_aimed_dates() -> None:
    aimed = [MONDAY + timedelta(days=day) for day in (26, 54, 82)]  # two Saturdays
    found = plan(site(count=90), phase=MAINTENANCE, count=3, targets=aimed, standing=standing(0), label="even")
    assert numbers(found) == [25, 53, 81]
    assert [row.number for row in found.sessions] == [1, 2, 3]
    assert numbers(plan(site(count=90), phase=MAINTENANCE, count=3, targets=aimed)) == [28, 56, 84]


def test_a_third_maintenance_session_of_a_month_waits_for_the_next() -> None:
    aimed = [MONDAY + timedelta(days=day) for day in (1, 12, 23)]
    found = plan(site(), phase=MAINTENANCE, count=3, targets=aimed)
    assert numbers(found) == [1, 14, 29]
    found = plan(site(), phase=MAINTENANCE, count=1, targets=aimed[1:2], standing=standing(0, 24, phase=MAINTENANCE))
    assert numbers(found) == [35]


def test_maintenance_numbers_go_on_from_sessions_long_past() -> None:
    past = standing(-90, -60, -30, 0, phase=MAINTENANCE)
    found = plan(site(), phase=MAINTENANCE, count=1, standing=past, earliest=MONDAY + timedelta(days=7))
    assert [row.number for row in found.sessions] == [5]


def test_a_taper_is_weekly_by_default() -> None:
    found = plan(site(), ESKETAMINE, phase=TAPER, count=4, standing=standing(-3))
    assert numbers(found) == [0, 7, 14, 21]


def test_esketamine_maintenance_has_no_month_rules() -> None:
    aimed = [MONDAY + timedelta(days=7 * week) for week in range(8)]
    found = plan(site(), ESKETAMINE, phase=MAINTENANCE, count=8, targets=aimed)
    assert numbers(found) == [7 * week for week in range(8)]


def test_sessions_that_stand_years_away_are_no_obstacle() -> None:
    far = [Spot(ref, instant(date(year, 6, 2), 10), MAINTENANCE) for ref, year in enumerate((2015, 2016, 2035))]
    found = plan(site(), phase=MAINTENANCE, count=1, standing=far)
    assert (numbers(found), found.sessions[0].number) == ([0], 3)
    assert none(site(), count=1, standing=[Spot(1, instant(date(2023, 6, 2), 10))]).limit == "span-max"
    assert isinstance(plans(site(), count=1, standing=[Spot(1, instant(date(2005, 6, 2), 10))]), NoPlan)


def test_an_aimed_date_already_past_still_orders_what_follows() -> None:
    aimed = [MONDAY - timedelta(days=5), MONDAY + timedelta(days=21)]
    found = plan(site(), phase=MAINTENANCE, count=2, targets=aimed, label="even")
    assert numbers(found) == [0, 25]
