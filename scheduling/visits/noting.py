"""What is noted about a visit beside its measurements: corrections of what was said at check-in, adverse events,
addenda, the monitoring form. Called as `charting.adverse_event(...)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from django.utils.translation import gettext as _

from clinic import permissions
from clinic.errors import Invalid, Stale
from clinic.findings import Finding
from clinic.models import Staff
from clinic.permissions import Verb
from patients import worklist
from patients.models import TaskKind
from scheduling import placing, writes
from scheduling.booking import Change
from scheduling.models import UNDER_WAY, Addendum, AdverseEvent, Session, VitalsRound
from scheduling.protocols import visit_safety
from scheduling.visits import stepping, treating
from scheduling.visits.stepping import CLOSED, Escort

Made = TypeVar("Made", VitalsRound, AdverseEvent, Addendum)


def amend(
    *,
    actor: Staff,
    session: Session,
    weight_kg: Decimal | None = None,
    last_food_at: datetime | None = None,
    last_drink_at: datetime | None = None,
    medicines: Sequence[str] | None = None,
    escort: Escort | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """Correct or complete what was said at check-in; what is None stays.

    Locks the session's day, then the patient. Raises Invalid as `treating.check_in`, Stale when the record is closed.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    given = {
        "weight_kg": weight_kg,
        "last_food_at": last_food_at,
        "last_drink_at": last_drink_at,
        "medicines": None if medicines is None else list(medicines),
        "escort_name": None if escort is None else escort.name.strip(),
        "escort_phone": None if escort is None else escort.phone.strip(),
    }
    values = {name: value for name, value in given.items() if value is not None}
    once = stepping.once_of("amend", request_id, actor, session, **values)

    def act(fresh: Session) -> Sequence[Finding]:
        require_open(fresh)
        record = stepping.record_of(fresh)
        treating.require_arrival(weight_kg, last_food_at, last_drink_at, medicines or (), now=now)
        for name, value in values.items():
            setattr(record, name, value)
        record.save(update_fields=list(values))
        placing.record(fresh.course, "amended", by=actor, now=now, sessions=[fresh], fields=sorted(values))
        return ()

    return stepping.take(once, session, act, now=now)


def adverse_event(
    *,
    actor: Staff,
    session: Session,
    type: str,  # noqa: A002 the interface's word for it
    onset: datetime | None = None,
    severity: int,
    serious: bool = False,
    action: str = "",
    request_id: UUID | None = None,
    now: datetime,
) -> tuple[AdverseEvent, bool]:
    """Something untoward: severity from 1, mild, to 5, death (CTCAE). Never changed afterwards. Returns it,
    and whether the request is a repetition.

    Locks the session's day, then the patient. A serious one calls the prescriber by a line on the worklist. Raises
    Invalid for what cannot be meant, Stale when nobody is here: later news go into an addendum.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    kind, action = type.strip(), action.strip()
    asked = {"type": kind, "onset": onset, "severity": severity, "serious": serious, "action": action}
    once = stepping.once_of("adverse-event", request_id, actor, session, **asked)

    def act(fresh: Session) -> AdverseEvent:
        stepping.require_state(fresh, UNDER_WAY)
        if not kind:
            raise Invalid.at("type", _("Say what it is."))
        if not 1 <= severity <= 5:
            raise Invalid.at("severity", _("Severity goes from 1 to 5."))
        event = AdverseEvent.objects.create(
            session=fresh,
            type=kind,
            onset=_onset(fresh, onset, now),
            severity=severity,
            serious=serious,
            action=action,
            by=actor,
            at=now,
        )
        placing.record(fresh.course, "adverse-event", by=actor, now=now, sessions=[fresh], type=kind, severity=severity)
        if serious:
            worklist.open_task(
                kind=TaskKind.ALERT,
                patient=fresh.course.patient,
                course=fresh.course,
                key=f"{fresh.pk}:event:{event.pk}",
                details={
                    "session": fresh.pk,
                    "event": event.pk,
                    "asked": fresh.prescriber_id,
                    "asked_name": fresh.prescriber.short_name,
                },
                now=now,
            )
        return event

    return write(once, session, AdverseEvent, act, now=now)


def _onset(session: Session, onset: datetime | None, now: datetime) -> datetime:
    if onset is None:
        return now
    if onset.tzinfo is None:
        raise Invalid.at("onset", _("A time needs its zone."))
    if onset > now:
        raise Invalid.at("onset", _("This time is still to come."))
    if session.checked_in_at is not None and onset < session.checked_in_at:
        raise Invalid.at("onset", _("This is before the patient came."))
    return onset


def addendum(
    *, actor: Staff, session: Session, text: str, request_id: UUID | None = None, now: datetime
) -> tuple[Addendum, bool]:
    """Add to a record that is closed: signed and dated by who writes it, never changed. Returns it, and whether the
    request is a repetition.

    Locks the session's day, then the patient. Raises Invalid without words, Stale while the record is open.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    text = text.strip()
    once = stepping.once_of("addendum", request_id, actor, session, text=text)

    def act(fresh: Session) -> Addendum:
        if fresh.state not in CLOSED:
            raise Stale(_("The record is still open; write it there."))
        if not text:
            raise Invalid.at("text", _("Say what is to be added."))
        added = Addendum.objects.create(session=fresh, text=text, by=actor, at=now)
        placing.record(fresh.course, "addendum", by=actor, now=now, sessions=[fresh])
        return added

    return write(once, session, Addendum, act, now=now)


def send_form(*, actor: Staff, session: Session, request_id: UUID | None = None, now: datetime) -> Change:
    """The REMS monitoring form of a dose of esketamine has been sent; its line goes (`rems-form`).

    Locks the session's day, then the patient. Raises Stale when no form is due or it was sent before.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    once = stepping.once_of("send-form", request_id, actor, session)

    def act(fresh: Session) -> Sequence[Finding]:
        record = stepping.record_of(fresh)
        due = visit_safety.form_due_on(fresh.course.protocol.protocol.drug, fresh.local_date)
        if due is None or fresh.dose_started_at is None or fresh.state not in CLOSED:
            raise Stale(_("No form is due for this visit."))
        if record.form_sent_at is not None:
            raise Stale(_("The form has been sent already."))
        record.form_sent_at, record.form_sent_by = now, actor
        record.save(update_fields=["form_sent_at", "form_sent_by"])
        patient, key = fresh.course.patient, stepping.record_key(fresh)
        worklist.close_tasks(kind=TaskKind.OPEN_FORM, patient=patient, key=key, by=actor, now=now)
        placing.record(fresh.course, "form-sent", by=actor, now=now, sessions=[fresh])
        return ()

    return stepping.take(once, session, act, now=now)


def require_open(session: Session) -> None:
    """Raise Stale when the patient has left: what comes later goes into an addendum."""
    if session.state not in UNDER_WAY:
        raise Stale(_("The record is closed; only an addendum can be written."))


def write(
    once: writes.Once, session: Session, made: type[Made], act: Callable[[Session], Made], *, now: datetime
) -> tuple[Made, bool]:
    """Carry out once what makes or changes one row, under the lock of the session's day. Returns the row, and whether
    the request is a repetition."""

    def work() -> tuple[Made, bool]:
        if earlier := once.claim(now):
            return made.objects.get(pk=earlier["id"]), True
        row = act(stepping.locked(session, now))
        once.remember(id=row.pk)
        return row, False

    return writes.commit(work)
