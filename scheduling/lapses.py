"""What time brings onto the worklist: a score that is overdue, a month without a session, a minimum out of reach, a
record or a form that is not finished, a course without dates, a patient without an address.

Beat has all courses looked at; the lines that should be there are found with the same number of queries however many
courses there are, then compared with those that are. A line goes by itself when its reason is gone, and what somebody
has taken off by hand is not put on again for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Subquery

from patients.measures import PHQ9
from patients.models import Score, Task, TaskKind
from patients.worklist import CLOSED_BY_ACT
from scheduling.models import (
    DOSED,
    LIVE,
    OPEN,
    RUNNING,
    UNDER_WAY,
    Course,
    CourseState,
    PhaseChoice,
    ProtocolVersion,
    Session,
    SessionState,
)
from scheduling.protocols import progress
from scheduling.protocols.types import Phase, Protocol
from scheduling.protocols.visit_safety import BASELINE_DAYS, FORM_DAYS

#: A PHQ-9 is asked for so long before the first dose (P), for which it may be up to BASELINE_DAYS old.
ASKED_AHEAD = timedelta(days=2)
BASELINE = timedelta(days=BASELINE_DAYS)

#: After a dose a PHQ-9 is overdue when none has come for so long, in maintenance for so long (both P; it looks back two
#: weeks).
SCORE_AFTER = timedelta(days=7)
SCORE_AFTER_MAINTENANCE = timedelta(days=14)

#: A visit whose record is still open so long after its planned end is forgotten (P).
RECORD_AFTER = timedelta(hours=2)

#: A month without a session is said so many days before it ends (P).
MONTH_WARNING_DAYS = 7

#: The lines that are opened and closed here.
WATCHED = (
    TaskKind.SCORE_OVERDUE,
    TaskKind.MONTH_EMPTY,
    TaskKind.REACH,
    TaskKind.OPEN_RECORD,
    TaskKind.OPEN_FORM,
    TaskKind.NO_DATES,
    TaskKind.NO_ADDRESS,
    TaskKind.PHASE_END,
)

#: What only a running course can still bring.
OF_A_RUNNING_COURSE = (TaskKind.RELAPSE, TaskKind.NO_BENEFIT, TaskKind.PHASE_END)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that should be on the worklist."""

    kind: TaskKind
    patient: int
    course: int
    key: str = ""
    details: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> tuple[str, int, str]:
        """What tells it from others: there is one open line of the name at most."""
        return self.kind, self.patient, self.key


@dataclass(frozen=True, slots=True)
class Standing:
    """A course as far as time judges it: its live sessions by planned start, when the patient's last PHQ-9 was."""

    course: Course
    protocol: Protocol
    sessions: Sequence[Session]
    scored_at: datetime | None
    now: datetime

    @property
    def today(self) -> date:
        """The local date at the course's site."""
        return self.now.astimezone(self.course.site.zone).date()

    @property
    def given(self) -> list[Session]:
        """Those in which drug was given."""
        return [session for session in self.sessions if session.state in DOSED]

    @property
    def coming(self) -> list[Session]:
        """Those that are still to come, or under way."""
        return [session for session in self.sessions if session.state in UNDER_WAY or self._is_ahead(session)]

    def _is_ahead(self, session: Session) -> bool:
        return session.state in OPEN and session.ends_at > self.now

    def line(self, kind: TaskKind, key: str = "", **details: Any) -> Line:
        """A line about this course."""
        return Line(kind, self.course.patient_id, self.course.pk, key, details)


def review(*, now: datetime, course: Course | None = None) -> None:
    """Bring the worklist in line with the clock, for all courses or one. Eight queries, one transaction; locks the
    lines that it closes."""
    with transaction.atomic():
        wanted = {line.name: line for line in (*_of_courses(now, course), *_of_records(now, course))}
        # A line that somebody has taken off by hand is known by its name as long as its course runs. One that goes with
        # an act only comes again while its reason stands: the act may have been undone, or have been another decision.
        by_hand = Q(done_by__isnull=False, course__state__in=RUNNING) & ~Q(kind__in=CLOSED_BY_ACT)
        known = Task.objects.filter(Q(done_at=None) | by_hand, kind__in=WATCHED)
        if course is not None:
            known = known.filter(course=course)
        lines = list(known.values_list("pk", "kind", "patient", "key", "done_at"))
        gone = [
            pk
            for pk, kind, patient, key, done_at in lines
            if done_at is None and (kind, patient, key) not in wanted and _is_ours(kind, key)
        ]
        ended = Q(kind__in=OF_A_RUNNING_COURSE, done_at=None, course__isnull=False) & ~Q(course__state__in=RUNNING)
        Task.objects.filter(Q(pk__in=gone) | ended).update(done_at=now)
        there = {(kind, patient, key) for _pk, kind, patient, key, _done_at in lines}
        Task.objects.bulk_create(
            (
                Task(
                    kind=line.kind,
                    patient_id=line.patient,
                    course_id=line.course,
                    key=line.key,
                    details=line.details,
                    since=now,
                )
                for name, line in wanted.items()
                if name not in there
            ),
            ignore_conflicts=True,
        )


def _is_ours(kind: str, key: str) -> bool:
    """Others open lines of these kinds as well: a score the end of the phase, a decision that finds no date, a mail
    without an address."""
    match kind:
        case TaskKind.PHASE_END:
            return key.startswith("given-")
        case TaskKind.NO_DATES:
            return not key
        case TaskKind.NO_ADDRESS:
            return False
        case _:
            return True


def _of_courses(now: datetime, only: Course | None) -> Iterator[Line]:
    """What active courses lack, and those whose pause is over. Three queries."""
    latest = (
        Score.objects.filter(patient=OuterRef("patient"), instrument=PHQ9.code, voided_at=None)
        .values("patient")
        .annotate(latest=Max("taken_at"))
        .values("latest")
    )
    ending = Task.objects.filter(
        course=OuterRef("pk"),
        kind__in=(TaskKind.PHASE_END, TaskKind.NO_BENEFIT),
        key__startswith="score-",
        done_at=None,
    )
    wanted = Task.objects.filter(course=OuterRef("pk"), kind=TaskKind.NO_DATES, done_at=None).exclude(key="")
    active: QuerySet[Course] = Course.objects.filter(
        Q(state=CourseState.ACTIVE) | Q(state=CourseState.PAUSED, paused_until__isnull=False),
        **({"pk": only.pk} if only is not None else {}),
    )
    found = list(
        active.select_related("patient", "site").annotate(
            scored_at=Subquery(latest), asked=Subquery(ending.values("pk")[:1]), wanted=Exists(wanted)
        )
    )
    protocols = {
        version.pk: version.protocol
        for version in ProtocolVersion.objects.filter(pk__in={course.protocol_id for course in found})
    }
    sessions: dict[int, list[Session]] = {}
    for session in Session.objects.filter(course__in=found, state__in=LIVE).in_order():
        sessions.setdefault(session.course_id, []).append(session)
    for course in found:
        standing = Standing(course, protocols[course.protocol_id], sessions.get(course.pk, ()), course.scored_at, now)
        if course.state == CourseState.PAUSED:
            yield from _pause_over(standing, wanted=course.wanted)
            continue
        yield from _score_overdue(standing)
        yield from _month_empty(standing)
        yield from _dates(standing, asked=course.asked is not None, wanted=course.wanted)
        if not course.patient.email and any(session.state in OPEN for session in standing.coming):
            yield standing.line(TaskKind.NO_ADDRESS)


def _pause_over(standing: Standing, *, wanted: bool) -> Iterator[Line]:
    """A course that was to rest until today and has no dates."""
    until = standing.course.paused_until
    if until is not None and until <= standing.today and not (standing.coming or wanted):
        yield standing.line(TaskKind.NO_DATES)


def _score_overdue(standing: Standing) -> Iterator[Line]:
    """A PHQ-9 is due before each dose. Overdue: the first dose is near and there is no baseline, a dose was given
    without one since the dose before, or none has come for a while since the last."""
    given, scored_at = standing.given, standing.scored_at
    if not given:
        first = next((session for session in standing.coming if session.state in OPEN), None)
        if first is None or first.starts_at - standing.now > ASKED_AHEAD:
            return
        if scored_at is None or scored_at < first.starts_at - BASELINE:
            yield standing.line(TaskKind.SCORE_OVERDUE, f"session-{first.pk}", number=first.number)
        return
    last = given[-1]
    began = last.dose_started_at or last.dose_starts_at
    before = given[-2].dose_started_at or given[-2].dose_starts_at if len(given) > 1 else began - BASELINE
    maintenance = standing.course.phase == PhaseChoice.MAINTENANCE
    patience = SCORE_AFTER_MAINTENANCE if maintenance else SCORE_AFTER
    missed = scored_at is None or scored_at <= before
    silent = scored_at is None or (scored_at <= began and standing.now - began >= patience)
    if missed or silent:
        yield standing.line(TaskKind.SCORE_OVERDUE, f"session-{last.pk}", number=last.number)


def _month_empty(standing: Standing) -> Iterator[Line]:
    """`month-min`: the last full month in maintenance had no session and none is booked since, or this one has none and
    is nearly over."""
    if standing.course.phase != PhaseChoice.MAINTENANCE or not standing.protocol.month_min:
        return
    ended_on = [session.local_date for session in standing.given if session.phase != PhaseChoice.MAINTENANCE]
    if not ended_on:
        return
    owed = progress.first_owed_month(max(ended_on))
    this = standing.today.replace(day=1)
    last = (this - timedelta(days=1)).replace(day=1)
    dates = [session.local_date for session in standing.sessions]
    if owed <= last and not any(day >= last for day in dates):
        empty = last
    elif owed <= this and not any((day.year, day.month) == (this.year, this.month) for day in dates):
        following = (this + timedelta(days=31)).replace(day=1)
        if (following - standing.today).days > MONTH_WARNING_DAYS:
            return
        empty = this
    else:
        return
    yield standing.line(TaskKind.MONTH_EMPTY, f"{empty:%Y-%m}", month=empty.isoformat())


def _dates(standing: Standing, *, asked: bool, wanted: bool) -> Iterator[Line]:
    """`reach`: the minimum can no longer be reached; else a course without dates: it owes sessions, unless a decision
    has asked the desk for them already, or the phase has been given and waits for a decision, unless a score has asked
    for that already."""
    course, protocol = standing.course, standing.protocol
    initial = [session for session in standing.sessions if session.phase == PhaseChoice.INITIAL]
    if course.phase == PhaseChoice.INITIAL and initial and len(initial) < protocol.initial_min:
        first = initial[0].local_date
        days = [(session.local_date - first).days for session in initial]
        if not progress.reachable(protocol, standing=days, today=(standing.today - first).days):
            yield standing.line(
                TaskKind.REACH,
                f"{course.pk}-{len(initial)}",
                standing=len(initial),
                least=protocol.initial_min,
                longest=protocol.limits["span-max"].value,
            )
            return
    if standing.coming:
        return
    taper = sum(session.phase == PhaseChoice.TAPER for session in standing.given)
    owed = progress.next_phase(
        protocol,
        initial=sum(session.phase == PhaseChoice.INITIAL for session in standing.given),
        taper=taper,
        decided=Phase(course.phase) == Phase.MAINTENANCE,
    )
    if owed is not None:
        if not wanted:
            yield standing.line(TaskKind.NO_DATES)
    elif not (asked or wanted):
        yield standing.line(TaskKind.PHASE_END, f"given-{len(standing.given)}")


def _of_records(now: datetime, only: Course | None) -> Iterator[Line]:
    """Visits whose time is over and whose record is open, and forms that wait. Two queries."""
    late = Session.objects.filter(
        state__in=(*UNDER_WAY, SessionState.BOOKED, SessionState.CONFIRMED), during__endswith__lte=now - RECORD_AFTER
    )
    forms = Session.objects.filter(
        state__in=(SessionState.DISCHARGED, SessionState.LEFT_EARLY, SessionState.TRANSFERRED),
        course__protocol__data__drug="esketamine",
        record__form_sent_at=None,
        record__isnull=False,
    )
    if only is not None:
        late, forms = late.filter(course=only), forms.filter(course=only)
    for session in late:
        awaited = {"awaited": session.state not in UNDER_WAY}
        yield Line(TaskKind.OPEN_RECORD, session.patient_id, session.course_id, f"session-{session.pk}", awaited)
    for session in forms:
        due = {"due": (session.local_date + timedelta(days=FORM_DAYS)).isoformat()}
        yield Line(TaskKind.OPEN_FORM, session.patient_id, session.course_id, f"session-{session.pk}", due)
