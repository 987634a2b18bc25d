"""Calendar entries, read back as another program would read them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


ENTRY = {
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
START = datetime(2026, 11, 28, 15, tzinfo=UTC)
ANN = "ann@example.org"


def test_an_entry_says_when_and_where_in_neutral_words_and_nothing_else() -> None:
    calendar = read(calendars.published([visit(START, "one", 3)], host=HOST, now=NOW))
    (entry,) = entries(calendar)
    assert str(calendar["METHOD"]) == "PUBLISH"
    assert {name: entry.decoded(name) for name in entry} == ENTRY
    assert dict(entry["ORGANIZER"].params) == {"CN": "Larkfield & Sons, House"}


def test_a_request_names_who_is_invited_by_the_address_alone_and_asks_nothing() -> None:
    calendar = read(calendars.requested(visit(START, "one", 3), host=HOST, attendee=ANN, now=NOW))
    (entry,) = entries(calendar)
    assert str(calendar["METHOD"]) == "REQUEST"
    assert {name: entry.decoded(name) for name in entry} == ENTRY | {"ATTENDEE": f"mailto:{ANN}"}
    assert dict(entry["ATTENDEE"].params) == {"PARTSTAT": "ACCEPTED", "RSVP": "FALSE"}


def test_a_date_given_up_is_cancelled_by_its_uid() -> None:
    calendar = read(calendars.cancelled(visit(START, "one", 3), host=HOST, attendee=ANN, now=NOW))
    (entry,) = entries(calendar)
    assert str(calendar["METHOD"]) == "CANCEL"
    assert {name: entry.decoded(name) for name in entry} == ENTRY | {
        "ATTENDEE": f"mailto:{ANN}",
        "STATUS": "CANCELLED",
    }


def test_all_dates_stand_in_one_calendar_with_one_time_zone() -> None:
    starts = [START + timedelta(days=7 * number) for number in range(6)]
    calendar = read(calendars.published([visit(start, f"{start:%d}") for start in starts], host=HOST, now=NOW))
    assert [entry.decoded("DTSTART") for entry in entries(calendar)] == starts
    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == ["America/New_York"]


@settings(deadline=None)
@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=120),
    address=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=120),
    user=st.from_regex(r"[a-z]{1,60}", fullmatch=True),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 hypothesis adds the zone
    sequence=st.integers(0, 99),
)
def test_what_is_written_by_hand_reads_as_if_icalendar_had_written_it(
    name: str, address: str, user: str, start: datetime, sequence: int
) -> None:
    start = start.replace(microsecond=0)
    host = replace(HOST, name=name, address=address)
    told = visit(start, "one", sequence)
    text = calendars.requested(told, host=host, attendee=f"{user}@example.org", now=NOW)
    entry = Event()
    entry.add("uid", "one")
    entry.add("sequence", sequence)
    entry.add("dtstamp", NOW)
    entry.add("dtstart", start)
    entry.add("dtend", told.home_at)
    entry.add("attendee", f"mailto:{user}@example.org")
    entry.add("summary", name)
    entry.add("location", host.place)
    entry.add("organizer", "mailto:visits@larkfield.example")
    entry.add("status", "CONFIRMED")
    entry.add("class", "PRIVATE")
    alone = Calendar()
    alone.add_component(entry)
    (written,), (read_back,) = (entries(read(calendar)) for calendar in (text, alone.to_ical().decode()))
    assert {key: instant(written.decoded(key)) for key in written} == {
        key: instant(read_back.decoded(key)) for key in read_back
    }
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75


def instant(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


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
    (entry,) = entries(read(calendars.requested(visit(start), host=HOST, attendee=ANN, now=NOW)))
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
