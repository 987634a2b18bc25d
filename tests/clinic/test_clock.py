"""One file moves the clock of every process."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import LazySettings

from clinic import clock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@time_machine.travel(NOON, tick=False)
def test_without_a_file_the_clock_is_the_machines(settings: LazySettings) -> None:
    settings.CLOCK_FILE = ""
    assert clock.now() == NOON


@time_machine.travel(NOON, tick=False)
def test_the_file_moves_it_and_is_read_again_each_time(settings: LazySettings, tmp_path: Path) -> None:
    settings.CLOCK_FILE = str(tmp_path / "clock")
    assert clock.now() == NOON
    clock.set_shift(timedelta(days=2, hours=-1))
    assert clock.now() == datetime(2026, 3, 4, 11, tzinfo=UTC)
    (tmp_path / "clock").write_text("-60")
    assert clock.now() == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)
    (tmp_path / "clock").write_text("soon")
    assert clock.now() == NOON


def test_a_clock_that_cannot_be_moved_says_so(settings: LazySettings) -> None:
    settings.CLOCK_FILE = ""
    with pytest.raises(RuntimeError, match="CLINIC_CLOCK_FILE is not set"):
        clock.set_shift(timedelta(hours=1))
