"""Where there is no plan: which limit is in the way, and from when there is one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from scheduling.protocols.library import ESKETAMINE
from scheduling.protocols.types import NoPlan, Spot, Wishes
from tests.protocols.planning_sites import (
    MAINTENANCE,
    MONDAY,
    none,
    numbers,
    plan,
    plans,
    site,
    standing,
)


def test_more_sessions_than_the_phase_takes_are_refused_whatever_is_free() -> None:
    refused = none(site(), count=3, standing=standing(0, 3, 7, 10))
    assert refused == NoPlan(
        "initial-max",
        "The initial phase takes at most %(most)s sessions; %(standing)s stand, %(count)s are asked for.",
        None,
        {"most": 6, "standing": 4, "count": 3},
    )


def test_the_first_date_is_named_when_the_phase_can_only_begin_much_later() -> None:
    closed = [MONDAY + timedelta(days=day) for day in range(35)]
    refused = none(site(closed=closed))
    assert (refused.limit, refused.first_possible) == ("hours", MONDAY + timedelta(days=35))
    assert numbers(plan(site(closed=closed[:21])))[0] == 21


def test_patients_dates_in_the_way_are_named() -> None:
    away = frozenset(MONDAY + timedelta(days=day) for day in range(40))
    refused = none(site(), wishes=Wishes(except_dates=away))
    assert (refused.limit, refused.first_possible) == ("except_dates", MONDAY + timedelta(days=42))


def test_prescribers_in_the_way_are_named() -> None:
    refused = none(site(count=42, shifts={7: (((8, 10),), 9)}))
    assert (refused.limit, refused.first_possible) == ("doctor", None)
    assert refused.text == "Chairs are free, but no prescriber can take enough visits from dose to discharge."


def test_chairs_in_the_way_are_named() -> None:
    refused = none(site(count=42, free={}))
    assert refused.limit == "chair"
    assert refused.text == "Prescribers have time, but no chair is free for enough visits."


def test_chairs_and_prescribers_together_are_named() -> None:
    refused = none(site(count=42, free={}, shifts={7: (((8, 10),), 9)}))
    assert refused.limit == "chair"
    assert refused.text == "Neither chairs nor prescribers have time for enough visits."


def test_the_span_in_the_way_is_named() -> None:
    refused = none(site(weekdays={0}))
    assert (refused.limit, refused.values) == ("span-max", {"limit": 21, "hours": None})


def test_the_gap_in_the_way_is_named() -> None:
    refused = none(site(count=9, weekdays={0, 1}), count=4)
    assert (refused.limit, refused.values) == ("gap-min", {"limit": 2, "hours": 40})
    assert refused.text == "The sessions fit only closer together than %(limit)s days and %(hours)s hours."


def test_the_month_in_the_way_is_named() -> None:
    aimed = [MONDAY + timedelta(days=7 * week) for week in range(4)]
    refused = none(site(count=28), phase=MAINTENANCE, count=4, targets=aimed)
    assert (refused.limit, refused.values) == ("month-max", {"limit": 2, "hours": None})


def test_opening_hours_in_the_way_are_named() -> None:
    refused = none(site(hours=((9, 12),)))
    assert (refused.limit, refused.values) == ("hours", {"minutes": 200})


def test_no_single_limit_in_the_way_is_said_as_well() -> None:
    refused = none([])
    assert refused.text == "The sessions do not fit from %(earliest)s on, and no single limit is in the way."


def test_a_limit_in_the_way_of_a_soft_gap_is_looked_for_without_it() -> None:
    refused = none(site(weekdays={0}), ESKETAMINE)
    assert refused.limit == "span-max"


@pytest.mark.parametrize(
    "wanted",
    [
        {"count": 0},
        {"count": 2, "targets": [MONDAY]},
        {"step": 15},
        {"step": 0},
        {"now": datetime(2025, 6, 1)},  # noqa: DTZ001 - a naive time is what is refused
        {"standing": [Spot(1, datetime(2025, 6, 1))]},  # noqa: DTZ001 - likewise
    ],
)
def test_what_cannot_be_meant_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"count|step|zone"):
        plans(site(), **wanted)
