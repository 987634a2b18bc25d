from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduling.protocols.reminder_times import reminders

NEW_YORK = ZoneInfo("America/New_York")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def at(text: str, fold: int = 0) -> datetime:
    """A local time in New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold)


@pytest.mark.parametrize(
    ("starts_at", "two_days", "two_hours"),
    [
        (at("2026-06-10T10:00"), at("2026-06-08T10:00"), at("2026-06-10T08:00")),
        # Across both changes of the clocks: the same local time, two calendar days earlier.
        (at("2026-03-09T10:00"), at("2026-03-07T10:00"), at("2026-03-09T08:00")),
        (at("2026-11-02T10:00"), at("2026-10-31T10:00"), at("2026-11-02T08:00")),
        # Two days before, the clocks skip the time: 02:30 is taken as 03:30.
        (at("2026-03-10T02:30"), at("2026-03-08T03:30"), at("2026-03-10T00:30")),
        # Two days before, the clocks show the time twice: the first counts.
        (at("2026-11-03T01:30"), at("2026-11-01T01:30"), at("2026-11-02T23:30")),
        # The session lies in the fold itself: two hours are hours.
        (at("2026-11-01T01:30", fold=1), at("2026-10-30T01:30"), at("2026-11-01T00:30")),
        (at("2026-03-08T03:30"), at("2026-03-06T03:30"), at("2026-03-08T00:30")),
    ],
)
def test_reminders_are_due_two_calendar_days_and_two_hours_before(
    starts_at: datetime, two_days: datetime, two_hours: datetime
) -> None:
    due = (("two-days", two_days.astimezone(UTC)), ("two-hours", two_hours.astimezone(UTC)))
    assert reminders(starts_at=starts_at, zone=NEW_YORK, now=LONG_AGO) == due
    assert reminders(starts_at=starts_at.astimezone(UTC), zone=NEW_YORK, now=LONG_AGO) == due


@pytest.mark.parametrize(
    ("before", "kinds"),
    [
        (timedelta(days=2), ["two-days", "two-hours"]),
        (timedelta(days=2) - timedelta(seconds=1), ["two-hours"]),
        (timedelta(hours=2), ["two-hours"]),
        (timedelta(hours=2) - timedelta(seconds=1), []),
        (timedelta(hours=-1), []),
    ],
)
def test_a_reminder_for_a_time_already_past_is_not_made(before: timedelta, kinds: list[str]) -> None:
    starts_at = datetime(2026, 6, 10, 14, tzinfo=UTC)
    assert [kind for kind, _ in reminders(starts_at=starts_at, zone=NEW_YORK, now=starts_at - before)] == kinds


def test_due_times_are_in_utc() -> None:
    assert [due.tzinfo for _, due in reminders(starts_at=at("2026-06-10T10:00"), zone=NEW_YORK, now=LONG_AGO)] == [
        UTC,
        UTC,
    ]
