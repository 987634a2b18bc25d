"""What a site can still take on a date: its hours, closures and shifts, and what is booked. The one read of planning.

`read` gives the facts of some dates, for judging under lock; `day_masks` gives the planner's bit masks of a span of
dates, kept from one call to the next and renewed only for dates whose version was raised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

from django.db import connection

from clinic.findings import Finding, Level, gettext_noop
from clinic.models import Chair, Closure, OpeningHours, Site, Staff
from scheduling.models import Day, Session
from scheduling.protocols.masks import DayMask, OnShift, build_day
from scheduling.protocols.types import Place, VisitTimes
from scheduling.protocols.windows import day_bounds, merge, subtract

Interval = tuple[datetime, datetime]

#: Opening hours by weekday, 0 for Monday; and a closure: of a chair, None for the whole site, and when.
Hours = Mapping[int, Sequence[tuple[time, time]]]
Closed = tuple[int | None, Interval]

#: No start is offered sooner than this (P): a patient has to be reached and to come. A time that somebody types, for
#: whoever stands at the desk already, only has to be ahead.
LEAD = timedelta(minutes=30)

NO_DOCTOR = gettext_noop("The prescriber is not on shift from the start of the dose to discharge.")
OUT_OF_ORDER = gettext_noop("The chair is out of order then.")


class Booked(NamedTuple):
    """A live session as it takes time from others: the chair throughout, the prescriber from dose to discharge; each
    from when it changed, where it did during the visit."""

    session: int
    chair: int
    prescriber: int
    starts_at: datetime
    ends_at: datetime
    dose_starts_at: datetime
    discharge_at: datetime


@dataclass(slots=True)
class DayFacts:
    """Everything that says what fits on one date of a site. Intervals are half-open and in UTC."""

    date: date
    zone: tzinfo
    opening: list[Interval] = field(default_factory=list)
    open: list[Interval] = field(default_factory=list)  # opening hours less the site's closures
    outages: list[tuple[int, Interval]] = field(default_factory=list)
    shifts: list[OnShift] = field(default_factory=list)
    booked: list[Booked] = field(default_factory=list)

    def refusals(self, ref: int, place: Place, times: VisitTimes) -> Iterator[Finding]:
        """The blocks `hours` and `doctor` for a visit in this place, each naming the phase that does not fit."""
        if not any(start <= times.starts_at and times.ends_at <= end for start, end in self.open):
            yield self._outside_hours(ref, times)
        elif any(chair == place.chair and _overlap(outage, times) for chair, outage in self.outages):
            yield Finding("hours", Level.BLOCK, OUT_OF_ORDER, self._span(times), "", (ref,))
        on_shift = [shift for shift in self.shifts if shift.prescriber == place.prescriber]
        present = merge((shift.starts_at, shift.ends_at) for shift in on_shift)
        if not any(start <= times.dose_starts_at and times.discharge_at <= end for start, end in present):
            yield self._no_doctor(ref, times, present)

    def taken(self, place: Place, times: VisitTimes, leaving: Collection[int] = ()) -> str | None:
        """What another booking has taken of this place: `chair`, `prescriber` (the limit of patients), or None.

        Sessions in `leaving` are about to give up their time and do not count.
        """
        others = [booked for booked in self.booked if booked.session not in leaving]
        if any(
            booked.chair == place.chair and booked.starts_at < times.ends_at and times.starts_at < booked.ends_at
            for booked in others
        ):
            return "chair"
        care = [
            (booked.dose_starts_at, booked.discharge_at)
            for booked in others
            if booked.prescriber == place.prescriber
            and booked.dose_starts_at < times.discharge_at
            and times.dose_starts_at < booked.discharge_at
        ]
        shifts = [
            shift
            for shift in self.shifts
            if shift.prescriber == place.prescriber
            and shift.starts_at < times.discharge_at
            and times.dose_starts_at < shift.ends_at
        ]
        instants = {max(start, times.dose_starts_at) for start, _ in care}
        instants.update(max(shift.starts_at, times.dose_starts_at) for shift in shifts)
        for instant in instants:
            load = 1 + sum(start <= instant < end for start, end in care)
            if any(shift.starts_at <= instant < shift.ends_at and load > shift.limit for shift in shifts):
                return "prescriber"
        return None

    def _outside_hours(self, ref: int, times: VisitTimes) -> Finding:
        opening = merge(self.opening)
        if not opening:
            return Finding("hours", Level.BLOCK, gettext_noop("The site is closed that day."), "", "", (ref,))
        limit = ", ".join(f"{self._clock(start)}-{self._clock(end)}" for start, end in opening)
        if any(start <= times.starts_at and times.ends_at <= end for start, end in opening):
            text = gettext_noop("The site is closed then.")
            return Finding("hours", Level.BLOCK, text, self._span(times), "", (ref,))
        if not any(start <= times.starts_at < end for start, end in opening):
            text = gettext_noop("The visit would begin at %(observed)s; the site is open %(limit)s.")
            values = {"observed": self._clock(times.starts_at), "limit": limit}
            return Finding("hours", Level.BLOCK, text, values["observed"], limit, (ref,), values)
        text = gettext_noop("The turn-over would end at %(observed)s; the site is open %(limit)s.")
        values = {"observed": self._clock(times.ends_at), "limit": limit}
        return Finding("hours", Level.BLOCK, text, values["observed"], limit, (ref,), values)

    def _no_doctor(self, ref: int, times: VisitTimes, present: list[Interval]) -> Finding:
        for start, end in present:
            if start <= times.dose_starts_at < end:
                text = gettext_noop("The prescriber leaves at %(limit)s; monitoring ends at %(observed)s.")
                values = {"observed": self._clock(times.discharge_at), "limit": self._clock(end)}
                break
            if times.dose_starts_at < start < times.discharge_at:
                text = gettext_noop("The prescriber comes at %(limit)s; the dose begins at %(observed)s.")
                values = {"observed": self._clock(times.dose_starts_at), "limit": self._clock(start)}
                break
        else:
            text = NO_DOCTOR
            values = {"observed": self._span(times), "limit": ""}
        return Finding("doctor", Level.BLOCK, text, values["observed"], values["limit"], (ref,), values)

    def _clock(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).strftime("%H:%M")

    def _span(self, times: VisitTimes) -> str:
        return f"{self._clock(times.starts_at)}-{self._clock(times.ends_at)}"


def _overlap(interval: Interval, times: VisitTimes) -> bool:
    return interval[0] < times.ends_at and times.starts_at < interval[1]


# These two are the hot path of every booking and proposal. Plain SQL costs a third of what the ORM adds around it, and
# seconds as floats a tenth of what loading timestamps does; they are exact to the microsecond.

_SHIFTS = """
    SELECT DISTINCT shift.staff_id, extract(epoch FROM lower(shift.during))::float8,
           extract(epoch FROM upper(shift.during))::float8, shift.patients_at_once
    FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) AS span (since, until)
    JOIN clinic_shift AS shift ON lower(shift.during) < span.until
         AND lower(shift.during) > span.since - interval '1 day'  -- constraint shift_within_a_day
    JOIN clinic_staff AS staff ON staff.id = shift.staff_id AND staff.is_prescriber AND staff.is_active
    JOIN clinic_staff_sites AS here ON here.staff_id = shift.staff_id AND here.site_id = shift.site_id
    WHERE shift.site_id = %(site)s AND (%(all)s OR shift.staff_id = ANY(%(prescribers)s))
"""
_BOOKED = """
    SELECT local_date, id, chair_id, prescriber_id,
           extract(epoch FROM coalesce(chair_since, lower(during)))::float8, extract(epoch FROM upper(during))::float8,
           extract(epoch FROM coalesce(prescriber_since, dose_starts_at))::float8,
           extract(epoch FROM discharge_at)::float8
    FROM scheduling_session
    WHERE site_id = %(site)s AND local_date = ANY(%(dates)s) AND session_live(state)
      AND (%(all)s OR chair_id = ANY(%(chairs)s) OR prescriber_id = ANY(%(prescribers)s))
"""


def read(site: Site, dates: Collection[date], places: Collection[Place] | None = None) -> dict[date, DayFacts]:
    """The facts of these dates of a site, in four queries whatever their number; with `places` only those that
    concern their chairs and prescribers, in two when there are none: hours and closures."""
    if not dates:
        return {}
    zone = site.zone
    spans = merge(day_bounds(day, zone) for day in dates)
    hours, closures = hours_of(site), _closures(site, spans[0][0], spans[-1][1])
    days = {day: opened(day, zone, hours, closures) for day in sorted(dates)}
    if places is not None and not places:
        return days
    asked: dict[str, Any] = {
        "site": site.pk,
        "dates": list(days),
        "since": [since for since, _ in spans],
        "until": [until for _, until in spans],
        "all": places is None,
        "chairs": list({place.chair for place in places or ()}),
        "prescribers": list({place.prescriber for place in places or ()}),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SHIFTS, asked)
        for prescriber, starts_at, ends_at, limit in cursor.fetchall():
            shift = OnShift(prescriber, _utc(starts_at), _utc(ends_at), limit)
            day = shift.starts_at.astimezone(zone).date()
            last = (shift.ends_at - timedelta.resolution).astimezone(zone).date()
            while day <= last:
                if day in days:
                    days[day].shifts.append(shift)
                day += timedelta(days=1)
        cursor.execute(_BOOKED, asked)
        for day, session, chair, prescriber, *times in cursor.fetchall():
            days[day].booked.append(Booked(session, chair, prescriber, *map(_utc, times)))
    return days


def _utc(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def hours_of(site: Site) -> Hours:
    """When the site opens on each weekday. One query."""
    hours: dict[int, list[tuple[time, time]]] = {}
    for weekday, opens, closes in OpeningHours.objects.filter(site=site).values_list("weekday", "opens", "closes"):
        hours.setdefault(weekday, []).append((opens, closes))
    return hours


def _closures(site: Site, since: datetime, until: datetime) -> list[Closed]:
    found = Closure.objects.filter(site=site, during__startswith__lt=until, during__endswith__gt=since)
    rows = found.values_list("chair_id", "during__startswith", "during__endswith")
    return [(chair, (start, end)) for chair, start, end in rows]


def opened(day: date, zone: tzinfo, hours: Hours, closures: Iterable[Closed]) -> DayFacts:
    """The hours and outages of a date, of closures those that touch it; neither shifts nor bookings."""
    since, until = day_bounds(day, zone)
    opening = [
        (_instant(day, opens, zone), _instant(day, closes, zone)) for opens, closes in hours.get(day.weekday(), ())
    ]
    touching = [(chair, span) for chair, span in closures if span[0] < until and span[1] > since]
    return DayFacts(
        day,
        zone,
        opening=opening,
        open=subtract(opening, [span for chair, span in touching if chair is None]),
        outages=[(chair, span) for chair, span in touching if chair is not None],
    )


def _instant(day: date, at: time, zone: tzinfo) -> datetime:
    """A local time as an instant; one in the spring gap is read by the offset before it, so a day still opens."""
    return datetime.combine(day, at, zone).astimezone(UTC)


#: Masks by site and date, with the version of the day and the set-up they were made of.
_kept: dict[tuple[int, date], tuple[tuple[object, ...], DayMask]] = {}

#: Dates kept in one process: a year of a few sites.
_MOST_KEPT = 2000


def day_masks(site: Site, first: date, last: date, *, leaving: Collection[Session] = ()) -> list[DayMask]:
    """The masks of every date from `first` to `last`, both included. Four queries, four more where days changed.

    Sessions in `leaving` are about to give up their time, which is free in these masks. Inside a transaction nothing is
    kept: a version raised there may be rolled back and come again with other content.
    """
    chairs = tuple(Chair.objects.filter(site=site, active=True).order_by("position", "pk").values_list("pk", flat=True))
    hours = tuple(OpeningHours.objects.filter(site=site).order_by("pk").values_list("weekday", "opens", "closes"))
    people = tuple(
        Staff.objects.filter(sites=site, is_prescriber=True, is_active=True).order_by("pk").values_list("pk", flat=True)
    )
    versions = dict(Day.objects.filter(site=site, date__gte=first, date__lte=last).values_list("date", "version"))
    dates = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    set_up = (site.time_zone, chairs, hours, people)
    stamps = {day: (versions.get(day, 0), set_up) for day in dates}
    keeping = not connection.in_atomic_block
    kept = {day: _kept.get((site.pk, day)) for day in dates} if keeping else {}
    masks = {day: entry[1] for day, entry in kept.items() if entry is not None and entry[0] == stamps[day]}
    gone = {session.pk for session in leaving}
    once = {session.local_date for session in leaving}
    if len(_kept) > _MOST_KEPT:
        _kept.clear()
    for day, facts in read(site, [day for day in dates if day not in masks or day in once]).items():
        facts.booked = [booked for booked in facts.booked if booked.session not in gone]
        masks[day] = _mask(facts, chairs)
        if keeping and day not in once:
            _kept[site.pk, day] = (stamps[day], masks[day])
    return [masks[day] for day in dates]


def _mask(facts: DayFacts, chairs: Sequence[int]) -> DayMask:
    taken: dict[int, list[Interval]] = {chair: [] for chair in chairs}
    care: dict[int, list[Interval]] = {}
    for chair, outage in facts.outages:
        taken.setdefault(chair, []).append(outage)
    for booked in facts.booked:
        taken.setdefault(booked.chair, []).append((booked.starts_at, booked.ends_at))
        care.setdefault(booked.prescriber, []).append((booked.dose_starts_at, booked.discharge_at))
    return build_day(
        day=facts.date,
        zone=facts.zone,
        opened=facts.open,
        chairs={chair: taken[chair] for chair in chairs},
        shifts=facts.shifts,
        care=care,
    )
