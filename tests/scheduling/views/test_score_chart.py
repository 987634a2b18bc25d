"""The scale of a score line: where things stand in the drawing, and what is left out where there is no room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from patients.measures import GAD7, PHQ9
from scheduling.views.score_chart import NARROW, WIDE, Chart, Point, Size, Stop, draw

START = datetime(2027, 2, 1, 12, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def chart(
    totals: dict[float, int], stops: dict[float, str] | None = None, baseline: int | None = 20, size: Size = WIDE
) -> Chart:
    return draw(
        instrument=PHQ9,
        points=[Point(day(at), total) for at, total in totals.items()],
        stops=[Stop(day(at), label, given=at < 15) for at, label in (stops or {}).items()],
        baseline=baseline,
        remission=4,
        zone=UTC,
        size=size,
    )


def test_the_highest_total_stands_at_the_top_and_none_at_the_foot() -> None:
    ticks = chart({0: 20}).ticks

    assert [(tick.label, tick.y) for tick in ticks] == [
        ("0", 252),
        ("5", 208),
        ("10", 165),
        ("15", 121),
        ("20", 77),
        ("27", 16),
    ]


def test_the_bands_cover_the_scale_without_a_gap() -> None:
    drawn = chart({0: 20})
    bands = sorted(drawn.bands, key=lambda band: band.y)

    assert [band.name for band in bands] == ["severe", "moderately severe", "moderate", "mild", "minimal"]
    assert bands[0].y == WIDE.top
    assert [band.y + band.height for band in bands] == [*(band.y for band in bands[1:]), drawn.floor]


def test_the_lines_stand_at_half_of_the_baseline_and_under_the_highest_in_remission() -> None:
    drawn = chart({0: 21}, baseline=21)

    assert (drawn.most, drawn.response, drawn.remission) == (10, 165, 213)
    assert (chart({0: 9}, baseline=None).most, chart({0: 9}, baseline=None).response) == (None, None)


def test_time_runs_from_the_left_to_the_right_to_scale() -> None:
    drawn = chart({0: 20, 5: 15, 10: 9}, {2.5: "1", 15: "2"})

    assert [dot.x for dot in drawn.dots] == [62, 244, 426]
    assert [mark.x for mark in drawn.markers] == [153, 608]
    assert drawn.line == "62,77 244,121 426,173"


def test_a_single_score_leaves_room_for_those_to_come() -> None:
    assert [dot.x for dot in chart({0: 20}).dots] == [171]


def test_without_anything_there_is_only_the_scale() -> None:
    drawn = chart({})

    assert (drawn.line, drawn.dots, drawn.markers) == ("", (), ())


def test_the_first_and_the_last_total_are_always_said_and_those_between_where_there_is_room() -> None:
    drawn = chart({0: 20, 1: 19, 2: 18, 50: 15, 99: 11, 100: 9})

    assert [dot.label for dot in drawn.dots] == ["20", "", "", "15", "", "9"]
    assert [dot.last for dot in drawn.dots] == [False, False, False, False, False, True]


def test_numbers_of_sessions_too_near_to_each_other_are_left_out_the_lines_stay() -> None:
    drawn = chart({0: 20, 100: 9}, {1: "1", 2: "2", 50: "3"})

    assert [mark.label for mark in drawn.markers] == ["", "2", "3"]
    assert len({mark.x for mark in drawn.markers}) == 3


def test_dates_say_the_month_once_and_another_year() -> None:
    drawn = chart({0: 20}, {0: "1", 20: "2", 40: "3", 340: "4"})

    assert [mark.day for mark in drawn.markers] == ["1 Feb", "21", "13 Mar", "7 Jan 2028"]


def test_nothing_stands_outside_the_drawing() -> None:
    for size in (WIDE, NARROW):
        drawn = chart({at: at % 28 for at in range(60)}, {at: f"M{at}" for at in range(0, 90, 3)}, size=size)
        places = [(dot.x, dot.y) for dot in drawn.dots] + [(mark.x, 0) for mark in drawn.markers]

        assert all(size.left <= x <= drawn.end and 0 <= y <= drawn.floor for x, y in places)


def test_another_questionnaire_has_another_scale() -> None:
    drawn = draw(instrument=GAD7, points=[Point(START, 21)], stops=[], baseline=21, remission=4, zone=UTC, size=WIDE)

    assert ([tick.label for tick in drawn.ticks], drawn.dots[0].y) == (["0", "5", "10", "15", "21"], WIDE.top)
