"""How dates, times and lengths read."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from clinic.findings import Finding, Level
from scheduling import wording
from scheduling.protocols import library

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("at", "zone", "words"),
    [
        (datetime(2026, 11, 28, 15, tzinfo=UTC), "America/New_York", "Saturday 28 November 2026, 10:00 Eastern Time"),
        (datetime(2026, 7, 4, 14, tzinfo=UTC), "America/New_York", "Saturday 4 July 2026, 10:00 Eastern Time"),
        (datetime(2026, 7, 4, 17, tzinfo=UTC), "America/Phoenix", "Saturday 4 July 2026, 10:00 Mountain Time"),
        (datetime(2026, 7, 3, 22, tzinfo=UTC), "Pacific/Auckland", "Saturday 4 July 2026, 10:00 New Zealand Time"),
        (datetime(2026, 7, 4, 4, 30, tzinfo=UTC), "Asia/Kolkata", "Saturday 4 July 2026, 10:00 India Time"),
        (datetime(2026, 7, 4, 15, tzinfo=UTC), "Etc/GMT+5", "Saturday 4 July 2026, 10:00 UTC−5"),
        (datetime(2026, 7, 4, 10, tzinfo=UTC), "UTC", "Saturday 4 July 2026, 10:00 UTC+0"),
        (datetime(2026, 3, 8, 7, tzinfo=UTC), "America/New_York", "Sunday 8 March 2026, 03:00 Eastern Time"),
        (datetime(2026, 11, 1, 7, tzinfo=UTC), "America/New_York", "Sunday 1 November 2026, 02:00 Eastern Time"),
    ],
)
def test_an_instant_reads_with_its_date_and_zone(at: datetime, zone: str, words: str) -> None:
    assert wording.when(at, ZoneInfo(zone)) == words


@pytest.mark.parametrize(
    ("at", "zone", "words"),
    [
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "America/New_York", "01:30 Eastern Time (EDT, UTC−4)"),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "America/New_York", "01:30 Eastern Time (EST, UTC−5)"),
        (datetime(2026, 4, 4, 14, 45, tzinfo=UTC), "Australia/Lord_Howe", "01:45 Lord Howe Time (UTC+11)"),
        (datetime(2026, 4, 4, 15, 15, tzinfo=UTC), "Australia/Lord_Howe", "01:45 Lord Howe Time (UTC+10:30)"),
    ],
)
def test_times_that_the_clocks_show_twice_are_told_apart(at: datetime, zone: str, words: str) -> None:
    assert wording.time(at, ZoneInfo(zone)) == words


def test_the_zone_is_named_in_the_readers_language() -> None:
    with translation.override("es"):
        assert wording.zone_name(datetime(2026, 11, 28, 15, tzinfo=UTC), NEW_YORK) == "hora oriental"


@pytest.mark.parametrize(
    ("minutes", "words"), [(190, "3 h 10 min"), (160, "2 h 40 min"), (120, "2 h"), (40, "40 min"), (0, "0 min")]
)
def test_a_length_reads_in_hours_and_minutes(minutes: int, words: str) -> None:
    assert wording.length(timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Finding("gap-max", Level.WARN, "", observed="8 days"), "gap 8 days"),
        (Finding("gap-min", Level.OVERRIDE, "", observed="1 day, 23 h"), "gap 1 day, 23 h"),
        (Finding("span-max", Level.OVERRIDE, "", observed="day 23"), "day 23"),
        (Finding("doctor", Level.BLOCK, "", observed="16:40"), "prescriber not on shift"),
        (Finding("gap-max", Level.WARN, ""), "gap too long"),
        (Finding("bp-high", Level.OVERRIDE, "", observed="162/96"), "blood pressure too high"),
        (Finding("bp-high", Level.OVERRIDE, ""), "blood pressure missing"),
        (Finding("of-tomorrow", Level.WARN, ""), "of-tomorrow"),
    ],
)
def test_a_breach_is_said_in_a_few_words(found: Finding, words: str) -> None:
    assert wording.breach(found) == words


def test_every_rule_of_every_protocol_has_a_name() -> None:
    codes = {code for protocol in library.builtin() for code in protocol.limits}

    assert codes - set(wording.RULES) == set()


@pytest.mark.parametrize(
    "text", ["8 days", "1 day, 23 h", "2 calendar days and 40 hours", "day 23", "1 session a date", "08:00-18:00"]
)
def test_a_measure_stays_itself_in_english(text: str) -> None:
    assert wording.measured(text) == text
