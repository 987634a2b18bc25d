"""Calendar entries, read back as another program would read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Event, Timezone

from scheduling.mails import calendars
from scheduling.mails.calendars import Host, Visit

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOST = Host(
    name="Larkfield & Sons, House",
    address="18 Alder Row; second floor, Fairhaven",
    phone="(555) 010-0400",
    mail="visits@larkfield.example",
    zone=NEW_YORK,
)


def visit(starts_at: datetime, uid: str = "one", sequence: int = 1) -> Visit:
    return Visit(uid, sequence, starts_at, starts_at + timedelta(minutes=190))


def entries(calendar: Calendar) -> list[Event]:
    return [entry for entry in calendar.walk("VEVENT") if isinstance(entry, Event)]


def read(text: str) -> Calendar:
    calendar = Calendar.from_ical(text)
    assert isinstance(calendar, Calendar)
    return calendar


def test_an_entry_says_when_and_where_in_neutral_words_and_nothing_else() -> None:
    start = datetime(2026, 11, 28, 15, tzinfo=UTC)
    calendar = read(calendars.published([visit(start, "one", 3)], host=HOST, now=NOW))
    (entry,) = entries(calendar)
    assert str(calendar["METHOD"]) == "PUBLISH"
    assert {name: entry.decoded(name) for name in entry} == {
        "UID": "one",
        "SEQUENCE": 3,
        "DTSTAMP": NOW,
        "DTSTART": datetime(2026, 11, 28, 10, tzinfo=NEW_YORK),
        "DTEND": datetime(2026, 11, 28, 13, 10, tzinfo=NEW_YORK),
        "SUMMARY": "Larkfield & Sons, House",
        "LOCATION": "Larkfield & Sons, House, 18 Alder Row; second floor, Fairhaven",
        "ORGANIZER": "mailto:visits@larkfield.example",
        "STATUS": "CONFIRMED",
        "CLASS": "PRIVATE",
    }


def test_all_dates_stand_in_one_calendar_with_one_time_zone() -> None:
    starts = [datetime(2026, 11, 28, 15, tzinfo=UTC) + timedelta(days=7 * number) for number in range(6)]
    calendar = read(calendars.published([visit(start, f"{start:%d}") for start in starts], host=HOST, now=NOW))
    assert [entry.decoded("DTSTART") for entry in entries(calendar)] == starts
    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == ["America/New_York"]


def test_a_date_given_up_is_cancelled_by_its_uid() -> None:
    calendar = read(calendars.cancelled(visit(datetime(2026, 11, 28, 15, tzinfo=UTC), "one", 4), host=HOST, now=NOW))
    (entry,) = entries(calendar)
    assert (str(calendar["METHOD"]), str(entry["STATUS"]), str(entry["UID"]), entry["SEQUENCE"]) == (
        "CANCEL",
        "CANCELLED",
        "one",
        4,
    )


@pytest.mark.parametrize(
    "starts_at",
    [
        datetime(2026, 3, 8, 9, tzinfo=NEW_YORK),
        datetime(2026, 3, 7, 22, tzinfo=NEW_YORK),  # over the spring change
        datetime(2026, 3, 8, 3, 30, tzinfo=NEW_YORK),
        datetime(2026, 11, 1, 0, 30, tzinfo=NEW_YORK),  # over the autumn change
        datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK),
        datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=1),
        datetime(2026, 10, 31, 23, 30, tzinfo=NEW_YORK),  # ends at the second 01:40
        datetime(2026, 11, 1, 9, tzinfo=NEW_YORK),
        datetime(2026, 12, 31, 22, tzinfo=NEW_YORK),
    ],
)
def test_times_come_back_as_the_same_instants_over_both_clock_changes(starts_at: datetime) -> None:
    start = starts_at.astimezone(UTC)
    (entry,) = entries(read(calendars.published([visit(start)], host=HOST, now=NOW)))
    assert entry.decoded("DTSTART").astimezone(UTC) == start
    assert entry.decoded("DTEND").astimezone(UTC) == start + timedelta(minutes=190)


@pytest.mark.parametrize(
    "zone",
    ["America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "Asia/Tokyo", "Asia/Kathmandu", "America/Sao_Paulo"],
)
def test_the_time_zone_that_travels_along_tells_every_hour_of_the_year_right(zone: str) -> None:
    host = Host("House", "", "", "visits@larkfield.example", ZoneInfo(zone))
    year = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    visits = [visit(year + timedelta(days=1)), visit(year + timedelta(days=363), "two")]
    calendar = read(calendars.published(visits, host=host, now=NOW))
    (component,) = calendar.walk("VTIMEZONE")
    assert isinstance(component, Timezone)
    told = component.to_tz(lookup_tzid=False)
    hours = [year + timedelta(hours=number) for number in range(365 * 24 - 24)]
    wrong = [hour for hour in hours if hour.astimezone(told).utcoffset() != hour.astimezone(host.zone).utcoffset()]
    assert wrong == []
