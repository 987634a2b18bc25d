"""The calendar's read: what chairs or prescribers do on some dates, with the same number of queries however much it is.

All times are wall times of the site, as minutes since the local midnight of their date: what a reader's own clock shows
has no part in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple

from django.db.models import Q, Sum

from clinic.models import Chair, Closure, Site, Staff
from scheduling import openings
from scheduling.models import OPEN, Day, PhaseChoice, Session, SessionState
from scheduling.protocols.types import GRID_MINUTES
from scheduling.protocols.windows import day_bounds, subtract

DAY = 24 * 60
#: What is shown of a week in which the site never opens and nobody comes (P).
USUAL_HOURS = (8 * 60, 18 * 60)

Minutes = tuple[int, int]


class Visit(NamedTuple):
    """A visit on the calendar. `shape` are the minutes of its phases, `of` the visits planned in an initial phase,
    `expected` when a patient who comes late has said to come."""

    session: int
    course: int
    chair: int
    prescriber: int
    date: date
    start: int
    end: int
    shape: tuple[int, int, int, int]
    state: SessionState
    phase: PhaseChoice
    number: int
    of: int
    family: str
    first: str
    needs_replan: bool
    expected: int | None

    @property
    def movable(self) -> bool:
        """The patient has not come yet."""
        return self.state in OPEN


class Off(NamedTuple):
    """A time of a date in which the site, one chair or one prescriber does not treat; without a reason: closed."""

    date: date
    start: int
    end: int
    reason: str = ""
    chair: int | None = None
    prescriber: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A date: when the site treats on it, and why not."""

    date: date
    opening: tuple[Minutes, ...]
    reasons: tuple[str, ...]
    visits: int

    @property
    def closed(self) -> bool:
        """The site does not treat at all on it."""
        return not self.opening


@dataclass(frozen=True, slots=True)
class Week:
    """Some dates of a site. `hours` span all opening hours and visits, in whole hours.

    `version` is that of the whole week around them; it was read first: what is out of date while it is read knows an
    older version, never a newer one.
    """

    site: Site
    version: int
    days: tuple[Column, ...]
    hours: Minutes
    chairs: tuple[Chair, ...]
    prescribers: tuple[Staff, ...]
    visits: tuple[Visit, ...]
    off: tuple[Off, ...]


def week_of(day: date) -> list[date]:
    """Monday to Sunday around a date."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=number) for number in range(7)]


def version(site: Site, dates: Collection[date]) -> int:
    """How often these dates have changed; it only grows. One query."""
    return Day.objects.filter(site=site, date__in=dates).aggregate(total=Sum("version"))["total"] or 0


def read(site: Site, dates: Sequence[date], *, shifts: bool = False) -> Week:
    """What happens on these dates, in order of time. Seven queries, two more with the prescribers' `shifts`.

    Of several dates those are left out on which the site never opens and nobody comes.
    """
    at = version(site, week_of(dates[0]))
    zone = site.zone
    facts = openings.read(site, dates, None if shifts else ())
    closures = _closures(site, dates)
    visits = tuple(_visits(site, Q(local_date__in=dates)))
    count = Counter(visit.date for visit in visits)
    usual = [day for day in dates if facts[day].opening or count[day]] or dates
    days = tuple(
        Column(
            date=day,
            opening=tuple(_wall(day, span, zone) for span in facts[day].open),
            reasons=tuple(
                closure.reason for closure in closures if closure.chair_id is None and _on(closure, day, zone)
            ),
            visits=count[day],
        )
        for day in usual
    )
    opening = [_wall(day, span, zone) for day in usual for span in facts[day].opening]
    spans = [*opening, *((visit.start, visit.end) for visit in visits)] or [USUAL_HOURS]
    hours = (min(start for start, _ in spans) // 60 * 60, -(max(end for _, end in spans) // -60) * 60)
    prescribers = Staff.objects.filter(
        Q(is_prescriber=True, is_active=True, sites=site) | Q(pk__in={visit.prescriber for visit in visits})
    )
    chairs = Chair.objects.filter(Q(active=True) | Q(pk__in={visit.chair for visit in visits}), site=site)
    week = Week(
        site=site,
        version=at,
        days=days,
        hours=hours,
        chairs=tuple(chairs.order_by("position", "name")),
        prescribers=tuple(prescribers.distinct().order_by("last_name", "first_name", "pk")),
        visits=visits,
        off=(),
    )
    off = [*_closed(week, facts, closures), *_out_of_order(week, closures), *(_absent(week, facts) if shifts else ())]
    return replace(week, off=tuple(off))


_COLUMNS = (
    "pk",
    "course_id",
    "chair_id",
    "prescriber_id",
    "local_date",
    "during",
    "dose_starts_at",
    "dose_ends_at",
    "discharge_at",
    "state",
    "phase",
    "number",
    "patient__last_name",
    "patient__first_name",
    "needs_replan",
    "expected_at",
    "of",
)


def visit(site: Site, session: int) -> Visit | None:
    """One visit, wherever it is on the calendar; None when it does not keep its time any more. One query."""
    return next(_visits(site, Q(pk=session)), None)


def _visits(site: Site, which: Q) -> Iterator[Visit]:
    """The live sessions that are meant, in order of time. One query."""
    rows = Session.objects.filter(which, site=site).live().in_order().with_count().values_list(*_COLUMNS)
    for session, course, chair, prescriber, day, during, dose, dosed, home, state, phase, number, *rest in rows:
        instants = (during.lower, dose, dosed, home, during.upper)
        shape = [int((later - earlier).total_seconds()) // 60 for earlier, later in pairwise(instants)]
        start, end = _wall(day, (during.lower, during.upper), site.zone)
        family, first, needs_replan, expected_at, of = rest
        yield Visit(
            session=session,
            course=course,
            chair=chair,
            prescriber=prescriber,
            date=day,
            start=start,
            # In the fold of autumn the clocks show less than what passes; what is drawn has a width all the same.
            end=max(end, start + GRID_MINUTES),
            shape=(shape[0], shape[1], shape[2], shape[3]),
            state=SessionState(state),
            phase=PhaseChoice(phase),
            number=number,
            of=of,
            family=family,
            first=first,
            needs_replan=needs_replan,
            expected=minutes_of(day, expected_at, site.zone) if expected_at else None,
        )


def _closures(site: Site, dates: Sequence[date]) -> list[Closure]:
    since, until = day_bounds(min(dates), site.zone)[0], day_bounds(max(dates), site.zone)[1]
    closures = Closure.objects.filter(site=site, during__startswith__lt=until, during__endswith__gt=since)
    return list(closures.order_by("during__startswith", "pk"))


def _closed(week: Week, facts: dict[date, openings.DayFacts], closures: Sequence[Closure]) -> Iterator[Off]:
    """What is left of the shown hours when the opening hours are taken off, and each closure with its reason."""
    zone = week.site.zone
    for column in week.days:
        opening = [_wall(column.date, span, zone) for span in facts[column.date].opening]
        for start, end in subtract([week.hours], opening):
            yield Off(column.date, start, end)
        for closure in closures:
            if closure.chair_id is None and _on(closure, column.date, zone):
                for start, end in _shown(week, column.date, closure):
                    yield Off(column.date, start, end, closure.reason)


def _out_of_order(week: Week, closures: Sequence[Closure]) -> Iterator[Off]:
    for column in week.days:
        for closure in closures:
            if closure.chair_id is not None and _on(closure, column.date, week.site.zone):
                for start, end in _shown(week, column.date, closure):
                    yield Off(column.date, start, end, closure.reason, chair=closure.chair_id)


def _absent(week: Week, facts: dict[date, openings.DayFacts]) -> Iterator[Off]:
    """What is left of the opening hours when a prescriber's shifts are taken off."""
    zone = week.site.zone
    for column in week.days:
        for prescriber in week.prescribers:
            here = [
                _wall(column.date, (shift.starts_at, shift.ends_at), zone)
                for shift in facts[column.date].shifts
                if shift.prescriber == prescriber.pk
            ]
            for start, end in subtract(column.opening, here):
                yield Off(column.date, start, end, prescriber=prescriber.pk)


def _on(closure: Closure, day: date, zone: tzinfo) -> bool:
    start, end = day_bounds(day, zone)
    return bool(closure.during.lower < end and closure.during.upper > start)


def _shown(week: Week, day: date, closure: Closure) -> list[Minutes]:
    """The part of a closure that lies on a date and in the hours that are shown."""
    start, end = _wall(day, (closure.during.lower, closure.during.upper), week.site.zone)
    start, end = max(start, week.hours[0]), min(end, week.hours[1])
    return [(start, end)] if start < end else []


def _wall(day: date, span: tuple[datetime, datetime], zone: tzinfo) -> Minutes:
    """What the site's clocks show at both ends of a span, as minutes since a date's midnight."""
    start, end = (minutes_of(day, at, zone) for at in span)
    return start, end


def minutes_of(day: date, at: datetime, zone: tzinfo) -> int:
    """What the site's clocks show, as minutes since a date's midnight: 540 is nine; less than 0 is the day before."""
    local = at.astimezone(zone)
    return (local.date() - day).days * DAY + local.hour * 60 + local.minute
