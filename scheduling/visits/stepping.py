"""What the steps of a visit have in common: the frame of a verb, the time of a step, who may be the second person.

A step changes no planned time. It locks the session's day first, like every write, so that boards see it and two
people who tap at once come one after the other; the second finds the step taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.findings import Finding
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import TaskKind
from scheduling import placing, wording, writes
from scheduling.booking import Change, repeated
from scheduling.models import Course, Session, SessionState, VisitRecord
from scheduling.protocols.visit_safety import HISTORY
from scheduling.visits import charts

Result = TypeVar("Result")

#: How long a wrong tap can be undone (P).
UNDO_FOR = timedelta(minutes=5)

#: The patient has left: the record is closed.
CLOSED = (SessionState.DISCHARGED, SessionState.LEFT_EARLY, SessionState.TRANSFERRED, SessionState.NOT_DOSED)


@dataclass(frozen=True, slots=True)
class Escort:
    """Who takes the patient home."""

    name: str = ""
    phone: str = ""

    def __bool__(self) -> bool:
        return bool(self.name.strip())


NOBODY = Escort()


def take(once: writes.Once, session: Session, act: Callable[[Session], Sequence[Finding]], *, now: datetime) -> Change:
    """Carry out a step once: lock the day and the patient, read the session again, act, remember.

    `act` gets the session as it stands and returns the findings that went through.
    """

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        fresh = locked(session, now)
        findings = tuple(act(fresh))
        once.remember(findings, course=fresh.course_id, sessions=[fresh.pk])
        return Change(fresh.course, (fresh,), findings)

    return writes.commit(work)


def take_in_course(
    once: writes.Once, session: Session, act: Callable[[Course, Session], Sequence[Finding]], *, now: datetime
) -> Change:
    """The same for a step that frees a time or takes one again: it locks the days of all sessions of the course."""

    def work() -> Change:
        if earlier := once.claim(now):
            return repeated(earlier)
        known = {Session.objects.values_list("local_date", flat=True).get(pk=session.pk)}
        course, _live = placing.lock_course(session.course, now, also=known)
        fresh = again(session)
        placing.require_locked([fresh], known)
        fresh.course = course
        findings = tuple(act(course, fresh))
        once.remember(findings, course=course.pk, sessions=[fresh.pk])
        return Change(course, (fresh,), findings)

    return writes.commit(work)


def locked(session: Session, now: datetime) -> Session:
    """Lock the session's day, then its patient; returns the session read again under lock."""
    known = {Session.objects.values_list("local_date", flat=True).get(pk=session.pk)}
    placing.lock(session.course.site, known, session.patient_id, now)
    fresh = again(session)
    placing.require_locked([fresh], known)
    return fresh


def again(session: Session) -> Session:
    """The session as it stands now, with what its steps need."""
    related = ("course__site", "course__protocol", "course__patient", "site", "prescriber", "chair")
    return Session.objects.select_related(*related).get(pk=session.pk)


def once_of(verb: str, request_id: Any, actor: Staff, session: Session, **asked: Any) -> writes.Once:
    """The request of a step."""
    return writes.Once(verb, request_id, {"actor": actor.pk, "session": session.pk, **asked})


def require_state(session: Session, states: Collection[str]) -> None:
    """Raise Stale unless it is this step's turn: somebody was first, or an earlier step is missing."""
    if session.state not in states:
        state = session.get_state_display()
        raise Stale(_("This visit stands at “%(state)s”; nothing was changed.") % {"state": state})


def moment(at: datetime | None, *, after: datetime | None, now: datetime) -> datetime:
    """When a step was: now, or `at`, a little earlier. Raises Invalid for a time to come or before the last step."""
    if at is None:
        return now
    if at.tzinfo is None:
        raise Invalid.at("at", _("A time needs its zone."))
    if at > now:
        raise Invalid.at("at", _("This time is still to come."))
    if after is not None and at < after:
        raise Invalid.at("at", _("This is before the step that came before it."))
    return at


def require_second(person: Staff | None, actor: Staff, session: Session, field: str) -> Staff:
    """The second person of a step, who works here and is not the first; raises Invalid about `field`."""
    if person is None or person == actor:
        raise Invalid.at(field, _("A second person has to be named."))
    here = person.sites.filter(pk=session.site_id).exists()
    if not permissions.allowed(person, Verb.RUN_VISIT) or not here:
        raise Invalid.at(field, _("%(name)s does not treat at this site.") % {"name": person})
    return person


def require_reason(reason: str) -> str:
    """The reason without its margins; raises Invalid without one."""
    reason = reason.strip()
    if not reason:
        raise Invalid.at("reason", _("Say why."))
    return reason


def step(session: Session, state: SessionState, *, now: datetime, **times: datetime | None) -> None:
    """Write a step: the state, the times of the steps, and that it was written down now."""
    session.state, session.stepped_at = state, now
    for name, at in times.items():
        setattr(session, name, at)
    session.save(update_fields=["state", "stepped_at", *times])


def record_of(session: Session) -> VisitRecord:
    """The record of a visit that was checked in here. Raises Stale for one that came into the books otherwise."""
    record = charts.record_of(session)
    if record is None:
        raise Stale(_("This visit has no record: it was not checked in here."))
    return record


def record_key(session: Session) -> str:
    """The key of the worklist's lines about a visit's record and form, as `lapses.py` opens them."""
    return f"session-{session.pk}"


def ask_for_review(session: Session, changed: Mapping[str, bool | None], *, now: datetime) -> list[str]:
    """Put what is new in the history on the worklist, for a clinician to review before the dose; returns it."""
    new = [question for question in HISTORY if changed.get(question)]
    if new:
        worklist.open_task(
            kind=TaskKind.REVIEW,
            patient=session.course.patient,
            course=session.course,
            key=str(session.pk),
            details={"items": new},
            now=now,
        )
    return new


def clock(at: datetime, session: Session) -> str:
    """A time of the visit as its site's clock shows it."""
    return wording.clock(at, session.course.site.zone)


def noted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as an event keeps them: numbers and times as texts, nothing for what was not given."""
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else value
        if isinstance(value, bool | int)
        else str(value)
        for name, value in values.items()
        if value not in (None, "")
    }
