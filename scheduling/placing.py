"""The hands of the verbs: lock, place, move and free sessions, and write down what happened. No rule is judged here.

This is the one module that writes session times. Everything in it runs inside the transaction of a verb, after the
days are locked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F

from clinic.findings import Finding, Level
from clinic.models import Chair, Site, Staff
from patients.models import Task, TaskKind
from scheduling import writes
from scheduling.judging import Signature
from scheduling.mails import outbox
from scheduling.models import (
    LIVE,
    Course,
    CourseEvent,
    CourseState,
    MailKind,
    Offer,
    OfferState,
    Override,
    Session,
    SessionState,
)
from scheduling.protocols.types import Phase, Place, Protocol

_EXPIRE = """
    UPDATE scheduling_session AS session SET state = 'expired', freed_at = %(now)s, needs_replan = false
    FROM scheduling_course AS course
    WHERE course.id = session.course_id AND course.held_until <= %(now)s
      AND session.site_id = %(site)s AND session.local_date = ANY(%(dates)s) AND session.state = 'held'
"""


def lock(site: Site, dates: Collection[date], patient: int, now: datetime) -> None:
    """Lock the days, then the patient; holds on these days that have run out give up their times.

    The rest of such a course is ended by `holding.expire_holds`.
    """
    writes.lock_days({site.pk: dates})
    writes.lock_patient(patient)
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRE, {"site": site.pk, "dates": list(dates), "now": now})


def lock_course(course: Course, now: datetime, also: Collection[date] = ()) -> tuple[Course, list[Session]]:
    """Lock the days of a course's live sessions and `also`, then the patient; returns both read again under lock.

    Raises writes.DatesMoved when a session has come to another date meanwhile.
    """
    live = Session.objects.filter(course=course, state__in=LIVE)
    dates = {*live.values_list("local_date", flat=True), *also}
    lock(course.site, dates, course.patient_id, now)
    fresh = Course.objects.select_related("site", "protocol", "patient").get(pk=course.pk)
    sessions = list(live.order_by("during__startswith"))
    require_locked(sessions, dates)
    for session in sessions:
        session.course = fresh
    return fresh, sessions


def require_locked(sessions: Iterable[Session], dates: Collection[date]) -> None:
    """Raise writes.DatesMoved unless each session is on one of the dates."""
    if not {session.local_date for session in sessions} <= set(dates):
        raise writes.DatesMoved


def place(course: Course, protocol: Protocol, places: Sequence[Place], phases: Sequence[Phase]) -> list[Session]:
    """Write sessions in these places, in one statement; numbers are by time within each phase, from 1."""
    sessions = [
        Session(
            course=course,
            patient_id=course.patient_id,
            site_id=course.site_id,
            phase=phase,
            state=SessionState.HELD if course.state == CourseState.HELD else SessionState.BOOKED,
            **_times(course.site, protocol, where),
        )
        for where, phase in zip(places, phases, strict=True)
    ]
    numbers: dict[str, int] = {}
    for session in sorted(sessions, key=lambda session: session.starts_at):
        numbers[session.phase] = session.number = numbers.get(session.phase, 0) + 1
    return Session.objects.bulk_create(sessions)


def move(moves: Sequence[tuple[Session, Place]], protocol: Protocol, now: datetime) -> None:
    """Write other times, chairs and prescribers; a start that the patient had confirmed is open again. Another start
    raises the version of the session's times, which ends links and reminders; another chair is no matter of theirs.

    Several sessions first give up their times, so that they can take each other's; all are placed in one statement.
    """
    if len(moves) > 1:
        leaving = [session.pk for session, _ in moves]
        Session.objects.filter(pk__in=leaving).update(state=SessionState.CANCELLED, freed_at=now)
    written: set[str] = set()
    for session, where in moves:
        if session.starts_at != where.starts_at:
            session.expected_at = None
            session.times_version += 1
            if session.state == SessionState.CONFIRMED:
                session.state, session.confirmed_at = SessionState.BOOKED, None
        times = _times(session.course.site, protocol, where)
        for name, value in times.items():
            setattr(session, name, value)
        session.needs_replan = False
        written.update(times)
    columns = ["times_version", "needs_replan", "state", "confirmed_at", "freed_at", "expected_at", *sorted(written)]
    Session.objects.bulk_update([session for session, _ in moves], columns)


def sit(seats: Sequence[tuple[Session, Chair]], now: datetime) -> None:
    """Let visits under way take other chairs from now on, also each other's; what is planned stays.

    The constraint on chairs looks at each row as it is written: the first visit steps aside, taking no chair's time,
    before the others move.
    """
    first, *others = seats
    if others:
        first[0].chair_since = first[0].ends_at
        first[0].save(update_fields=["chair_since"])
    for session, chair in (*others, first):
        session.chair, session.chair_since = chair, min(max(now, session.starts_at), session.ends_at)
        session.save(update_fields=["chair", "chair_since"])


def care(session: Session, prescriber: Staff, now: datetime) -> None:
    """Give a visit under way to another prescriber from now on; what is planned stays."""
    session.prescriber = prescriber
    session.prescriber_since = min(max(now, session.dose_starts_at), session.discharge_at)
    session.save(update_fields=["prescriber", "prescriber_since"])


def book(course: Course, sessions: Sequence[Session]) -> None:
    """Turn a held course and its sessions into booked ones."""
    course.state, course.held_until = CourseState.ACTIVE, None
    course.save(update_fields=["state", "held_until"])
    for session in sessions:
        session.state = SessionState.BOOKED
    Session.objects.filter(pk__in=[session.pk for session in sessions]).update(state=SessionState.BOOKED)


def end(course: Course, state: CourseState, now: datetime) -> None:
    """Take a course out of the running ones; its live sessions have to be freed or over."""
    course.state, course.held_until, course.ended_at = state, None, now
    course.save(update_fields=["state", "held_until", "ended_at"])


def free(
    sessions: Sequence[Session], state: SessionState, *, by: Staff | None, now: datetime, **steps: datetime
) -> None:
    """Give up the times of these sessions, in one statement; nobody has to find new ones for them any more. `steps`
    are times of the visit that belong to the state."""
    written = {"state": state, "freed_at": now, "needs_replan": False, **steps}
    for session in sessions:
        for name, value in written.items():
            setattr(session, name, value)
    Session.objects.filter(pk__in=[session.pk for session in sessions]).update(**written)
    need_no_time(sessions, by=by, now=now)
    want_no_other_time(sessions, by=by, now=now)


def confirm(sessions: Sequence[Session], now: datetime) -> None:
    """Write down that the patient comes to these booked sessions."""
    for session in sessions:
        session.state, session.confirmed_at = SessionState.CONFIRMED, now
    Session.objects.filter(pk__in=[session.pk for session in sessions]).update(
        state=SessionState.CONFIRMED, confirmed_at=now
    )


def need_no_time(sessions: Sequence[Session], *, by: Staff | None, now: datetime) -> None:
    """Take the lines off the worklist that ask for a new time for these sessions."""
    keys = [str(session.pk) for session in sessions]
    Task.objects.filter(kind=TaskKind.NEEDS_TIME, key__in=keys, done_at=None).update(done_at=now, done_by=by)


def want_no_other_time(sessions: Sequence[Session], *, by: Staff | None, now: datetime) -> None:
    """What patients have asked for about these sessions is settled: their lines go, other times offered lapse."""
    keys = [str(session.pk) for session in sessions]
    if not keys:
        return
    Task.objects.filter(kind=TaskKind.MOVE_ASKED, key__in=keys, done_at=None).update(done_at=now, done_by=by)
    Offer.objects.filter(session__in=sessions, state=OfferState.OPEN).update(state=OfferState.LAPSED, closed_at=now)


def renumber(course: Course, known: Iterable[Session] = ()) -> None:
    """Number the live sessions of a course by time within each phase; `known` objects learn their numbers too."""
    mine = {session.pk: session for session in known}
    changed = []
    numbers: dict[str, int] = {}
    for session in Session.objects.filter(course=course, state__in=LIVE).order_by("during__startswith"):
        numbers[session.phase] = number = numbers.get(session.phase, 0) + 1
        if session.pk in mine:
            mine[session.pk].number = number
        if session.number != number:
            session.number = number
            changed.append(session)
    if changed:
        Session.objects.bulk_update(changed, ["number"])


def record(
    course: Course,
    kind: str,
    *,
    by: Staff | None,
    now: datetime,
    sessions: Sequence[Session] = (),
    findings: Sequence[Finding] = (),
    signed: Sequence[Finding] = (),
    signature: Signature | None = None,
    **details: Any,
) -> None:
    """Write the one event of a commit, with the warnings that went through, and an override for each signed finding."""
    if signature is not None and signed:
        Override.objects.bulk_create(
            Override(
                course=course,
                rule=finding.rule,
                observed=finding.observed,
                limit=finding.limit,
                reason=signature.reason.strip(),
                by=signature.by,
                at=now,
            )
            for finding in signed
        )
    CourseEvent.objects.create(
        course=course,
        kind=kind,
        at=now,
        by=by,
        details={
            "sessions": [session.pk for session in sessions],
            "findings": [
                {"rule": finding.rule, "level": finding.level, "observed": finding.observed, "limit": finding.limit}
                for finding in findings
                if finding.level != Level.BLOCK
            ],
            **details,
        },
    )


def tell(
    course: Course, sessions: Sequence[Session], news: MailKind, now: datetime, details: Mapping[str, Any] | None = None
) -> None:
    """Raise the version of the course's times and queue what the patient should know. A held course tells nothing."""
    Course.objects.filter(pk=course.pk).update(times_version=F("times_version") + 1)
    course.times_version += 1
    if course.state != CourseState.HELD:
        outbox.renew(course=course, sessions=sessions, news=news, now=now, details=dict(details or {}))


def as_json(where: Place) -> dict[str, Any]:
    """A place as an event stores it."""
    return {"starts_at": where.starts_at.isoformat(), "chair": where.chair, "prescriber": where.prescriber}


def _times(site: Site, protocol: Protocol, where: Place) -> dict[str, Any]:
    """The columns of a planned visit."""
    times = protocol.visit.at(where.starts_at)
    return {
        "chair_id": where.chair,
        "prescriber_id": where.prescriber,
        "chair_since": None,
        "prescriber_since": None,
        "during": DateTimeTZRange(times.starts_at, times.ends_at),
        "local_date": times.starts_at.astimezone(site.zone).date(),
        "dose_starts_at": times.dose_starts_at,
        "dose_ends_at": times.dose_ends_at,
        "discharge_at": times.discharge_at,
    }
