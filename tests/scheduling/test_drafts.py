"""Drafts: values that travel in a page's form and come back as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.findings import Finding, Level
from scheduling import drafts
from scheduling.booking import Offer, SlotTaken
from scheduling.drafts import Row
from scheduling.protocols import library
from scheduling.protocols.types import Place, PlannedSession

PLACES = st.builds(
    Place,
    starts_at=st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2199, 12, 31)).map(  # noqa: DTZ001 made aware here
        lambda at: at.replace(second=0, microsecond=0, tzinfo=UTC)
    ),
    chair=st.integers(1, 10**12),
    prescriber=st.integers(1, 10**12),
)
ROWS = st.builds(
    Row,
    place=PLACES,
    others=st.lists(PLACES, max_size=2).map(tuple),
    was=st.none() | PLACES,
    dropped=st.booleans(),
    taken=st.just(False),
)


def place(day: int, hour: int = 9, chair: int = 1) -> Place:
    return Place(datetime(2027, 2, 1, hour, tzinfo=UTC) + timedelta(days=day), chair, 7)


def rows(*places: Place) -> drafts.Rows:
    return tuple(Row(one) for one in places)


@given(ROWS)
def test_a_row_comes_back_as_it_was_sent(row: Row) -> None:
    assert drafts.decode_row(drafts.encode_row(row)) == row


@given(st.text(max_size=80))
def test_anything_else_is_refused_and_never_fails_otherwise(text: str) -> None:
    try:
        row = drafts.decode_row(text)
    except ValueError:
        return
    assert drafts.decode_row(drafts.encode_row(row)) == row


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kept",
        "kept 2027-02-01T09:00/1",
        "kept 2027-02-30T09:00/1/2 -",
        "kept 2027-02-01T09:00/x/2 -",
        "kept 9999-12-31T23:59/1/2 -",
        "kept 0001-01-01T00:00/1/2 -",
        "-1 a b c d e",
    ],
)
def test_half_a_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 any of its sentences will do
        drafts.decode_row(text)


def test_a_moved_row_remembers_where_it_was_and_can_go_back() -> None:
    row = Row(place(0), others=(place(0, 10), place(0, 11)))
    moved = drafts.moved(row, place(0, 10))

    assert moved == Row(place(0, 10), others=(place(0), place(0, 11)), was=place(0))
    assert drafts.moved(moved, place(0)) == Row(place(0), others=(place(0, 10), place(0, 11)))


def lost(taken: list[int], *plans: list[Place]) -> SlotTaken:
    offers = [
        Offer(f"plan{number}", tuple(PlannedSession(0, one) for one in plan), ()) for number, plan in enumerate(plans)
    ]
    return SlotTaken("taken", taken=taken, plans=offers)


def test_after_a_lost_race_only_the_taken_rows_are_others() -> None:
    before = rows(place(0), place(3), place(7))
    after = drafts.after_loss(before, lost([1], [place(0), place(3, 10), place(7)]))

    assert after == (Row(place(0)), Row(place(3, 10), was=place(3), taken=True), Row(place(7)))


def test_of_the_plans_the_nearest_is_taken() -> None:
    before = rows(place(0), place(3), place(7))
    far, near = [place(0), place(2), place(5)], [place(0), place(3, 10), place(8)]

    assert [row.place for row in drafts.after_loss(before, lost([1, 2], far, near))] == near


def test_without_a_plan_the_taken_rows_stay_and_are_marked() -> None:
    before = (*rows(place(0), place(3)), Row(place(5), dropped=True))

    assert drafts.after_loss(before, lost([1])) == (
        Row(place(0)),
        Row(place(3), taken=True),
        Row(place(5), dropped=True),
    )


def test_after_a_second_lost_race_the_first_replacement_is_nobodys_edit() -> None:
    before = (Row(place(0, 10), was=place(0), taken=True), Row(place(3)), Row(place(7, 11), was=place(7)))
    after = drafts.after_loss(before, lost([1], [place(0, 10), place(3, 10), place(7, 11)]))

    assert after == (Row(place(0, 10)), Row(place(3, 10), was=place(3), taken=True), before[2])
    assert drafts.edited(after) == (before[2],)


def test_dropped_rows_are_not_booked_and_not_lost() -> None:
    before = (Row(place(0), dropped=True), Row(place(3)), Row(place(7)))
    after = drafts.after_loss(before, lost([0], [place(3, 10), place(7)]))

    assert drafts.kept(after) == (Row(place(3, 10), was=place(3), taken=True), Row(place(7)))


def test_a_finding_stands_at_the_last_of_its_rows() -> None:
    names = drafts.Names(UTC, {1: "Chair 1"}, {7: "Dr. Okafor"})
    gap = Finding("gap-min", Level.OVERRIDE, "", sessions=(0, 1))
    shown = drafts.lines(
        (Row(place(0)), Row(place(1), dropped=True), Row(place(2))), [gap], names, library.STANDARD.visit
    )

    assert [(line.number, line.day, line.findings, line.tone) for line in shown] == [
        (1, 0, (), ""),
        (None, 1, (), "dropped"),
        (2, 2, (gap,), "override"),
    ]
    assert (shown[0].now.home_at - shown[0].now.starts_at, shown[0].now.chair) == (timedelta(minutes=190), "Chair 1")
    assert drafts.elsewhere([gap, Finding("initial-min", Level.OVERRIDE, "")]) == (
        Finding("initial-min", Level.OVERRIDE, ""),
    )


def test_rows_that_the_desk_has_changed_stay_in_a_plan_around_them() -> None:
    mine = Row(place(3, 11), others=(place(3),), was=place(3))
    offer = Offer("even", tuple(PlannedSession(0, one, (place(9),)) for one in (place(0), place(3, 11))), ())

    assert drafts.edited((Row(place(0)), mine, Row(place(7), was=place(6), taken=True))) == (mine,)
    assert drafts.from_offer(offer, (mine,)) == (Row(place(0), (place(9),)), mine)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (place(0, 9, chair=2), "The nearest: the same time."),
        (place(0, 10), "The nearest: 1 h later."),
        (place(0, 8), "The nearest: 1 h earlier."),
        (place(1), "The nearest: 1 day later."),
        (place(-2), "The nearest: 2 days earlier."),
    ],
)
def test_how_far_a_replacement_is_from_what_was_lost_is_said(now: Place, words: str) -> None:
    names = drafts.Names(UTC, {}, {})
    (line,) = drafts.lines((Row(now, was=place(0), taken=True),), [], names, library.STANDARD.visit)

    assert line.nearest == words


def test_the_last_lawful_day_is_known() -> None:
    names = drafts.Names(UTC, {}, {})
    shown = drafts.lines(rows(place(0), place(20), place(21)), [], names, library.STANDARD.visit, last_day=21)

    assert [line.at_limit for line in shown] == [False, False, True]
