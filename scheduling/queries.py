"""What the screens show: one read for each, with the same number of queries however much there is to show.

Pages and interface show the same values. Nothing here writes or locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import DateField, DateTimeField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce

from clinic.findings import Finding
from clinic.models import Chair, Closure, Site, Staff
from patients.models import Patient, Task
from scheduling import openings
from scheduling.models import (
    Course,
    CourseState,
    Day,
    Mail,
    PhaseChoice,
    ProtocolVersion,
    Session,
    SessionState,
)
from scheduling.protocols import spacing
from scheduling.protocols.types import Phase, Protocol, Spot
from scheduling.protocols.windows import day_bounds

# The day board


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done next about a visit: `arrival`, `dose`, `dose-end` or `discharge`, at its planned time."""

    what: str
    at: datetime
    overdue: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """A session on the board, with its patient and prescriber, and what is due about it."""

    session: Session
    due: tuple[Due, ...]


@dataclass(frozen=True, slots=True)
class ChairDay:
    """A chair and its visits in order of time."""

    chair: Chair
    visits: tuple[Visit, ...]

    @property
    def sessions(self) -> list[Session]:
        return [visit.session for visit in self.visits]


@dataclass(frozen=True, slots=True)
class Board:
    """One date of a site. `opening` are the hours in which it treats, closures taken off; `closed`: it has none.

    `version` was read first: a board that is out of date while it is read knows an older version, never a newer one.
    """

    site: Site
    date: date
    now: datetime
    version: int
    opening: tuple[openings.Interval, ...]
    closures: tuple[Closure, ...]
    chairs: tuple[ChairDay, ...]

    @property
    def closed(self) -> bool:
        return not self.opening

    @property
    def visits(self) -> Iterator[Visit]:
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
    """What every chair of a site does on a date. Five queries, beside the one of `site_day`."""
    site, day = today.site, today.date
    start, end = day_bounds(day, site.zone)
    closures = Closure.objects.filter(site=site, during__startswith__lt=end, during__endswith__gt=start)
    visits: dict[int, list[Visit]] = {}
    sessions = Session.objects.filter(site=site, local_date=day).live().in_order()
    for session in sessions.select_related("patient", "prescriber", "course"):
        session.site = site
        visits.setdefault(session.chair_id, []).append(Visit(session, due(session, now)))
    chairs = Chair.objects.filter(Q(active=True) | Q(pk__in=visits), site=site).order_by("position", "name")
    return Board(
        site=site,
        date=day,
        now=now,
        version=today.version,
        opening=tuple(_open(site, [day])[day]),
        closures=tuple(closures.select_related("chair").order_by("during__startswith", "pk")),
        chairs=tuple(ChairDay(chair, tuple(visits.get(chair.pk, ()))) for chair in chairs),
    )


#: What is due about a visit in each of the states in which something is.
_DUE: Mapping[str, tuple[str, str]] = {
    SessionState.HELD: ("arrival", "starts_at"),
    SessionState.BOOKED: ("arrival", "starts_at"),
    SessionState.CONFIRMED: ("arrival", "starts_at"),
    SessionState.CHECKED_IN: ("dose", "dose_starts_at"),
    SessionState.GIVING: ("dose-end", "dose_ends_at"),
    SessionState.MONITORING: ("discharge", "discharge_at"),
    SessionState.READY: ("discharge", "discharge_at"),
}


def due(session: Session, now: datetime) -> tuple[Due, ...]:
    """What is to be done next about a visit, by its planned times; nothing once it is over."""
    if session.state not in _DUE:
        return ()
    what, at = _DUE[session.state]
    moment: datetime = getattr(session, at)
    return (Due(what, moment, overdue=moment < now),)


def next_open_day(site: Site, after: date, *, days: int = 60) -> date | None:
    """The first date after `after` on which the site treats, None within so many days. Two queries."""
    ahead = [after + timedelta(days=number) for number in range(1, days + 1)]
    return next((day for day, hours in _open(site, ahead).items() if hours), None)


def _open(site: Site, dates: Sequence[date]) -> dict[date, list[openings.Interval]]:
    """Opening hours less closures of these dates, in their order. Two queries: no place, so no shifts or bookings."""
    return {day: facts.open for day, facts in openings.read(site, dates, places=()).items()}


# Courses


def courses() -> QuerySet[Course]:
    """Every course with all that belongs to it, the newest first. Four queries with its rows."""
    return Course.objects.with_history().order_by("-pk")


def findings_of(found: Sequence[Course]) -> dict[int, tuple[Finding, ...]]:
    """What the schedule rules say to the courses as they stand, by id; findings name sessions by id. One query.

    The courses come from `courses`, or with their sessions fetched otherwise.
    """
    standing: dict[int, list[Session]] = {}
    patients = {course.patient_id for course in found}
    for session in Session.objects.filter(patient__in=patients).live().only("course", "patient", "phase", "during"):
        standing.setdefault(session.patient_id, []).append(session)
    protocols: dict[int, Protocol] = {}
    findings = {}
    for course in found:
        if course.protocol_id not in protocols:
            protocols[course.protocol_id] = course.protocol.protocol
        findings[course.pk] = _judged(course, protocols[course.protocol_id], standing.get(course.patient_id, ()))
    return findings


def _judged(course: Course, protocol: Protocol, standing: Iterable[Session]) -> tuple[Finding, ...]:
    """The initial phase is over once maintenance is decided or the course has ended with its treatment."""
    ended = course.state in (CourseState.COMPLETED, CourseState.STOPPED)
    spots = [
        Spot(session.pk, session.starts_at, Phase(session.phase), counts=session.course_id == course.pk)
        for session in standing
    ]
    mine = {spot.ref for spot in spots if spot.counts}
    found = spacing.judge(
        protocol=protocol,
        sessions=spots,
        zone=course.site.zone,
        closed=ended or course.phase == PhaseChoice.MAINTENANCE,
    )
    return tuple(finding for finding in found if mine.intersection(finding.sessions) or not finding.sessions)


# Patients and what waits


@dataclass(frozen=True, slots=True)
class PatientPage:
    """A patient, all courses (the newest first) with their findings, open worklist lines and the latest mails."""

    patient: Patient
    courses: tuple[Course, ...]
    findings: Mapping[int, tuple[Finding, ...]]
    tasks: tuple[Task, ...]
    mails: tuple[Mail, ...]

    @property
    def running(self) -> Course | None:
        """The course under way; a patient has at most one."""
        return next((course for course in self.courses if course.ended_at is None), None)


def patient_page(patient: Patient, *, mails: int = 20) -> PatientPage:
    """Everything a patient's page shows. Seven queries."""
    found = tuple(courses().filter(patient=patient))
    return PatientPage(
        patient=patient,
        courses=found,
        findings=findings_of(found),
        tasks=tuple(worklist().filter(patient=patient)),
        mails=tuple(reminders().filter(patient=patient).order_by("-due_at", "-pk")[:mails]),
    )


def with_running_course(patients: QuerySet[Patient]) -> QuerySet[Patient]:
    """The same patients, each with `running`: the id of the course under way, or None."""
    course = Course.objects.running().filter(patient=OuterRef("pk")).values("pk")
    return patients.annotate(running=Subquery(course))


def worklist() -> QuerySet[Task]:
    """The lines that wait for somebody, the oldest first, with patient and course. One query."""
    return Task.objects.filter(done_at=None).select_related("patient", "course__site").order_by("since", "pk")


def reminders() -> QuerySet[Mail]:
    """Every mail that waits, went out, failed or was withdrawn, by when it is due. One query."""
    return Mail.objects.select_related("course__site", "session", "patient").order_by("due_at", "pk")


def protocols() -> QuerySet[ProtocolVersion]:
    """The protocols that a course can be booked by: the newest version of each that is not retired. One query."""
    newer = ProtocolVersion.objects.filter(code=OuterRef("code"), version__gt=OuterRef("version"), retired=False)
    return ProtocolVersion.objects.filter(~Exists(newer), retired=False).order_by("pk")
