"""How full each stretch of a day is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from scheduling.protocols import load
from scheduling.protocols.types import VisitShape

NINE = datetime(2027, 2, 1, 9, tzinfo=UTC)
HALF = timedelta(minutes=30)
DAY = [(NINE + number * HALF, NINE + (number + 1) * HALF) for number in range(8)]
ONE = Fraction(1)


def minutes(start: int, end: int, weight: Fraction = ONE) -> load.Span:
    return NINE + timedelta(minutes=start), NINE + timedelta(minutes=end), weight


def test_the_most_at_once_counts_not_the_number_in_the_half_hour() -> None:
    assert load.peaks([minutes(0, 10), minutes(10, 20), minutes(15, 40)], DAY[:3]) == [2, 1, 0]


def test_what_ends_as_the_stretch_begins_is_over() -> None:
    assert load.peaks([minutes(0, 30), minutes(30, 60)], DAY[:3]) == [1, 1, 0]


def test_what_began_before_the_first_stretch_counts() -> None:
    assert load.peaks([minutes(-90, 20)], DAY[:2]) == [1, 0]


def test_a_visit_takes_a_nurse_then_half_then_a_quarter() -> None:
    visit = VisitShape(30, 40, 120, 10).at(NINE)

    assert load.peaks(load.nursing(visit), DAY) == [1, Fraction(1, 2), Fraction(1, 2), *[Fraction(1, 4)] * 4, 0]


@given(
    st.lists(
        st.tuples(st.integers(-30, 250), st.integers(1, 90), st.sampled_from([ONE, Fraction(1, 2), Fraction(1, 4)])),
        max_size=12,
    )
)
def test_it_is_the_greatest_sum_of_any_minute(visits: list[tuple[int, int, Fraction]]) -> None:
    spans = [minutes(start, start + length, weight) for start, length, weight in visits]
    by_minute = [
        max(
            sum((weight for start, end, weight in spans if start <= at + timedelta(minutes=number) < end), Fraction())
            for number in range(30)
        )
        for at, _ in DAY
    ]

    assert load.peaks(spans, DAY) == by_minute
