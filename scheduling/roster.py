"""Change what the calendar rests on: closures, shifts, opening hours, who and which chair is there.

Nothing of this is ever refused because of bookings. Each verb locks the days it concerns as bookings do, changes them,
and judges every visit of these days that is still to come: one that no longer fits is flagged (`needs_replan`) and
makes a line on the worklist, one that fits again loses both. Closures and shifts are flagged by the database itself,
whoever writes them; hours, chairs and staff here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TypeVar

from django.db import IntegrityError
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.models import Chair, Closure, OpeningHours, Shift, Site, Staff
from clinic.permissions import Verb
from patients.models import Task, TaskKind
from scheduling import openings, writes
from scheduling.models import OPEN, CourseEvent, Day, Session
from scheduling.openings import DayFacts
from scheduling.protocols.types import Place, VisitTimes

Result = TypeVar("Result")

#: Longer ones are mistakes (P).
LONGEST_CLOSURE = timedelta(days=366)
LONGEST_PATTERN = timedelta(days=400)
LONGEST_SHIFT = timedelta(days=1)  # constraint shift_within_a_day


#: Years in which anything can be planned; outside of them dates run into the ends of the calendar (P).
YEARS = range(2000, 2200)
OUT_OF_REACH = gettext_lazy("This date is out of reach.")


@dataclass(frozen=True, slots=True)
class Hours:
    """A site is open on this weekday (0 is Monday) between these local times."""

    weekday: int
    opens: time
    closes: time


def set_closure(
    *,
    actor: Staff,
    site: Site,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    chair: Chair | None = None,
    closure: Closure | None = None,
    now: datetime,
) -> Closure:
    """Close a site, or one chair of it, for a time; or change that closure.

    Locks the days of the old and the new time. Raises RoleRefused, Invalid for times that cannot be, a chair of
    another site or no reason.
    """
    permissions.require(actor, Verb.CLOSE)
    _check_times(starts_at, ends_at, LONGEST_CLOSURE, _("A closure lasts at most a year."))
    if not reason.strip():
        raise Invalid.at("reason", _("Say why."))
    if chair is not None and chair.site_id != site.pk:
        raise Invalid.at("chair", _("This chair is at another site."))
    row = Closure(
        pk=closure.pk if closure else None,
        site=site,
        chair=chair,
        during=DateTimeTZRange(starts_at, ends_at),
        reason=reason.strip(),
    )
    return _change(actor, [*([closure] if closure else []), row], lambda: _stored(row), now)


def remove_closure(*, actor: Staff, closure: Closure, now: datetime) -> None:
    """Open again. Locks the days of the closure."""
    permissions.require(actor, Verb.CLOSE)
    _change(actor, [closure], lambda: Closure.objects.filter(pk=closure.pk).delete(), now)


def set_shift(
    *,
    actor: Staff,
    staff: Staff,
    site: Site,
    starts_at: datetime,
    ends_at: datetime,
    patients_at_once: int,
    shift: Shift | None = None,
    now: datetime,
) -> Shift:
    """Somebody works at a site from then till then, or this shift changes to that.

    Locks the days of the old and the new time. Raises RoleRefused, Invalid for times that cannot be, somebody who does
    not work at the site, or another shift of theirs at that time.
    """
    permissions.require(actor, Verb.SET_UP)
    _check_times(starts_at, ends_at, LONGEST_SHIFT, _("A shift lasts at most 24 hours."))
    _check_works_at(staff, site)
    row = Shift(
        pk=shift.pk if shift else None,
        staff=staff,
        site=site,
        during=DateTimeTZRange(starts_at, ends_at),
        patients_at_once=patients_at_once,
    )
    try:
        return _change(actor, [*([shift] if shift else []), row], lambda: _stored(row), now)
    except IntegrityError as error:
        if writes.constraint_of(error) == "shift_of_one_person":
            raise Invalid.at("staff", _("This person already has a shift then.")) from error
        raise


def remove_shift(*, actor: Staff, shift: Shift, now: datetime) -> None:
    """Somebody does not work then after all. Locks the days of the shift."""
    permissions.require(actor, Verb.SET_UP)
    _change(actor, [shift], lambda: Shift.objects.filter(pk=shift.pk).delete(), now)


def set_pattern(
    *,
    actor: Staff,
    staff: Staff,
    site: Site,
    weekdays: Collection[int],
    begins: time,
    ends: time,
    first: date,
    last: date,
    patients_at_once: int,
    now: datetime,
) -> tuple[Shift, ...]:
    """Give somebody the same shift on these weekdays of a period, in local time; ends on the next day when it ends
    before it begins. Dates on which they have a shift at that time already are left as they are.

    Locks the days of the period. Returns the new shifts. Raises RoleRefused, Invalid.
    """
    permissions.require(actor, Verb.SET_UP)
    _check_works_at(staff, site)
    if first.year not in YEARS or last.year not in YEARS:
        raise Invalid.at("first", str(OUT_OF_REACH))
    if not first <= last <= first + LONGEST_PATTERN:
        raise Invalid.at("last", _("A period begins before it ends and lasts at most 400 days."))
    if begins == ends:
        raise Invalid.at("ends", _("A shift takes time."))
    dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    rows = [
        Shift(staff=staff, site=site, during=_local_range(site, day, begins, ends), patients_at_once=patients_at_once)
        for day in dates
        if day.weekday() in weekdays
    ]
    if not rows:
        raise Invalid.at("weekdays", _("No date of the period is on one of these weekdays."))

    def write() -> tuple[Shift, ...]:
        period = (rows[0].during.lower, rows[-1].during.upper)
        taken = [
            (held.lower, held.upper)
            for held in Shift.objects.filter(
                staff=staff, during__startswith__lt=period[1], during__endswith__gt=period[0]
            ).values_list("during", flat=True)
        ]
        free = [
            row for row in rows if not any(row.during.lower < end and start < row.during.upper for start, end in taken)
        ]
        return tuple(Shift.objects.bulk_create(free))

    return _change(actor, rows, write, now)


def set_hours(*, actor: Staff, site: Site, hours: Sequence[Hours], now: datetime) -> None:
    """Replace the opening hours of a site. Locks all its days from today on. Raises RoleRefused, Invalid."""
    permissions.require(actor, Verb.SET_UP)
    ordered = sorted(hours, key=lambda one: (one.weekday, one.opens))
    check_hours(ordered)

    def write() -> None:
        OpeningHours.objects.filter(site=site).delete()
        OpeningHours.objects.bulk_create(
            OpeningHours(site=site, weekday=one.weekday, opens=one.opens, closes=one.closes) for one in ordered
        )

    _anew(actor, site, write, now)


def waiting(*, site: Site, during: DateTimeTZRange) -> int:
    """How many visits in that time need a new one."""
    return Session.objects.filter(
        site=site,
        needs_replan=True,
        state__in=OPEN,
        during__startswith__lt=during.upper,
        during__endswith__gt=during.lower,
    ).count()


def check_hours(hours: Sequence[Hours]) -> None:
    """Raise Invalid unless a site can have these hours; they come in the order of the week."""
    for one in hours:
        if not one.opens < one.closes:
            raise Invalid.at("closes", _("The site closes after it opens."))
    for one, other in pairwise(hours):
        if one.weekday == other.weekday and other.opens < one.closes:
            raise Invalid.at("opens", _("These hours overlap."))


def review(*, actor: Staff, site: Site, now: datetime) -> None:
    """Judge every visit to come of a site anew, after a chair or somebody was taken out of use, or is there again.

    Locks all its days from today on.
    """
    permissions.require(actor, Verb.SET_UP)
    _anew(actor, site, lambda: None, now)


def _change(actor: Staff, rows: Sequence[Closure | Shift], write: Callable[[], Result], now: datetime) -> Result:
    """Write under the locks of every day that the rows touch, and judge the visits of these days."""

    def work() -> Result:
        dates: dict[int, set[date]] = {}
        for row in rows:
            dates.setdefault(row.site_id, set()).update(_dates(row.site, row.during))
        writes.lock_days(dates)
        _require_same(rows)
        before = _flagged(dates)
        result = write()
        for site in {row.site for row in rows}:
            _judge(actor, site, dates[site.pk], before, now)
        return result

    return writes.commit(work)


def _anew(actor: Staff, site: Site, write: Callable[[], None], now: datetime) -> None:
    def work() -> None:
        today = now.astimezone(site.zone).date()
        # A date without a row has no shift, and so no visit.
        dates = set(Day.objects.filter(site=site, date__gte=today).values_list("date", flat=True))
        writes.lock_days({site.pk: dates})
        before = _flagged({site.pk: dates})
        write()
        _judge(actor, site, dates, before, now)

    writes.commit(work)


def _require_same(rows: Sequence[Closure | Shift]) -> None:
    """Raise writes.DatesMoved when the stored row, now locked, has another time than the one we were given."""
    stored = rows[0]
    if not stored.pk:
        return
    fresh = type(stored).objects.filter(pk=stored.pk).first()
    if fresh is None:
        raise Stale(_("Somebody has removed this meanwhile."))
    if (fresh.site_id, fresh.during) != (stored.site_id, stored.during):
        stored.site, stored.during = fresh.site, fresh.during
        raise writes.DatesMoved


def _stored(row: Result) -> Result:
    row.save()  # type: ignore[attr-defined]  # a Closure or a Shift, all of whose columns are meant
    return row


def _flagged(dates: Mapping[int, Collection[date]]) -> set[int]:
    days = {day for days in dates.values() for day in days}
    flagged = Session.objects.filter(site__in=dates.keys(), local_date__in=days, needs_replan=True)
    return set(flagged.values_list("pk", flat=True))


def _judge(actor: Staff, site: Site, dates: Collection[date], before: Collection[int], now: datetime) -> None:
    """Flag visits to come that do not fit, take the flag off those that do; worklist and events say so."""
    facts = openings.read(site, dates)
    chairs = set(Chair.objects.filter(site=site, active=True).values_list("pk", flat=True))
    visits = list(
        Session.objects.filter(site=site, local_date__in=dates, state__in=OPEN, during__endswith__gt=now).order_by("pk")
    )
    unfit = [visit for visit in visits if visit.chair_id not in chairs or not _fits(visit, facts[visit.local_date])]
    lost = {visit.pk for visit in unfit}
    again = [visit for visit in visits if visit.needs_replan and visit.pk not in lost]
    Session.objects.filter(pk__in=[visit.pk for visit in unfit if not visit.needs_replan]).update(needs_replan=True)
    Session.objects.filter(pk__in=[visit.pk for visit in again]).update(needs_replan=False)
    Task.objects.bulk_create(
        [
            Task(
                kind=TaskKind.NEEDS_TIME,
                patient_id=visit.patient_id,
                course_id=visit.course_id,
                key=str(visit.pk),
                since=now,
            )
            for visit in unfit
        ],
        ignore_conflicts=True,
    )
    Task.objects.filter(kind=TaskKind.NEEDS_TIME, key__in=[str(visit.pk) for visit in again], done_at=None).update(
        done_at=now, done_by=actor
    )
    _record(actor, "needs-time", [visit for visit in unfit if visit.pk not in before], now)
    _record(actor, "fits-again", again, now)


def _record(actor: Staff, kind: str, visits: Iterable[Session], now: datetime) -> None:
    courses: dict[int, list[int]] = {}
    for visit in visits:
        courses.setdefault(visit.course_id, []).append(visit.pk)
    CourseEvent.objects.bulk_create(
        CourseEvent(course_id=course, kind=kind, at=now, by=actor, details={"sessions": sessions})
        for course, sessions in courses.items()
    )


def _fits(visit: Session, facts: DayFacts) -> bool:
    place = Place(visit.starts_at, visit.chair_id, visit.prescriber_id)
    times = VisitTimes(visit.starts_at, visit.dose_starts_at, visit.dose_ends_at, visit.discharge_at, visit.ends_at)
    refused = next(facts.refusals(visit.pk, place, times), None)
    return refused is None and facts.taken(place, times, {visit.pk}) is None


def _dates(site: Site, during: DateTimeTZRange) -> set[date]:
    """The local dates of a time, and the one before: a visit that began then may last into it."""
    first = during.lower.astimezone(site.zone).date() - timedelta(days=1)
    last = (during.upper - timedelta(microseconds=1)).astimezone(site.zone).date()
    return {first + timedelta(days=number) for number in range((last - first).days + 1)}


def _local_range(site: Site, day: date, begins: time, ends: time) -> DateTimeTZRange:
    until = day if ends > begins else day + timedelta(days=1)
    return DateTimeTZRange(
        datetime.combine(day, begins, site.zone).astimezone(UTC),
        datetime.combine(until, ends, site.zone).astimezone(UTC),
    )


def _check_times(starts_at: datetime, ends_at: datetime, longest: timedelta, sentence: str) -> None:
    if starts_at.year not in YEARS or ends_at.year not in YEARS:
        raise Invalid.at("starts_at", str(OUT_OF_REACH))
    if not starts_at < ends_at:
        raise Invalid.at("ends_at", _("It ends after it begins."))
    if ends_at - starts_at > longest:
        raise Invalid.at("ends_at", sentence)


def _check_works_at(staff: Staff, site: Site) -> None:
    if not staff.sites.filter(pk=site.pk).exists():
        raise Invalid.at("staff", _("This person does not work at this site."))
