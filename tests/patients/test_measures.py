"""Questionnaires: their bands at both edges, what a change is, a response, a remission."""

from __future__ import annotations

import pytest

from patients import measures
from patients.measures import GAD7, INSTRUMENTS, MADRS, PHQ9, QIDS, Instrument


@pytest.mark.parametrize(
    ("instrument", "bands"),
    [
        (
            PHQ9,
            {
                (0, 4): "minimal",
                (5, 9): "mild",
                (10, 14): "moderate",
                (15, 19): "moderately severe",
                (20, 27): "severe",
            },
        ),
        (GAD7, {(0, 4): "minimal", (5, 9): "mild", (10, 14): "moderate", (15, 21): "severe"}),
        (MADRS, {(0, 6): "none", (7, 19): "mild", (20, 34): "moderate", (35, 60): "severe"}),
        (QIDS, {(0, 5): "none", (6, 10): "mild", (11, 15): "moderate", (16, 20): "severe", (21, 27): "very severe"}),
    ],
)
def test_every_total_has_its_band(instrument: Instrument, bands: dict[tuple[int, int], str]) -> None:
    expected = {points: name for (low, high), name in bands.items() for points in range(low, high + 1)}

    assert {points: measures.band(instrument, points) for points in range(instrument.highest + 1)} == expected


@pytest.mark.parametrize("points", [-1, 28])
def test_a_total_that_cannot_be_has_no_band(points: int) -> None:
    with pytest.raises(ValueError, match="0 to 27"):
        measures.band(PHQ9, points)


def test_only_phq_9_and_gad_7_ship_with_their_items() -> None:
    assert {code: len(one.items) for code, one in INSTRUMENTS.items()} == {"phq9": 9, "gad7": 7, "madrs": 0, "qids": 0}


def test_the_codes_are_those_of_the_interfaces() -> None:
    assert [item.code for item in PHQ9.items] == [
        "44250-9",
        "44255-8",
        "44259-0",
        "44254-1",
        "44251-7",
        "44258-2",
        "44252-5",
        "44253-3",
        "44260-8",
    ]
    assert [answer.code for answer in measures.ANSWERS] == ["LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"]
    assert (PHQ9.total_code, GAD7.total_code) == ("44261-6", "70274-6")


def test_a_total_adds_the_answers_and_item_9_is_the_last_of_phq_9() -> None:
    answers = [3, 3, 3, 3, 2, 3, 1, 1, 2]

    assert (measures.total(PHQ9, answers), measures.item_9(PHQ9, answers)) == (21, 2)
    assert (measures.total(GAD7, [3] * 7), measures.item_9(GAD7, [3] * 7)) == (21, None)


@pytest.mark.parametrize(
    ("instrument", "answers"),
    [(PHQ9, [0] * 8), (PHQ9, [0] * 10), (PHQ9, [4] + [0] * 8), (PHQ9, [-1] + [0] * 8), (GAD7, [0] * 9), (MADRS, [])],
)
def test_answers_that_are_missing_or_none_of_the_four_have_no_total(instrument: Instrument, answers: list[int]) -> None:
    with pytest.raises(ValueError, match=instrument.name):
        measures.total(instrument, answers)


@pytest.mark.parametrize(
    ("baseline", "points", "percent", "response"),
    [
        (20, 20, 0, False),
        (20, 15, 25, False),
        (20, 9, 55, True),
        (20, 10, 50, True),
        (21, 11, 47, False),
        (27, 14, 48, False),  # 48.1
        (20, 21, -5, False),
        (21, 22, -4, False),  # -4.8
        (10, 0, 100, True),
        (9, 0, None, False),  # no-baseline
        (0, 0, None, False),
    ],
)
def test_a_change_is_said_of_a_baseline_of_10_or_more_and_half_of_it_is_a_response(
    baseline: int, points: int, percent: int | None, response: bool
) -> None:
    assert (measures.change(baseline, points), measures.responded(baseline, points)) == (percent, response)


@pytest.mark.parametrize(
    ("instrument", "highest"), [(PHQ9, 4), (GAD7, 4), (MADRS, 10), (QIDS, 5)], ids=["phq9", "gad7", "madrs", "qids"]
)
def test_remission_ends_with_the_total_that_the_measure_names(instrument: Instrument, highest: int) -> None:
    assert [measures.remitted(instrument, points) for points in (0, highest, highest + 1)] == [True, True, False]


def test_a_clinic_may_set_another_madrs_remission() -> None:
    assert [measures.remitted(MADRS, points, madrs=12) for points in (12, 13)] == [True, False]
    assert measures.remitted(PHQ9, 12, madrs=12) is False
