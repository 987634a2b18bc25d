"""Plans side by side: each as a card with a strip of its days, and what the site and the patient say to those days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.findings import Finding, Level
from clinic.models import Closure, OpeningHours, Site
from patients import eligibility
from scheduling.booking import Offer
from scheduling.drafts import Rows, edited, kept
from scheduling.protocols.types import Place, VisitShape, Wishes
from scheduling.protocols.windows import day_bounds, subtract

#: The days that a strip shows at least: the span of the default protocol's initial phase, both ends included.
SHOWN = 22

#: The most days in which a strip has room for numbers.
ROOM_FOR_NUMBERS = 36


@dataclass(frozen=True, slots=True)
class Calendar:
    """What a strip shows of days: the hours of each weekday on which the site ever opens, what is closed, and the dates
    on which the patient cannot come."""

    zone: tzinfo
    hours: Sequence[OpeningHours]
    closed: Sequence[tuple[datetime, datetime]] = ()
    away: frozenset[date] = frozenset()

    @classmethod
    def of(cls, site: Site, hours: Sequence[OpeningHours], away: frozenset[date], first: date, last: date) -> Calendar:
        """The site's from `first` to `last`, both included. One query."""
        during = DateTimeTZRange(day_bounds(first, site.zone)[0], day_bounds(last, site.zone)[1])
        closures = Closure.objects.filter(site=site, chair=None, during__overlap=during)
        return cls(site.zone, hours, [(closure.during.lower, closure.during.upper) for closure in closures], away)

    @property
    def weekdays(self) -> frozenset[int]:
        """Those on which the site ever opens."""
        return frozenset(row.weekday for row in self.hours)

    def kind(self, day: date) -> str:
        """How a day without a visit looks."""
        if day in self.away:
            return "away"
        opening = [
            (datetime.combine(day, row.opens, self.zone), datetime.combine(day, row.closes, self.zone))
            for row in self.hours
            if row.weekday == day.weekday()
        ]
        return "day" if subtract(opening, self.closed) else "shut"


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of a strip. `label`: its date is written below; `begins`: it is the first of its week."""

    day: date
    kind: str
    number: int | None
    begins: bool
    label: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One of up to three plans."""

    label: str
    chosen: bool
    done: date
    last_day: int
    gaps: tuple[int, int] | None
    wishes_met: int
    sessions: int
    edited: int
    warnings: int
    overrides: int
    blocks: int
    cells: tuple[Cell, ...]


def shown(offers: Sequence[Offer], rows: Rows, zone: tzinfo) -> tuple[date, date] | None:
    """The first and the last date that the strips of these plans can show, None without any."""
    places = [row.place for row in rows] + [session.place for offer in offers for session in offer.sessions]
    if not places:
        return None
    dates = [place.starts_at.astimezone(zone).date() for place in places]
    return min(dates), max(*dates, max(dates) + timedelta(days=SHOWN))


def cards(
    *,
    offers: Sequence[Offer],
    label: str,
    rows: Rows,
    findings: Sequence[Finding],
    calendar: Calendar,
    wishes: Wishes,
    shape: VisitShape,
) -> tuple[Card, ...]:
    """The plans to choose from; the chosen one as its rows stand after changes, with what is found about those."""
    result = []
    for offer in offers:
        chosen = offer.label == label
        places = [row.place for row in kept(rows)] if chosen else [session.place for session in offer.sessions]
        if places:
            changed = edited(rows) if chosen else ()
            found = findings if chosen else offer.findings
            result.append(_card(offer.label, places, changed, found, calendar, wishes, shape, chosen=chosen))
    return tuple(result)


def meets(wishes: Wishes, place: Place, shape: VisitShape, zone: tzinfo) -> bool:
    """Whether a place is as the patient wished, on the site's clocks."""
    return not unmet(wishes, place, shape, zone)


def unmet(wishes: Wishes, place: Place, shape: VisitShape, zone: tzinfo) -> tuple[str, ...]:
    """In which ways a place is not as the patient wished, in a few words each, on the site's clocks."""
    start = place.starts_at.astimezone(zone)
    home = (place.starts_at + shape.home_after).astimezone(zone)
    found = []
    if start.date() in wishes.except_dates or (wishes.weekdays and start.weekday() not in wishes.weekdays):
        found.append(_("on %(date)s") % {"date": date_format(start, "D j M")})
    early = wishes.not_before is not None and start.time() < wishes.not_before
    if early or (wishes.not_after is not None and start.time() > wishes.not_after):
        found.append(_("starts %(time)s") % {"time": f"{start:%H:%M}"})
    if wishes.home_by is not None and (home.date() != start.date() or home.time() > wishes.home_by):
        found.append(_("home %(time)s") % {"time": f"{home:%H:%M}"})
    return tuple(found)


def _card(
    label: str,
    places: Sequence[Place],
    changed: Rows,
    findings: Sequence[Finding],
    calendar: Calendar,
    wishes: Wishes,
    shape: VisitShape,
    *,
    chosen: bool,
) -> Card:
    dates = [_date(place, calendar.zone) for place in places]
    days = [(day - dates[0]).days for day in dates]
    gaps = [later - earlier for earlier, later in pairwise(days)]
    # What the screening says is the same of every plan, and stands above them.
    levels = [finding.level for finding in findings if finding.rule not in eligibility.RULES]
    return Card(
        label=label,
        chosen=chosen,
        done=dates[-1],
        last_day=days[-1],
        gaps=(min(gaps), max(gaps)) if gaps else None,
        wishes_met=sum(meets(wishes, place, shape, calendar.zone) for place in places),
        sessions=len(places),
        edited=len(changed),
        warnings=levels.count(Level.WARN),
        overrides=levels.count(Level.OVERRIDE),
        blocks=levels.count(Level.BLOCK),
        cells=_strip(dates, changed, calendar),
    )


def _strip(dates: Sequence[date], changed: Rows, calendar: Calendar) -> tuple[Cell, ...]:
    """The days from the first visit on, without the weekdays on which the site never opens."""
    numbers = {day: number for number, day in enumerate(dates, start=1)}
    moved = {_date(row.place, calendar.zone) for row in changed}
    left = {_date(row.was, calendar.zone) for row in changed if row.was}
    weekdays = calendar.weekdays
    reach = max((dates[-1] - dates[0]).days + 1, SHOWN)
    span = [dates[0] + timedelta(days=ahead) for ahead in range(reach)]
    days = [day for day in span if day in numbers or day in left or day.weekday() in weekdays]
    weeks = [day.isocalendar()[1] for day in days]
    cells = []
    for place, day in enumerate(days):
        if day in numbers:
            kind = "edited" if day in moved else "visit"
        else:
            kind = "was" if day in left else calendar.kind(day)
        first, last = place == 0, place == len(days) - 1
        # A date stands below every week's first day that is far enough from both ends to be read.
        middle = place > 0 and weeks[place] != weeks[place - 1] and 3 <= place <= len(days) - 5
        cells.append(
            Cell(
                day=day,
                kind=kind,
                number=numbers.get(day) if len(days) <= ROOM_FOR_NUMBERS else None,
                begins=place > 0 and weeks[place] != weeks[place - 1],
                label=first or last or (middle and len(days) <= ROOM_FOR_NUMBERS),
            )
        )
    return tuple(cells)


def _date(place: Place, zone: tzinfo) -> date:
    return place.starts_at.astimezone(zone).date()
