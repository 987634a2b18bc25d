"""The day of a visit: a patient who comes late, or not at all, and until when a late visit could still begin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.models import Site, Staff
from clinic.permissions import Verb
from scheduling import judging, openings, placing, wording, writes
from scheduling.booking import Change, repeated
from scheduling.mails import outbox
from scheduling.models import Session, SessionState
from scheduling.openings import Booked, DayFacts, Interval
from scheduling.protocols.masks import OnShift
from scheduling.protocols.windows import intersect, subtract

#: Who is expected: what can turn out to be late, or a no-show.
AWAITED = (SessionState.BOOKED, SessionState.CONFIRMED)


def no_show(
    *, actor: Staff, session: Session, reason: str = "", request_id: UUID | None = None, now: datetime
) -> Change:
    """Nobody came: from the planned start on the time is free, what was to be sent is withdrawn, and the patient is
    mailed that the visit was missed.

    Locks the days of the course's sessions, then the patient. The findings say what the course breaks now, such as
    `reach`; the session does not count and may be made up. Raises Stale before the planned start, and when the visit
    has begun, was freed or is only held.
    """
    permissions.require(actor, Verb.NO_SHOW, at=session.course.site)
    reason = reason.strip()
    once = writes.Once("no-show", request_id, {"actor": actor.pk, "session": session.pk, "reason": reason})

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        course, sessions = placing.lock_course(session.course, now)
        fresh = next((mine for mine in sessions if mine.pk == session.pk), None)
        if fresh is None or fresh.state not in AWAITED:
            raise Stale(_("This visit has begun, ended or been given up; nobody is awaited."))
        if now < fresh.starts_at:
            start = wording.clock(fresh.starts_at, course.site.zone)
            raise Stale(_("This visit begins at %(start)s; before that nobody is missing.") % {"start": start})
        findings = judging.weigh_leaving(course, {fresh.pk})
        placing.free([fresh], SessionState.NO_SHOW, by=actor, now=now)
        placing.renumber(course)
        placing.record(course, "no-show", by=actor, now=now, sessions=[fresh], findings=findings, reason=reason)
        outbox.renew(course=course, sessions=[fresh], news=None, now=now)
        outbox.missed(course=course, session=fresh, now=now)
        once.remember(findings, course=course.pk, sessions=[fresh.pk])
        return Change(course, (fresh,), findings)

    return writes.commit(work)


def expect(
    *, actor: Staff, session: Session, at: datetime | None, request_id: UUID | None = None, now: datetime
) -> Change:
    """The patient rang and comes later, at `at`; None takes that back. Nothing that is planned changes.

    Locks the session's day, so that boards see it, then the patient. Raises Invalid for a time that is past, not after
    the planned start, on another date or after the latest start, Stale when the visit has begun, was freed or is only
    held.
    """
    site = session.course.site
    permissions.require(actor, Verb.NO_SHOW, at=site)
    once = writes.Once("expect", request_id, {"actor": actor.pk, "session": session.pk, "at": at})

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        if at is not None and at.tzinfo is None:
            raise Invalid.at("at", _("A time needs its zone."))
        if at is not None and at <= now:
            raise Invalid.at("at", _("This time is past."))
        known = {Session.objects.values_list("local_date", flat=True).get(pk=session.pk)}
        placing.lock(site, known, session.patient_id, now)
        fresh = Session.objects.select_related("course").get(pk=session.pk)
        placing.require_locked([fresh], known)
        if fresh.state not in AWAITED:
            raise Stale(_("This visit has begun, ended or been given up; nobody is awaited."))
        if at is not None and at <= fresh.starts_at:
            raise Invalid.at("at", _("Later means after the planned start."))
        if at is not None and at.astimezone(site.zone).date() != fresh.local_date:
            raise Invalid.at("at", _("For another date, move the visit."))
        if at is not None:
            _require_startable(site, fresh, at, now)
        if fresh.expected_at != at:
            fresh.expected_at = at
            fresh.save(update_fields=["expected_at"])
            said = at.isoformat() if at else None
            placing.record(fresh.course, "expected", by=actor, now=now, sessions=[fresh], expected_at=said)
        once.remember(course=fresh.course_id, sessions=[fresh.pk])
        return Change(fresh.course, (fresh,))

    return writes.commit(work)


def _require_startable(site: Site, session: Session, at: datetime, now: datetime) -> None:
    """Raise Invalid when the visit cannot start as late as that. Four queries, under the lock of the day."""
    facts = openings.read(site, [session.local_date])[session.local_date]
    latest = latest_starts(facts, [session])[session.pk]
    if latest is None or latest <= max(session.starts_at, now):
        raise Invalid.at("at", _("No later start is possible today; move the visit instead."))
    if at > latest:
        values = {"time": wording.clock(latest, site.zone)}
        raise Invalid.at("at", _("The last start today is %(time)s; move the visit instead.") % values)


def latest_starts(facts: DayFacts, sessions: Iterable[Session]) -> dict[int, datetime | None]:
    """Until when each visit of a date could still begin as it is planned, by the sessions' ids: it has to end before
    the next one in its chair, an outage, a closure and closing time, and be under the care of its prescriber until
    discharge: within the shift and its limit of patients. None where it does not even fit at its planned start.

    Pure. `facts` are those of the date with everything that is booked, as `openings.read` gives them.
    """
    return {session.pk: _latest_start(facts, session) for session in sessions}


def _latest_start(facts: DayFacts, session: Session) -> datetime | None:
    others = [booked for booked in facts.booked if booked.session != session.pk]
    taken = [outage for chair, outage in facts.outages if chair == session.chair_id]
    taken += [(booked.starts_at, booked.ends_at) for booked in others if booked.chair == session.chair_id]
    shifts = [shift for shift in facts.shifts if shift.prescriber == session.prescriber_id]
    present = [(shift.starts_at, shift.ends_at) for shift in shifts]
    chair_until = _end_of(subtract(facts.open, taken), session.starts_at, session.ends_at)
    care_until = _end_of(
        subtract(present, _full(shifts, [booked for booked in others if booked.prescriber == session.prescriber_id])),
        session.dose_starts_at,
        session.discharge_at,
    )
    if chair_until is None or care_until is None:
        return None
    late = min(chair_until - session.ends_at, care_until - session.discharge_at)
    return session.starts_at + late


def _end_of(free: Iterable[Interval], start: datetime, end: datetime) -> datetime | None:
    """The end of the free time in which the whole of start to end lies."""
    return next((until for since, until in free if since <= start and end <= until), None)


def _full(shifts: Iterable[OnShift], others: Collection[Booked]) -> Iterator[Interval]:
    """When a prescriber has as many patients as a shift takes."""
    for shift in shifts:
        present = [(shift.starts_at, shift.ends_at)]
        yield from intersect(present, _crowded(others, shift.limit) if shift.limit else present)


def _crowded(others: Collection[Booked], limit: int) -> Iterator[Interval]:
    """When at least `limit` of these visits, one or more, are under care at once."""
    changes = [(booked.dose_starts_at, 1) for booked in others] + [(booked.discharge_at, -1) for booked in others]
    running = 0
    since = None
    for instant, change in sorted(changes):  # at the same instant ends come first
        running += change
        if change > 0 and running == limit:
            since = instant
        elif change < 0 and running == limit - 1 and since is not None:
            yield since, instant
