"""When the reminders of a visit are due, how long each is worth sending, and at what hours none goes out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

PREPARATION = "preparation"
TWO_DAYS = "two-days"
SCORE_DUE = "score-due"
TWO_HOURS = "two-hours"

#: How many calendar days before the visit each is due, at the same local time.
DAYS_BEFORE = {PREPARATION: 3, TWO_DAYS: 2, SCORE_DUE: 1}
#: How long before the visit the last one is due: hours are hours, whatever the clocks do.
LAST = timedelta(hours=2)

#: The reminders of a session, and those of a visit to which nothing has to be brought along.
ALL = (PREPARATION, TWO_DAYS, SCORE_DUE, TWO_HOURS)
PLAIN = (TWO_DAYS, TWO_HOURS)

#: Which of them say all that the one says: once they are due, it is not worth sending any more.
FOLLOWED_BY = {PREPARATION: (TWO_DAYS, TWO_HOURS), TWO_DAYS: (TWO_HOURS,), SCORE_DUE: (TWO_HOURS,), TWO_HOURS: ()}

#: What would fall into the quiet hours goes out so long before they begin (P).
BEFORE_QUIET = timedelta(minutes=15)


class Reminder(NamedTuple):
    """One reminder: due then, and worth sending until `expires_at` (both UTC)."""

    kind: str
    due_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When a site reminds nobody: from one time of its clocks until another, over midnight where that is earlier; never
    where both are the same."""

    since: time
    until: time
    zone: tzinfo

    def around(self, at: datetime) -> tuple[datetime, datetime] | None:
        """Beginning and end (UTC) of the quiet hours in which an instant lies, the end not counted; None outside.

        Where the clocks show a time twice, they begin with the first and end with the second; where they skip it, they
        begin before and end after the gap.
        """
        if self.since == self.until:
            return None
        today = at.astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today):
            begins = min(self._readings(day, self.since))
            ends = max(self._readings(day + timedelta(days=self.since > self.until), self.until))
            if begins <= at < ends:
                return begins, ends
        return None

    def before(self, at: datetime) -> datetime:
        """The same instant, or BEFORE_QUIET before the quiet hours in which it lies."""
        around = self.around(at)
        return around[0] - BEFORE_QUIET if around else at

    def after(self, at: datetime) -> datetime:
        """The same instant, or the end of the quiet hours in which it lies."""
        around = self.around(at)
        return around[1] if around else at

    def _readings(self, day: date, clock: time) -> tuple[datetime, ...]:
        """The instants that a time of the clocks can mean on a date: two on the nights on which they change."""
        return tuple(datetime.combine(day, clock.replace(fold=fold), self.zone).astimezone(UTC) for fold in (0, 1))


def reminders(
    *, starts_at: datetime, quiet: QuietHours, now: datetime, kinds: tuple[str, ...] = ALL
) -> tuple[Reminder, ...]:
    """The reminders of a visit that are not past, by due time.

    Days are calendar days at the same local time, whatever the clocks do between; a time that they skip is taken as
    far after the change as it was meant to be, of one they show twice the first counts. What falls into the quiet hours
    is due before them. Each is worth sending until the last one is due, the first until the second is; the last until
    the visit starts.
    """
    starts_at = starts_at.astimezone(UTC)
    local = starts_at.astimezone(quiet.zone)
    due = {
        kind: quiet.before((local - timedelta(days=days)).replace(fold=0).astimezone(UTC))
        for kind, days in DAYS_BEFORE.items()
    }
    due[TWO_HOURS] = quiet.before(starts_at - LAST)

    def ends(kind: str) -> datetime:
        return min((due[later] for later in FOLLOWED_BY[kind] if due[later] > due[kind]), default=starts_at)

    return tuple(Reminder(kind, due[kind], ends(kind)) for kind in kinds if due[kind] >= now)
