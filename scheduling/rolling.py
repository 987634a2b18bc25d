"""Maintenance rolls on: every course in it has dates for three months ahead, without anybody asking for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial

from django.db import IntegrityError
from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from clinic.errors import Stale
from clinic.findings import Level
from scheduling import further, gating, judging, placing, writes
from scheduling.booking import BROKEN, TAKEN
from scheduling.further import Found, Need
from scheduling.models import LIVE, Course, CourseEvent, CourseState, MailKind, PhaseChoice, Session, SessionState

#: The desk is asked for dates that are at most so far ahead (P).
NEAR = timedelta(days=42)

#: The hours, on the site's clocks, in which courses roll on (P).
AWAKE = (time(8), time(20))


class _Lost(Exception):
    """Ends the transaction: the calendar or the course has changed since the dates were looked for."""


def roll_on(*, now: datetime) -> int:
    """Give every active maintenance course whose dates reach less than three months ahead further ones at its interval;
    each course in a transaction of its own, told in one mail. Returns how many dates were placed.

    What finds no place is looked for again the next time, and asked for on the desk's list once it is near. A date that
    somebody has cancelled is not given again. Nobody signs here: what somebody would have to sign is left to the desk.
    Nobody is mailed at night: sites are passed over then. Two queries for all courses, then as `booking.add_sessions`
    for each that lacks something.
    """
    placed = 0
    for course in _courses(Q()):
        if AWAKE[0] <= now.astimezone(course.site.zone).time() < AWAKE[1]:
            needs = _needs(course, now)
            placed += _roll(course, needs, now) if needs else 0
    return placed


def _courses(which: Q) -> QuerySet[Course]:
    """Active courses in maintenance with their sessions that stand or were cancelled, and when they were last decided
    on. Two queries."""
    decided = CourseEvent.objects.filter(course=OuterRef("pk"), kind="decided").order_by("-at", "-pk")
    known = Session.objects.filter(state__in=(*LIVE, SessionState.CANCELLED)).order_by("during__startswith")
    return (
        Course.objects.filter(which, state=CourseState.ACTIVE, phase=PhaseChoice.MAINTENANCE)
        .select_related("site", "protocol", "patient")
        .annotate(decided_at=Subquery(decided.values("at")[:1]))
        .prefetch_related(Prefetch("sessions", known))
        .order_by("pk")
    )


def _needs(course: Course, now: datetime) -> tuple[Need, ...]:
    """The dates that three months from now on lack. What was cancelled since the last decision is settled."""
    known = list(course.sessions.all())
    since: datetime | None = course.decided_at  # type: ignore[attr-defined]  # annotated in _courses
    settled = [one.local_date for one in known if one.freed_at and (since is None or one.freed_at > since)]
    return further.lacking(
        course.protocol.protocol,
        [one for one in known if one.is_live],
        decided=True,
        interval=course.interval_days,
        first=further.first_date(course.site, now),
        settled=max(settled, default=None),
    )


def _roll(course: Course, needs: tuple[Need, ...], now: datetime) -> int:
    """Place what one course needs; how many dates found a place."""
    found = further.find(
        site=course.site,
        patient=course.patient_id,
        course=course,
        rules=course.protocol.protocol,
        needs=needs,
        interval=course.interval_days,
        now=now,
    )
    near = _near(course, found.missing, now)
    if not found.places and (not near or further.is_asked_for(course, near)):
        return 0  # nothing would be written: no day is locked, and no open board looks again, for that
    try:
        return writes.commit(partial(_carry_out, course, needs, found, now))
    except (_Lost, Stale):
        return 0
    except IntegrityError as error:
        if writes.constraint_of(error) not in (*TAKEN, *BROKEN):
            raise
        return 0


def _carry_out(course: Course, needs: tuple[Need, ...], found: Found, now: datetime) -> int:
    rules = course.protocol.protocol
    placing.lock_course(course, now, also=judging.dates_of(course.site, rules, found.places))
    fresh = _courses(Q(pk=course.pk)).first()
    if fresh is None or _needs(fresh, now) != needs:
        raise _Lost
    if not found.places:
        further.ask_for_dates(fresh, _near(fresh, found.missing, now), now=now)
        return 0
    verdict = judging.weigh_new(
        site=fresh.site,
        patient=fresh.patient_id,
        protocol=rules,
        course=fresh,
        places=found.places,
        phases=found.phases,
    )
    verdict = gating.join(
        verdict,
        site=fresh.site,
        patient=fresh.patient_id,
        protocol=rules,
        course=fresh,
        now=now,
    )
    if verdict.taken:
        raise _Lost
    if verdict.at(Level.BLOCK) or verdict.at(Level.OVERRIDE):
        further.ask_for_dates(fresh, _near(fresh, needs, now), now=now)
        return 0
    placed = placing.place(fresh, rules, found.places, found.phases)
    placing.renumber(fresh, placed)
    placing.record(fresh, "rolled-on", by=None, now=now, sessions=placed, findings=verdict.findings)
    placing.tell(fresh, placed, MailKind.CHANGED, now, {"added": [session.pk for session in placed]})
    further.dates_were_given(fresh, len(placed), by=None, now=now)
    further.ask_for_dates(fresh, _near(fresh, found.missing, now), now=now)
    return len(placed)


def _near(course: Course, missing: tuple[Need, ...], now: datetime) -> tuple[Need, ...]:
    """What the desk has to see to: shifts further ahead may not be known yet, and it is looked for again."""
    until = now.astimezone(course.site.zone).date() + NEAR
    pressing = []
    for need in missing:
        targets = tuple(day for day in need.targets if day <= until)
        pressing += [replace(need, count=len(targets), targets=targets)] if targets else []
    return tuple(pressing)
