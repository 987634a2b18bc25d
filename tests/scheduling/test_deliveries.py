"""Places in the list of mails, as they stand in addresses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduling.deliveries import Mark


@pytest.mark.parametrize("at", [datetime(2027, 2, 1, 12, 0, 0, 123456, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_place_is_read_as_it_was_written(at: datetime) -> None:
    assert Mark.read(str(Mark(at, 7))) == Mark(at, 7)


@pytest.mark.parametrize(
    "text", ["", ".", "1", "1.", ".1", "1.2.3", "-1.2", "1.-2", "x.y", "²³.1", "1" * 17 + ".1", "1." + "9" * 19]
)
def test_what_is_no_place_is_none(text: str) -> None:
    assert Mark.read(text) is None
