"""The place of the demonstration: where in the world it is noon now, chairs, staff, hours, shifts and a closure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import make_password
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from clinic.local.demo import people
from clinic.models import Chair, Closure, OpeningHours, Role, Shift, Site, Staff
from scheduling import writes
from scheduling.models import Room

#: One zone for each distance from UTC, so that it is noon somewhere at any hour.
ZONES = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage"),
    *("Pacific/Honolulu", "America/Halifax", "America/Sao_Paulo", "Europe/London", "Europe/Berlin", "Europe/Athens"),
    *("Africa/Nairobi", "Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Dhaka", "Asia/Bangkok", "Asia/Singapore"),
    *("Asia/Tokyo", "Australia/Brisbane", "Pacific/Noumea", "Pacific/Auckland", "Pacific/Tongatapu"),
    *("Pacific/Kiritimati", "Pacific/Pago_Pago", "Atlantic/Cape_Verde", "America/Noronha"),
)
EARLIEST, LATEST = time(11), time(14)

OPENS, CLOSES = time(7, 30), time(18, 30)
CHAIRS = 6
WEEKS_BEFORE, WEEKS_AHEAD = 18, 35

#: When the three prescribers work, and how many patients each may have at once.
SHIFTS = ((time(7, 30), time(16, 30), 4), (time(10), time(18, 30), 4), (time(7, 30), time(18, 30), 3))


@dataclass(frozen=True)
class House:
    """The site with its people, and what planning its courses has to know. `closed` is the date of its closure."""

    site: Site
    zone: ZoneInfo
    today: date
    weekdays: frozenset[int]
    closed: date
    chairs: tuple[Chair, ...]
    prescribers: tuple[Staff, ...]
    desk: Staff

    def at(self, day: date, clock: time) -> datetime:
        """A wall time of the site, in UTC."""
        return datetime.combine(day, clock, self.zone).astimezone(UTC)

    def is_open(self, day: date) -> bool:
        return day.weekday() in self.weekdays and day != self.closed

    def days(self) -> Iterator[date]:
        """The dates on which somebody works."""
        first = self.today - timedelta(weeks=WEEKS_BEFORE)
        for number in range(7 * (WEEKS_BEFORE + WEEKS_AHEAD)):
            day = first + timedelta(days=number)
            if day.weekday() in self.weekdays:
                yield day


def zone_at_noon(now: datetime) -> ZoneInfo:
    """A zone in which it is between 11:00 and 14:00, on a weekday if there is one, and as near to noon as can be."""

    def strangeness(zone: ZoneInfo) -> tuple[bool, int]:
        local = now.astimezone(zone)
        return local.weekday() > 4, abs(local.hour * 60 + local.minute - 12 * 60)

    noon = [zone for zone in map(ZoneInfo, ZONES) if EARLIEST <= now.astimezone(zone).time() < LATEST]
    return min(noon, key=strangeness)


def build(now: datetime) -> House:
    """Make the site: six chairs, a room, hours from Monday to Friday and on the weekday that is today, shifts for the
    past four months and the next eight, and a day closed in the middle of the next month."""
    zone = zone_at_noon(now)
    today = now.astimezone(zone).date()
    site = Site.objects.create(
        name="Willow Street Clinic",
        neutral_name="Willow Street Practice",
        address="27 Willow Street, Springfield",
        phone="(555) 010-0100",
        time_zone=zone.key,
        rems_certified=True,
    )
    staff = _hire(site)
    house = House(
        site=site,
        zone=zone,
        today=today,
        weekdays=frozenset({0, 1, 2, 3, 4, today.weekday()}),
        closed=_closed_day(today),
        chairs=tuple(
            Chair.objects.bulk_create(
                Chair(site=site, name=f"Chair {number}", position=number) for number in range(1, CHAIRS + 1)
            )
        ),
        prescribers=tuple(staff[: people.PRESCRIBERS]),
        desk=next(member for member in staff if member.role == Role.DESK),
    )
    Room.objects.create(site=site, name="Room 1", position=1)
    OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=weekday, opens=OPENS, closes=CLOSES) for weekday in sorted(house.weekdays)
    )
    days = list(house.days())
    writes.lock_days({site.pk: [*days, house.closed]})
    Shift.objects.bulk_create(
        Shift(
            staff=member,
            site=site,
            during=DateTimeTZRange(house.at(day, begins), house.at(day, ends)),
            patients_at_once=limit,
        )
        for day in days
        for member, (begins, ends, limit) in zip(house.prescribers, SHIFTS, strict=True)
    )
    Closure.objects.create(
        site=site,
        during=DateTimeTZRange(house.at(house.closed, time.min), house.at(house.closed + timedelta(days=1), time.min)),
        reason="Staff training day",
    )
    return house


def _hire(site: Site) -> list[Staff]:
    staff = Staff.objects.bulk_create(
        Staff(
            username=worker.username,
            password=make_password(worker.password or None),
            role=worker.role,
            is_prescriber=place < people.PRESCRIBERS,
            title=worker.title,
            first_name=worker.first_name,
            last_name=worker.last_name,
            email=f"{worker.username}@example.org",
        )
        for place, worker in enumerate(people.STAFF)
    )
    site.staff.set(staff)
    return staff


def _closed_day(today: date) -> date:
    """The first Wednesday from the 12th of the next month on."""
    twelfth = (today.replace(day=1) + timedelta(days=32)).replace(day=12)
    return twelfth + timedelta(days=(2 - twelfth.weekday()) % 7)
