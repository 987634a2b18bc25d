"""Advice from scores: one table for each code of protocol.md part 4, at both edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduling.protocols.library import ESKETAMINE, STANDARD
from scheduling.protocols.response import CODES, Advice, Given, Scored, advise, baseline, best
from scheduling.protocols.types import Phase, Protocol

ZONE = ZoneInfo("America/New_York")
FIRST = datetime(2027, 2, 1, 14, tzinfo=UTC)
DAYS = (0, 3, 7, 10, 14, 17, 21, 24)


def at(day: float) -> datetime:
    return FIRST + timedelta(days=day)


def initial(count: int) -> list[Given]:
    return [Given(at(day)) for day in DAYS[:count]]


def course(count: int, *totals: int, start: int = 20, protocol: Protocol = STANDARD) -> tuple[Advice, ...]:
    """After `count` sessions, with a baseline and these scores since; the last was taken the day after the session."""
    days = [DAYS[count - 1] + 1 - behind for behind in reversed(range(len(totals)))]
    scores = [Scored(at(-1), start), *(Scored(at(day), total) for day, total in zip(days, totals, strict=True))]
    return advise(protocol=protocol, phase=Phase.INITIAL, scores=scores, given=initial(count), zone=ZONE)


def codes(advice: tuple[Advice, ...]) -> list[str]:
    return [one.code for one in advice]


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [
        # under 25% better: nothing before session 3, a review from it on, advice to stop after the sixth
        (2, 16, []),
        (3, 16, ["early-review"]),
        (5, 16, ["early-review"]),
        (6, 16, ["stop-advised"]),
        (7, 20, ["stop-advised"]),
        # a part of a response: go on up to the plan, then extend
        (1, 15, ["go-on"]),
        (3, 15, ["go-on"]),
        (5, 11, ["go-on"]),
        (6, 15, ["extend"]),
        (7, 11, ["extend"]),
        # response: nothing is closed before the minimum
        (3, 10, []),
        (4, 10, ["offer-maintenance"]),
        (5, 9, ["offer-maintenance"]),
        (6, 4, ["offer-maintenance"]),
        (8, 0, ["offer-maintenance"]),
    ],
)
def test_the_benefit_is_judged_by_percent_and_sessions(count: int, total: int, expected: list[str]) -> None:
    assert codes(course(count, total)) == expected


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [(7, 10, []), (8, 10, ["offer-maintenance"]), (7, 15, ["go-on"]), (8, 15, ["extend"])],
)
def test_the_minimum_and_the_plan_are_the_protocols_own(count: int, total: int, expected: list[str]) -> None:
    assert codes(course(count, total, protocol=ESKETAMINE)) == expected


def test_a_score_speaks_for_the_sessions_before_it() -> None:
    scores = [Scored(at(-1), 20), Scored(at(7) - timedelta(minutes=30), 18)]  # answered before the third dose

    assert codes(advise(protocol=STANDARD, phase=Phase.INITIAL, scores=scores, given=initial(3), zone=ZONE)) == []


def test_remission_counts_as_benefit_also_without_a_percentage() -> None:
    assert codes(course(4, 4, start=9)) == ["offer-maintenance", "no-baseline"]
    assert codes(course(4, 5, start=9)) == ["no-baseline"]


def test_no_percentage_is_said_without_a_score_before_the_first_dose() -> None:
    scores = [Scored(at(1), 20), Scored(at(8), 9)]
    advice = advise(protocol=STANDARD, phase=Phase.INITIAL, scores=scores, given=initial(4), zone=ZONE)

    assert [(one.code, [reason.message for reason in one.reasons]) for one in advice] == [
        ("no-baseline", ["There is no PHQ-9 from before the first dose."])
    ]


def test_the_reasons_say_what_was_seen() -> None:
    (advice,) = course(5, 14, 11, 9)

    assert advice.decisions == ("maintenance",)
    assert [reason.message for reason in advice.reasons] == [
        "PHQ-9 20 to 9, 55% better after session 5: response (50%).",
        "Not in remission (under 5).",
        "Still falling: it was 11 the time before.",
    ]


def test_a_change_for_the_worse_is_called_so() -> None:
    assert [reason.message for reason in course(3, 22)[0].reasons] == [
        "PHQ-9 20 to 22, 10% worse after session 3.",
        "Under 25% better: review the benefit.",
    ]


@pytest.mark.parametrize(
    ("before", "latest", "expected"),
    [
        (Scored(at(-1), 13), Scored(at(4), 17), []),
        (Scored(at(-1), 13), Scored(at(4), 18), ["worse"]),
        (Scored(at(-1), 13, 0), Scored(at(4), 13, 0), []),
        (Scored(at(-1), 13, 0), Scored(at(4), 13, 1), ["item-9", "worse"]),
        (Scored(at(-1), 13, 2), Scored(at(4), 13, 2), ["item-9"]),
        (Scored(at(-1), 13, 2), Scored(at(4), 13, 1), ["item-9"]),
        (Scored(at(-1), 13), Scored(at(4), 13, 1), ["item-9"]),  # the total alone was known before
    ],
)
def test_worse_is_5_points_more_or_a_higher_item_9(before: Scored, latest: Scored, expected: list[str]) -> None:
    assert (
        codes(advise(protocol=STANDARD, phase=Phase.INITIAL, scores=[latest, before], given=initial(2), zone=ZONE))
        == expected
    )


@pytest.mark.parametrize(
    ("best_score", "first", "second", "days", "relapse"),
    [
        (4, 10, 12, 5, True),
        (4, 10, 12, 15, True),
        (4, 10, 12, 4, False),
        (4, 10, 12, 16, False),
        (4, 9, 12, 7, False),
        (4, 12, 9, 7, False),
        (6, 10, 12, 7, False),  # only 4 above the best
        (5, 10, 10, 7, True),
    ],
)
def test_a_relapse_is_seen_twice_5_to_15_days_apart(
    best_score: int, first: int, second: int, days: int, relapse: bool
) -> None:
    scores = [
        Scored(at(-1), 20),
        Scored(at(20), best_score),
        Scored(at(40), first),
        Scored(at(40 + days), second),
    ]
    given = [*initial(6), Given(at(38), Phase.MAINTENANCE)]
    advice = advise(protocol=STANDARD, phase=Phase.MAINTENANCE, scores=scores, given=given, zone=ZONE)

    assert ("relapse" in codes(advice)) is relapse
    assert [one.decisions for one in advice if one.code == "relapse"] == (
        [("maintenance", "new-initial", "stop")] if relapse else []
    )


def test_scores_from_before_maintenance_are_no_relapse() -> None:
    scores = [Scored(at(-1), 20), Scored(at(4), 4), Scored(at(12), 12), Scored(at(19), 13)]
    advice = advise(protocol=STANDARD, phase=Phase.MAINTENANCE, scores=scores, given=initial(6), zone=ZONE)

    assert codes(advice) == []


def test_what_is_urgent_stands_first() -> None:
    scores = [Scored(at(-1), 12, 0), Scored(at(18), 18, 1)]
    advice = advise(protocol=STANDARD, phase=Phase.INITIAL, scores=scores, given=initial(6), zone=ZONE)

    assert codes(advice) == ["item-9", "worse", "stop-advised"]
    assert set(codes(advice)) < set(CODES)


def test_nothing_is_advised_without_a_score_or_a_dose() -> None:
    assert advise(protocol=STANDARD, phase=Phase.INITIAL, scores=[], given=initial(3), zone=ZONE) == ()
    assert advise(protocol=STANDARD, phase=Phase.INITIAL, scores=[Scored(at(-1), 20)], given=[], zone=ZONE) == ()


def test_the_baseline_is_the_last_score_before_the_first_dose() -> None:
    early, last, after = Scored(at(-9), 22), Scored(at(-1), 20), Scored(at(3), 12)

    assert baseline([after, early, last], FIRST) == last
    assert baseline([after], FIRST) is None
    assert baseline([early, after, last], None) == after
    assert baseline([], None) is None


def test_the_best_score_is_the_lowest_of_equal_ones_the_first() -> None:
    first, second = Scored(at(3), 8), Scored(at(10), 8)

    assert best([second, Scored(at(-1), 20), first]) == first
    assert best([]) is None
