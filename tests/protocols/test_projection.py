"""How a visit goes on from here."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from scheduling.protocols.projection import projected
from scheduling.protocols.types import VisitTimes
from scheduling.protocols.vitals import Times


def at(clock: str) -> datetime:
    return datetime.combine(date(2027, 2, 1), time.fromisoformat(clock), UTC)


PLANNED = VisitTimes(at("09:00"), at("09:30"), at("10:10"), at("12:10"), at("12:20"))


def shown(times: VisitTimes) -> list[str]:
    instants = (times.starts_at, times.dose_starts_at, times.dose_ends_at, times.discharge_at, times.ends_at)
    return [f"{instant:%H:%M}" for instant in instants]


@pytest.mark.parametrize(
    ("steps", "now", "told"),
    [
        ("", "08:00", "09:00 09:30 10:10 12:10 12:20"),
        ("", "09:20", "09:00 09:30 10:10 12:10 12:20"),
        ("08:50", "09:10", "09:00 09:30 10:10 12:10 12:20"),
        ("09:12", "09:20", "09:00 09:42 10:22 12:22 12:32"),
        ("08:50", "09:50", "09:00 09:50 10:30 12:30 12:40"),
        ("08:50 08:55", "09:00", "08:55 08:55 09:35 11:35 11:45"),
        ("08:50 10:04", "10:10", "09:00 10:04 10:44 12:44 12:54"),
        ("08:50 09:30", "10:15", "09:00 09:30 10:15 12:15 12:25"),
        ("08:50 09:30 10:00", "10:15", "09:00 09:30 10:00 12:00 12:10"),
        ("08:50 09:30 10:10", "12:30", "09:00 09:30 10:10 12:30 12:40"),
        ("08:50 09:30 10:10 12:15", "14:00", "09:00 09:30 10:10 12:15 12:25"),
        ("08:50 09:30 09:40 09:50", "14:00", "09:00 09:30 09:40 09:50 10:00"),
    ],
)
def test_what_happened_stands_and_the_rest_follows(steps: str, now: str, told: str) -> None:
    names = ("checked_in_at", "dose_started_at", "dose_ended_at", "left_at")
    taken = Times(**{name: at(clock) for name, clock in zip(names, steps.split(), strict=False)})

    assert shown(projected(PLANNED, taken, now=at(now))) == told.split()


@pytest.mark.parametrize(
    ("free_from", "told"),
    [
        ("08:50", "09:00 09:30 10:10 12:10 12:20"),
        ("09:24", "09:24 09:54 10:34 12:34 12:44"),
    ],
)
@pytest.mark.parametrize("steps", [Times(), Times(checked_in_at=at("08:52"))])
def test_nobody_begins_before_the_chair_is_free(free_from: str, told: str, steps: Times) -> None:
    assert shown(projected(PLANNED, steps, now=at("08:55"), free_from=at(free_from))) == told.split()


def test_monitoring_takes_two_hours_from_the_end_of_the_dose_however_long_it_was_planned() -> None:
    short = VisitTimes(at("09:00"), at("09:30"), at("10:10"), at("10:40"), at("10:50"))
    steps = Times(checked_in_at=at("09:00"), dose_started_at=at("09:30"))

    assert projected(short, steps, now=at("09:40")).discharge_at == at("10:10") + timedelta(hours=2)
