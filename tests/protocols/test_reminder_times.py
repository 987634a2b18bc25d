from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.protocols.reminder_times import (
    BEFORE_QUIET,
    PLAIN,
    PREPARATION,
    SCORE_DUE,
    TWO_DAYS,
    TWO_HOURS,
    QuietHours,
    reminders,
)

NEW_YORK = ZoneInfo("America/New_York")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = QuietHours(time(0), time(0), NEW_YORK)
NIGHT = QuietHours(time(21), time(7), NEW_YORK)


def at(text: str, fold: int = 0) -> datetime:
    """A local time in New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold)


def due(starts_at: datetime, quiet: QuietHours = NEVER, now: datetime = LONG_AGO) -> dict[str, datetime]:
    return {reminder.kind: reminder.due_at for reminder in reminders(starts_at=starts_at, quiet=quiet, now=now)}


@pytest.mark.parametrize(
    ("starts_at", "preparation", "two_days", "score_due", "two_hours"),
    [
        (
            at("2026-06-10T10:00"),
            at("2026-06-07T10:00"),
            at("2026-06-08T10:00"),
            at("2026-06-09T10:00"),
            at("2026-06-10T08:00"),
        ),
        # Across both changes of the clocks: the same local time, calendar days earlier.
        (
            at("2026-03-09T10:00"),
            at("2026-03-06T10:00"),
            at("2026-03-07T10:00"),
            at("2026-03-08T10:00"),
            at("2026-03-09T08:00"),
        ),
        (
            at("2026-11-02T10:00"),
            at("2026-10-30T10:00"),
            at("2026-10-31T10:00"),
            at("2026-11-01T10:00"),
            at("2026-11-02T08:00"),
        ),
        # Two days before, the clocks skip the time: 02:30 is taken as 03:30.
        (
            at("2026-03-10T02:30"),
            at("2026-03-07T02:30"),
            at("2026-03-08T03:30"),
            at("2026-03-09T02:30"),
            at("2026-03-10T00:30"),
        ),
        # Two days before, the clocks show the time twice: the first counts.
        (
            at("2026-11-03T01:30"),
            at("2026-10-31T01:30"),
            at("2026-11-01T01:30"),
            at("2026-11-02T01:30"),
            at("2026-11-02T23:30"),
        ),
        # The visit lies in the fold itself: two hours are hours.
        (
            at("2026-11-01T01:30", fold=1),
            at("2026-10-29T01:30"),
            at("2026-10-30T01:30"),
            at("2026-10-31T01:30"),
            at("2026-11-01T00:30"),
        ),
        (
            at("2026-03-08T03:30"),
            at("2026-03-05T03:30"),
            at("2026-03-06T03:30"),
            at("2026-03-07T03:30"),
            at("2026-03-08T00:30"),
        ),
    ],
)
def test_reminders_are_due_three_two_and_one_calendar_days_and_two_hours_before(
    starts_at: datetime, preparation: datetime, two_days: datetime, score_due: datetime, two_hours: datetime
) -> None:
    expected = {PREPARATION: preparation, TWO_DAYS: two_days, SCORE_DUE: score_due, TWO_HOURS: two_hours}
    assert due(starts_at) == {kind: when.astimezone(UTC) for kind, when in expected.items()}
    assert due(starts_at.astimezone(UTC)) == due(starts_at)


@pytest.mark.parametrize(
    ("starts_at", "quiet", "last"),
    [
        (at("2026-06-10T09:00"), NIGHT, at("2026-06-10T07:00")),  # the end is not quiet any more
        (at("2026-06-10T08:59"), NIGHT, at("2026-06-09T20:45")),
        (at("2026-06-10T23:00"), NIGHT, at("2026-06-10T20:45")),  # the beginning is quiet
        (at("2026-06-10T22:59"), NIGHT, at("2026-06-10T20:59")),
        (at("2026-06-10T13:00"), QuietHours(time(10), time(12), NEW_YORK), at("2026-06-10T09:45")),
        (at("2026-06-10T14:00"), QuietHours(time(10), time(12), NEW_YORK), at("2026-06-10T12:00")),
        (at("2026-06-10T02:00"), NEVER, at("2026-06-10T00:00")),
        # The nights on which the clocks change are an hour shorter and longer; they begin and end by the clocks.
        (at("2026-03-08T08:30"), NIGHT, at("2026-03-07T20:45")),
        (at("2026-11-01T08:30"), NIGHT, at("2026-10-31T20:45")),
        # Quiet until 01:30, which the clocks show twice: until the second. The first 01:45 is 45 minutes before that.
        (at("2026-11-01T02:45"), QuietHours(time(21), time(1, 30), NEW_YORK), at("2026-10-31T20:45")),
        # Quiet until 02:30, which the clocks skip: until 03:30, and 03:15 is quiet.
        (at("2026-03-08T05:15"), QuietHours(time(21), time(2, 30), NEW_YORK), at("2026-03-07T20:45")),
        (at("2026-03-08T05:30"), QuietHours(time(21), time(2, 30), NEW_YORK), at("2026-03-08T03:30")),
    ],
)
def test_what_falls_into_the_quiet_hours_is_due_a_quarter_of_an_hour_before_them(
    starts_at: datetime, quiet: QuietHours, last: datetime
) -> None:
    assert due(starts_at, quiet)[TWO_HOURS] == last.astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "kinds"),
    [
        (at("2026-06-09T20:45"), [TWO_HOURS]),
        (at("2026-06-09T20:46"), []),  # 06:30 would still come, but in the quiet hours
    ],
)
def test_what_goes_out_before_the_quiet_hours_and_is_past_is_not_made(now: datetime, kinds: list[str]) -> None:
    assert list(due(at("2026-06-10T08:30"), NIGHT, now)) == kinds


@pytest.mark.parametrize(
    ("before", "kinds"),
    [
        (timedelta(days=3), [PREPARATION, TWO_DAYS, SCORE_DUE, TWO_HOURS]),
        (timedelta(days=3) - timedelta(seconds=1), [TWO_DAYS, SCORE_DUE, TWO_HOURS]),
        (timedelta(days=2) - timedelta(seconds=1), [SCORE_DUE, TWO_HOURS]),
        (timedelta(days=1) - timedelta(seconds=1), [TWO_HOURS]),
        (timedelta(hours=2), [TWO_HOURS]),
        (timedelta(hours=2) - timedelta(seconds=1), []),
        (timedelta(hours=-1), []),
    ],
)
def test_a_reminder_for_a_time_already_past_is_not_made(before: timedelta, kinds: list[str]) -> None:
    starts_at = datetime(2026, 6, 10, 14, tzinfo=UTC)
    assert list(due(starts_at, now=starts_at - before)) == kinds


def test_each_is_worth_sending_until_one_that_says_as_much() -> None:
    starts_at = datetime(2026, 6, 10, 14, tzinfo=UTC)
    before = {kind: starts_at - when for kind, when in due(starts_at).items()}
    ends = reminders(starts_at=starts_at, quiet=NEVER, now=LONG_AGO)
    assert [(kind, starts_at - expires_at) for kind, _, expires_at in ends] == [
        (PREPARATION, before[TWO_DAYS]),
        (TWO_DAYS, before[TWO_HOURS]),
        (SCORE_DUE, before[TWO_HOURS]),
        (TWO_HOURS, timedelta()),
    ]


def test_a_visit_to_which_nothing_is_brought_along_has_two() -> None:
    found = reminders(starts_at=at("2026-06-10T10:00"), quiet=NIGHT, now=LONG_AGO, kinds=PLAIN)
    assert [reminder.kind for reminder in found] == [TWO_DAYS, TWO_HOURS]


ZONES = st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"])
CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 hypothesis takes its bounds without a zone


@given(zone=ZONES, since=CLOCKS, until=CLOCKS, starts_at=STARTS)
def test_whatever_the_clocks_do_reminders_are_in_time_and_outside_the_quiet_hours(
    zone: str, since: time, until: time, starts_at: datetime
) -> None:
    quiet = QuietHours(since, until, ZoneInfo(zone))
    for _, due_at, expires_at in reminders(starts_at=starts_at, quiet=quiet, now=LONG_AGO - timedelta(days=9)):
        local = due_at.astimezone(quiet.zone).time()
        is_quiet = since <= local < until if since <= until else local >= since or local < until
        # Who is quiet all day but for minutes has no quarter of an hour before it.
        assert not is_quiet or quiet.around(due_at + BEFORE_QUIET) is not None
        assert due_at < expires_at <= starts_at
        assert due_at.tzinfo == UTC
        assert starts_at - due_at <= timedelta(days=4, hours=2)


@given(zone=ZONES, since=CLOCKS, until=CLOCKS, instant=STARTS)
def test_quiet_hours_contain_every_time_that_the_clocks_show_between_their_ends(
    zone: str, since: time, until: time, instant: datetime
) -> None:
    quiet = QuietHours(since, until, ZoneInfo(zone))
    around, local = quiet.around(instant), instant.astimezone(quiet.zone).time()
    if since <= local < until if since <= until else local >= since or local < until:
        assert around is not None
    if around is not None:
        assert around[0] <= instant < around[1] == quiet.after(instant)
        assert quiet.before(instant) == around[0] - BEFORE_QUIET
        assert around[1] - around[0] <= timedelta(hours=26)
    else:
        assert (quiet.before(instant), quiet.after(instant)) == (instant, instant)
