"""Plans side by side: what a card counts, and what its strip shows of each day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from clinic.findings import Finding, Level
from clinic.models import OpeningHours
from scheduling import cards
from scheduling.booking import Offer
from scheduling.cards import Calendar
from scheduling.drafts import Row, Rows
from scheduling.protocols import library
from scheduling.protocols.types import Place, PlannedSession, Wishes
from tests.factories import MONDAY, NEW_YORK, ClosureFactory, local, make_clinic

HOURS = [OpeningHours(weekday=day, opens=time(8), closes=time(18)) for day in range(5)]
SHAPE = library.STANDARD.visit


def place(day: int, clock: str = "09:00") -> Place:
    return Place(local(MONDAY + timedelta(days=day), clock), 1, 7)


def offer(*days: int, label: str = "even") -> Offer:
    return Offer(label, tuple(PlannedSession(0, place(day)) for day in days), ())


def shown(
    *days: int, rows: Rows = (), away: frozenset[date] = frozenset(), closed: tuple[tuple[datetime, datetime], ...] = ()
) -> cards.Card:
    (card,) = cards.cards(
        offers=[offer(*days)],
        label="even" if rows else "",
        rows=rows,
        findings=[Finding("gap-max", Level.WARN, "")],
        calendar=Calendar(NEW_YORK, HOURS, closed, away),
        wishes=Wishes(not_before=time(9)),
        shape=SHAPE,
    )
    return card


def strip(card: cards.Card) -> str:
    """The strip in letters: numbers, or the first letter of what a day is; a space before a week."""
    return "".join(" " * cell.begins + str(cell.number or cell.kind[0]) for cell in card.cells)


def test_a_strip_shows_at_least_three_weeks_without_the_days_that_never_open() -> None:
    assert strip(shown(0, 3, 7)) == "1dd2d 3dddd ddddd d"


def test_closed_days_and_days_on_which_the_patient_cannot_come_are_told_apart() -> None:
    noon = (local(MONDAY + timedelta(days=2), "00:00"), local(MONDAY + timedelta(days=2), "12:00"))
    whole = (local(MONDAY + timedelta(days=4), "00:00"), local(MONDAY + timedelta(days=5), "00:00"))
    away = frozenset({MONDAY + timedelta(days=8), MONDAY + timedelta(days=9)})

    assert strip(shown(0, 3, away=away, closed=(noon, whole))) == "1dd2s daadd ddddd d"


def test_the_chosen_plan_is_shown_as_its_rows_stand() -> None:
    rows = (Row(place(0)), Row(place(4), was=place(3)), Row(place(7, "08:00"), was=place(7), taken=True))
    card = shown(0, 3, 7, rows=(*rows, Row(place(9), dropped=True)))
    kinds = [(cell.kind, cell.number) for cell in card.cells[:6]]

    assert kinds == [("visit", 1), ("day", None), ("day", None), ("was", None), ("edited", 2), ("visit", 3)]
    assert (card.edited, card.wishes_met, card.sessions, card.gaps, card.warnings) == (1, 2, 3, (3, 4), 1)


def test_a_long_plan_has_no_room_for_numbers() -> None:
    assert {cell.number for cell in shown(0, 80).cells} == {None}


@pytest.mark.parametrize(
    ("wishes", "met"),
    [
        (Wishes(), True),
        (Wishes(weekdays=frozenset({0})), True),
        (Wishes(weekdays=frozenset({1})), False),
        (Wishes(not_before=time(9), home_by=time(12, 10)), True),
        (Wishes(not_before=time(9, 10)), False),
        (Wishes(home_by=time(12)), False),
        (Wishes(not_after=time(8)), False),
        (Wishes(except_dates=frozenset({MONDAY})), False),
    ],
)
def test_any_place_is_held_against_the_wishes(wishes: Wishes, met: bool) -> None:
    assert cards.meets(wishes, place(0), SHAPE, NEW_YORK) == met


def test_the_strips_reach_as_far_as_any_plan() -> None:
    later = MONDAY + timedelta(days=30 + cards.SHOWN)

    assert cards.shown([], (), NEW_YORK) is None
    assert cards.shown([offer(2, 5)], (Row(place(0)), Row(place(30))), NEW_YORK) == (MONDAY, later)


def test_what_a_site_has_closed_is_read_for_the_strip(db: None) -> None:
    site = make_clinic().site
    ClosureFactory.create(site=site, day=MONDAY + timedelta(days=1))
    ClosureFactory.create(site=site, day=MONDAY + timedelta(days=40))
    calendar = Calendar.of(site, HOURS, frozenset(), MONDAY, MONDAY + timedelta(days=5))

    assert [calendar.kind(MONDAY + timedelta(days=day)) for day in range(3)] == ["day", "shut", "day"]
    assert len(calendar.closed) == 1
