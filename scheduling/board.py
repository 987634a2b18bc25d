"""What the day board shows: one date of a site, read with the same number of queries however much there is to show.

Page and interface show the same values. Nothing here writes or locks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session as StoredSession
from django.db.models import (
    BooleanField,
    Case,
    Count,
    DateField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, RowNumber

from clinic.models import Chair, Closure, Role, Shift, Site, Staff
from patients import worklist
from patients.measures import PHQ9
from patients.models import Questionnaire, Score
from scheduling import lines, openings
from scheduling.models import FREED, UNDER_WAY, CourseEvent, Day, Session, SessionState, VitalsRound
from scheduling.models.wishes import call_asked, move_asked
from scheduling.openings import Booked, DayFacts
from scheduling.phases import Visit, seated
from scheduling.protocols.masks import OnShift
from scheduling.protocols.vitals import Vitals
from scheduling.protocols.windows import day_bounds

#: What rules and board need to know of a round of measurements.
MEASURED = ("taken_at", "systolic", "diastolic", "heart_rate", "spo2", "respiratory_rate", "sedation")

#: How far the next open day is looked for.
LOOK_AHEAD = timedelta(days=60)

Date = date  # in a class that has a field of that name


@dataclass(frozen=True, slots=True)
class ChairDay:
    """A chair and its visits in order of time."""

    chair: Chair
    visits: tuple[Visit, ...]

    @property
    def sessions(self) -> list[Session]:
        """The sessions alone, as the interface lists them."""
        return [visit.session for visit in self.visits]

    def after(self, visit: Visit) -> Visit | None:
        """Who comes next into the chair."""
        place = self.visits.index(visit) + 1
        return self.visits[place] if place < len(self.visits) else None


@dataclass(frozen=True, slots=True)
class Board:
    """One date of a site. `facts` are its hours, outages, shifts and bookings; `freed` the sessions that will not take
    place in their time, `shifts` those of prescribers and nurses with their people.

    `version` was read first: a board that is out of date while it is read knows an older version, never a newer one.
    `never_open`: the site has no opening hours on any weekday. `next_open`, on a closed date, is the first one after it
    on which the site treats, None when there is none within LOOK_AHEAD.
    """

    site: Site
    date: date
    now: datetime
    version: int
    facts: DayFacts
    closures: tuple[Closure, ...]
    chairs: tuple[ChairDay, ...]
    freed: tuple[Session, ...]
    shifts: tuple[Shift, ...]
    never_open: bool
    next_open: Date | None

    @property
    def opening(self) -> tuple[openings.Interval, ...]:
        """The hours in which it treats, closures taken off."""
        return tuple(self.facts.open)

    @property
    def closed(self) -> bool:
        """It does not treat at all on that date."""
        return not self.facts.open

    @property
    def visits(self) -> Iterator[Visit]:
        """Those of all chairs, chair by chair."""
        for row in self.chairs:
            yield from row.visits


@dataclass(frozen=True, slots=True)
class SiteDay:
    """A site, a date of its calendar and how often that date has changed."""

    site: Site
    date: date
    version: int


def site_day(*, actor: Staff, site: int | None = None, day: date | None = None, now: datetime) -> SiteDay | None:
    """The version of a date: today's without `day`, at the actor's first site by name without `site`. One query.

    None when the actor does not work at that site, or at any.
    """
    sites = actor.sites.all() if site is None else actor.sites.filter(pk=site)
    local = Func(F("time_zone"), Value(now, DateTimeField()), function="timezone", output_field=DateTimeField())
    wanted = Value(day, DateField()) if day else Cast(local, DateField())
    version = Day.objects.filter(site=OuterRef("pk"), date=OuterRef("wanted")).values("version")
    found = sites.annotate(wanted=wanted, version=Coalesce(Subquery(version), 0)).order_by("name").first()
    return SiteDay(found, found.wanted, found.version) if found else None


def board(today: SiteDay, *, now: datetime) -> Board:
    """What every chair of a site does on a date. Seven queries, beside the one of `site_day`."""
    site, day = today.site, today.date
    bounds = day_bounds(day, site.zone)
    hours = openings.hours_of(site)
    ahead = Closure.objects.filter(site=site, during__startswith__lt=bounds[1] + LOOK_AHEAD)
    closures = list(
        ahead.filter(during__endswith__gt=bounds[0]).select_related("chair").order_by("during__startswith", "pk")
    )
    closed = [(closure.chair_id, (closure.during.lower, closure.during.upper)) for closure in closures]
    facts = openings.opened(day, site.zone, hours, closed)
    sessions: dict[int, list[Session]] = {}
    freed = []
    for session in _sessions(site, day):
        session.site = site
        if session.state in FREED:
            freed.append(session)
            continue
        sessions.setdefault(session.chair_id, []).append(session)
        facts.booked.append(_booked(session))
    rounds = _rounds(site, day)
    shifts = list(_shifts(site, bounds))
    off_from = {shift.staff_id: shift.during.upper for shift in sorted(shifts, key=lambda one: one.during.upper)}
    facts.shifts = [
        OnShift(shift.staff_id, shift.during.lower, shift.during.upper, shift.patients_at_once)
        for shift in shifts
        if shift.staff.is_prescriber
    ]
    chairs = Chair.objects.filter(Q(active=True) | Q(pk__in=sessions), site=site).order_by("position", "name")
    return Board(
        site=site,
        date=day,
        now=now,
        version=today.version,
        facts=facts,
        closures=tuple(closure for closure in closures if closure.during.lower < bounds[1]),
        chairs=tuple(
            ChairDay(chair, tuple(seated(sessions.get(chair.pk, ()), rounds, off_from, now))) for chair in chairs
        ),
        freed=tuple(freed),
        shifts=tuple(shifts),
        never_open=not hours,
        next_open=None if facts.open else _next_open(site, day, hours, closed),
    )


@dataclass(frozen=True, slots=True)
class Pulse:
    """What an open page compares with what it shows: the version of its dates, and how many tasks wait."""

    version: int
    tasks: int


def pulse(*, key: str, site: int, dates: Collection[date], now: datetime) -> Pulse | None:
    """The pulse of some dates, for whoever is signed in by the session of this key; None for anybody else. One query.

    `now` is the machine's clock, by which sessions end. That the person may still see is judged where the page is read.
    """
    days = Day.objects.filter(site=site, date__in=dates).order_by().values("site")
    version = days.annotate(total=Sum("version")).values("total")
    tasks = lines.waiting(now).order_by()
    waiting = tasks.values("done_at").annotate(count=Count("pk")).values("count")
    found = (
        StoredSession.objects.filter(session_key=key, expire_date__gt=now)
        .values_list("session_data", Coalesce(Subquery(version), 0), Coalesce(Subquery(waiting), 0))
        .first()
    )
    if found is None or SESSION_KEY not in SessionStore().decode(found[0]):
        return None
    return Pulse(found[1], found[2])


def _rounds(site: Site, day: date) -> dict[int, list[Vitals]]:
    """The last two rounds of each visit that is running on the date, by session: the last is what counts, from the one
    before it a pressure falls or rises. One query."""
    nth = Window(RowNumber(), partition_by=F("session"), order_by=F("taken_at").desc())
    found = (
        VitalsRound.objects.filter(
            session__site=site, session__local_date=day, session__state__in=UNDER_WAY, voided_at=None
        )
        .annotate(nth=nth)
        .filter(nth__lte=2)
        .order_by("taken_at")
        .values_list("session", *MEASURED)
    )
    rounds: dict[int, list[Vitals]] = {}
    for session, *values in found:
        rounds.setdefault(session, []).append(Vitals(**dict(zip(MEASURED, values, strict=True))))
    return rounds


def _sessions(site: Site, day: date) -> QuerySet[Session]:
    """Every session of the date, by start, with what is named beside it: `route` of its protocol, `of`, how many
    visits stand in the same phase of its course, `held_until` of the course, the `escort` as written down,
    `escort_told` by the patient beforehand, whether the patient has `said_alone` to come, when they have sent the form
    (`form_at`), whether they asked for another time (`move_asked`) or for a call (`call_asked`), and whether an answer
    to item 9 is `unseen`. Two queries: few prescribers have many visits."""
    found = Session.objects.filter(site=site, local_date=day).in_order().with_count()
    alarming = Score.objects.filter(patient=OuterRef("patient"), item_9__gt=0, seen_at=None, voided_at=None)
    sent = Questionnaire.objects.filter(session=OuterRef("pk"), instrument=PHQ9.code, score__voided_at=None)
    return (
        found.select_related("patient")
        .prefetch_related("prescriber")
        .annotate(
            held_until=F("course__held_until"),
            route=KeyTextTransform("route", "course__protocol__data"),
            escort=F("record__escort_name"),
            escort_told=F("reply__escort_name"),
            form_at=Subquery(sent.values("sent_at")),
            move_asked=move_asked(),
            call_asked=call_asked(),
            said_alone=_said_alone(),
            unseen=Exists(alarming) | Exists(worklist.unseen_before_sending().filter(patient=OuterRef("patient"))),
        )
    )


def _said_alone() -> Case:
    """Whether the patient alone said yes to a session that is confirmed, behind a mail's link: the latest word counts,
    and its event names nobody then."""
    said = CourseEvent.objects.filter(
        course=OuterRef("course"),
        kind="confirmed",
        details__sessions__contains=Func(OuterRef("pk"), function="to_jsonb"),
    )
    alone = said.order_by("-at", "-pk").values(alone=ExpressionWrapper(Q(by=None), BooleanField()))
    return Case(When(state=SessionState.CONFIRMED, then=Subquery(alone[:1])), output_field=BooleanField(null=True))


def _shifts(site: Site, bounds: openings.Interval) -> QuerySet[Shift]:
    """The shifts that touch the date, of prescribers and nurses who work here, in the order of their names."""
    found = Shift.objects.filter(
        Q(staff__is_prescriber=True) | Q(staff__role=Role.NURSE),
        site=site,
        staff__is_active=True,
        staff__sites=site,
        during__startswith__lt=bounds[1],
        during__startswith__gt=bounds[0] - timedelta(days=1),  # constraint shift_within_a_day; an index serves it
        during__endswith__gt=bounds[0],
    )
    return found.select_related("staff").order_by("staff__last_name", "staff", "during__startswith")


def _booked(session: Session) -> Booked:
    return Booked(
        session.pk,
        session.chair_id,
        session.prescriber_id,
        session.starts_at,
        session.ends_at,
        session.dose_starts_at,
        session.discharge_at,
    )


def _next_open(site: Site, day: date, hours: openings.Hours, closed: Sequence[openings.Closed]) -> date | None:
    ahead = (day + timedelta(days=number) for number in range(1, LOOK_AHEAD.days + 1))
    return next((later for later in ahead if openings.opened(later, site.zone, hours, closed).open), None)
