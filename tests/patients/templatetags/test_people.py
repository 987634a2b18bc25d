"""How people and their next visits are shown."""

from __future__ import annotations

from datetime import date

import pytest

from patients.templatetags.people import age, short
from tests.factories import MONDAY, NEW_YORK, local


@pytest.mark.parametrize(
    ("born", "today", "years"),
    [
        ("1980-05-17", "2027-05-16", 46),
        ("1980-05-17", "2027-05-17", 47),
        ("2000-02-29", "2027-02-28", 26),
        ("2000-02-29", "2027-03-01", 27),
        ("2027-02-01", "2027-02-01", 0),
    ],
)
def test_age_is_in_whole_years(born: str, today: str, years: int) -> None:
    assert age(date.fromisoformat(born), date.fromisoformat(today)) == years


def test_a_time_is_shown_on_the_clocks_it_comes_with() -> None:
    assert short(local(MONDAY, "09:00").astimezone(NEW_YORK)) == "Mon 1 Feb 09:00"
    assert short(local(MONDAY, "09:00")) == "Mon 1 Feb 14:00"
