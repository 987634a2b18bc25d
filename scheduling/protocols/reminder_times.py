"""When the reminders of a session are due. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

TWO_DAYS = "two-days"
TWO_HOURS = "two-hours"


def reminders(*, starts_at: datetime, zone: tzinfo, now: datetime) -> tuple[tuple[str, datetime], ...]:
    """Kind and due time (UTC) of each reminder that is not past: two days and two hours before the session.

    Two days are two calendar days at the same local time, whatever the clocks do between; a time that they skip is
    taken as far after the change as it was meant to be, of one they show twice the first counts. Two hours are hours.
    """
    local = starts_at.astimezone(zone)
    two_days = (local - timedelta(days=2)).replace(fold=0).astimezone(UTC)
    two_hours = starts_at.astimezone(UTC) - timedelta(hours=2)
    return tuple((kind, due) for kind, due in ((TWO_DAYS, two_days), (TWO_HOURS, two_hours)) if due >= now)
