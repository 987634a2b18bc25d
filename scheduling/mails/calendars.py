"""Visits as calendar entries (RFC 5545): neutral like the mail itself, and nobody's name in them.

A mail carries each date in a file of its own: requested, or cancelled when it is given up (RFC 5546 allows one UID in
either). Both name the same UID, and SEQUENCE grows with every change of its times, so a calendar replaces what it has
and takes out what is over. All dates together are published, for whoever fetches them from the patient's page.

Time zone and clinic are written once by `icalendar`; an entry's few lines are put between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard, vCalAddress


@dataclass(frozen=True, slots=True)
class Visit:
    """One date as a patient sees it: from arrival to going home (the planned discharge).

    `sequence` is the version of its times.
    """

    uid: str
    sequence: int
    starts_at: datetime
    home_at: datetime


@dataclass(frozen=True, slots=True)
class Host:
    """Who expects the patient, in neutral words, and where; `mail` is the address that mails come from. `open` says
    when somebody answers the phone: weekdays (0 is Monday) with local times, in order."""

    name: str
    address: str
    phone: str
    mail: str
    zone: ZoneInfo
    open: tuple[tuple[int, time, time], ...] = ()

    @property
    def place(self) -> str:
        """Name and address in one line."""
        return ", ".join(filter(None, [self.name, self.address]))


def published(visits: Sequence[Visit], *, host: Host, now: datetime) -> str:
    """One calendar with all dates that stand, for whoever fetches it."""
    return _calendar("PUBLISH", visits, "", host, now)


def requested(visit: Visit, *, host: Host, attendee: str, now: datetime) -> str:
    """A calendar that puts one date in or moves it; RFC 5546 allows no more than one UID in it. `attendee` is the
    address that the mail goes to."""
    return _calendar("REQUEST", [visit], attendee, host, now)


def cancelled(visit: Visit, *, host: Host, attendee: str, now: datetime) -> str:
    """A calendar that takes one date out."""
    return _calendar("CANCEL", [visit], attendee, host, now)


def _calendar(method: str, visits: Sequence[Visit], attendee: str, host: Host, now: datetime) -> str:
    years = [at.astimezone(host.zone).year for visit in visits for at in (visit.starts_at, visit.home_at)]
    events = [_event(method, visit, attendee, host, now) for visit in visits]
    return "".join([_head(method, host.zone, min(years), max(years)), *events, "END:VCALENDAR\r\n"])


def _event(method: str, visit: Visit, attendee: str, host: Host, now: datetime) -> str:
    return (
        "BEGIN:VEVENT\r\n"
        f"UID:{visit.uid}\r\n"
        f"SEQUENCE:{visit.sequence}\r\n"
        f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}\r\n"
        f"DTSTART{_local(visit.starts_at, host.zone)}\r\n"
        f"DTEND{_local(visit.home_at, host.zone)}\r\n"
        f"{_attendee(attendee) if attendee else ''}"
        f"{_house(host)}"
        f"STATUS:{'CANCELLED' if method == 'CANCEL' else 'CONFIRMED'}\r\n"
        "CLASS:PRIVATE\r\n"
        "END:VEVENT\r\n"
    )


def _local(at: datetime, zone: ZoneInfo) -> str:
    """An instant as the parameters and the value of a property."""
    local = at.astimezone(zone)
    if _second_time(local):
        # A local time that the clocks show twice means the first one (RFC 5545, 3.3.5); the second is said in UTC.
        return f":{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f";TZID={zone.key}:{local:%Y%m%dT%H%M%S}"


def _attendee(mail: str) -> str:
    """Who is invited: the address alone, since a name would be read in every calendar that shares this one. The date
    was agreed on before, so nothing is asked; answers would go to an address that nobody reads."""
    line = f"ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:{mail}"
    return "\r\n ".join(line[at : at + 74] for at in range(0, len(line), 74)) + "\r\n"


@lru_cache(maxsize=64)
def _house(host: Host) -> str:
    """What every entry of a clinic says: its name, where it is, and from where mails come."""
    organizer = vCalAddress(f"mailto:{host.mail}")
    organizer.params["CN"] = host.name
    event = Event()
    event.add("summary", host.name)
    event.add("location", host.place)
    event.add("organizer", organizer)
    lines: bytes = event.to_ical()
    return "".join(lines.decode().splitlines(keepends=True)[1:-1])


@lru_cache(maxsize=64)
def _head(method: str, zone: ZoneInfo, first_year: int, last_year: int) -> str:
    """A calendar up to its entries."""
    calendar = Calendar()
    calendar.add("prodid", "-//appointments//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(_time_zone(zone, first_year, last_year))
    text: bytes = calendar.to_ical()
    return text.decode().removesuffix("END:VCALENDAR\r\n")


def _second_time(local: datetime) -> bool:
    return local.fold == 1 and local.utcoffset() != local.replace(fold=0).utcoffset()


def _time_zone(zone: ZoneInfo, first_year: int, last_year: int) -> Timezone:
    """The zone's rules from the first year to the last, each change as an observance of its own."""
    component = Timezone()
    component.add("tzid", zone.key)
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (first_year, last_year + 1))
    onsets = [begin - timedelta(days=1), *_changes(zone, begin, end)]
    lowest = min(onset.astimezone(zone).utcoffset() or timedelta() for onset in onsets)
    for onset in onsets:
        before, after = (onset - timedelta(seconds=1)).astimezone(zone), onset.astimezone(zone)
        # Some zones call their winter the daylight time; readers expect the later clocks under that name.
        observance = TimezoneStandard() if after.utcoffset() == lowest else TimezoneDaylight()
        # The onset is told by the clocks as they were before it (RFC 5545, 3.6.5).
        observance.add("dtstart", (onset + (before.utcoffset() or timedelta())).replace(tzinfo=None))
        observance.add("tzoffsetfrom", before.utcoffset())
        observance.add("tzoffsetto", after.utcoffset())
        observance.add("tzname", after.tzname())
        component.add_component(observance)
    return component


def _changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """The instants, to the second, from which clocks of the zone go differently."""

    def rule(at: datetime) -> tuple[timedelta | None, timedelta | None, str | None]:
        local = at.astimezone(zone)
        return local.utcoffset(), local.dst(), local.tzname()

    days = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
    for before, after in pairwise(days):
        if rule(before) != rule(after):
            low, high = 0, 24 * 3600
            while high - low > 1:
                middle = (low + high) // 2
                if rule(before + timedelta(seconds=middle)) == rule(before):
                    low = middle
                else:
                    high = middle
            yield before + timedelta(seconds=high)
