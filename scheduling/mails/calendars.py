"""Visits as calendar entries (RFC 5545) that a mail carries: neutral like the mail itself, and nobody's name in them.

Dates that stand are published, not requested: whoever reads a calendar cannot answer the clinic from it, and an
answer that nobody reads would be worse than none. A date given up is cancelled. Both name the same UID, and
SEQUENCE grows with every change of its times, so a calendar replaces what it has.
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
    """One calendar with all dates that stand."""
    return _calendar("PUBLISH", visits, host, now)


def cancelled(visit: Visit, *, host: Host, now: datetime) -> str:
    """A calendar that takes one date out; RFC 5546 allows no more than one UID in it."""
    return _calendar("CANCEL", [visit], host, now)


def _calendar(method: str, visits: Sequence[Visit], host: Host, now: datetime) -> str:
    calendar = Calendar()
    calendar.add("prodid", "-//appointments//1//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    years = [at.astimezone(host.zone).year for visit in visits for at in (visit.starts_at, visit.home_at)]
    calendar.add_component(_time_zone(host.zone, min(years), max(years)))
    for visit in visits:
        calendar.add_component(_event(method, visit, host, now))
    text: bytes = calendar.to_ical()
    return text.decode()


def _event(method: str, visit: Visit, host: Host, now: datetime) -> Event:
    begin, end = visit.starts_at.astimezone(host.zone), visit.home_at.astimezone(host.zone)
    if _second_time(begin) or _second_time(end):
        # A local time that the clocks show twice means the first one (RFC 5545, 3.3.5); the second is said in UTC.
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    organizer = vCalAddress(f"mailto:{host.mail}")
    organizer.params["CN"] = host.name
    event = Event()
    event.add("uid", visit.uid)
    event.add("sequence", visit.sequence)
    event.add("dtstamp", now)
    event.add("dtstart", begin)
    event.add("dtend", end)
    event.add("summary", host.name)
    event.add("location", host.place)
    event.add("organizer", organizer)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("class", "PRIVATE")
    return event


def _second_time(local: datetime) -> bool:
    return local.fold == 1 and local.utcoffset() != local.replace(fold=0).utcoffset()


@lru_cache(maxsize=64)
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
