"""What is written down beside the steps of a visit: measurements here, everything else in `noting.py`.

Nothing is deleted: a round that was a mistake is voided, and once the patient has left only addenda are written. A
round is its own record of who and when; everything else makes an event of the course.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
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
from scheduling.models import UNDER_WAY, Dissociation, Session, VitalsRound
from scheduling.protocols import visit_safety
from scheduling.protocols.vitals import FRESH_BEFORE_DOSE, Doubt, Stage, Vitals, implausible, impossible
from scheduling.visits import charts, leaving, stepping
from scheduling.visits.noting import addendum, adverse_event, amend, require_open, send_form, write
from scheduling.visits.stepping import CLOSED, UNDO_FOR

__all__ = [
    "CLOSED",
    "Charted",
    "Implausible",
    "addendum",
    "adverse_event",
    "amend",
    "note_action",
    "record_vitals",
    "send_form",
    "void_round",
]


class Implausible(Invalid):
    """Values that are seldom right: they are asked about, and taken when they are confirmed. `fields` names them."""

    code = "implausible"


@dataclass(frozen=True, slots=True)
class Charted:
    """A round that was written down, what the rules say to it, and the visit as it stands with it."""

    round: VitalsRound
    session: Session
    findings: tuple[Finding, ...]
    repeated: bool = False


def record_vitals(
    *,
    actor: Staff,
    session: Session,
    taken_at: datetime | None = None,
    systolic: int,
    diastolic: int,
    heart_rate: int,
    spo2: int,
    sedation: int,
    dissociation: int,
    respiratory_rate: int | None = None,
    action: str = "",
    confirmed: Collection[str] = (),
    request_id: UUID | None = None,
    now: datetime,
) -> Charted:
    """Write down a round: mmHg, beats and breaths per minute, percent, MOAA/S, `Dissociation`. `action` is what was
    done about it; `confirmed` names the fields whose unusual values are meant.

    Locks the session's day, then the patient. The visit becomes ready, or ceases to be. `bp-during` and `spo2` of the
    emergency path call the prescriber by a line on the worklist. Raises Invalid for what cannot be, Implausible for
    what has to be confirmed, Stale when nobody is here and when a round of that moment stands already.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    values = {"systolic": systolic, "diastolic": diastolic, "heart_rate": heart_rate, "spo2": spo2}
    values |= {"sedation": sedation, "dissociation": dissociation}
    optional = {} if respiratory_rate is None else {"respiratory_rate": respiratory_rate}
    asked = {"at": taken_at, "action": action.strip(), "confirmed": sorted(confirmed), **values, **optional}
    once = stepping.once_of("vitals", request_id, actor, session, **asked)

    def work() -> Charted:
        if earlier := once.claim(now):
            stored = VitalsRound.objects.get(pk=earlier["id"])
            return Charted(stored, stepping.again(session), writes.findings_of(earlier), repeated=True)
        fresh = stepping.locked(session, now)
        stepping.require_state(fresh, UNDER_WAY)
        at = _moment_of_round(fresh, taken_at, now)
        vitals = Vitals(taken_at=at, **values, **optional)
        others = charts.rounds_of(fresh)
        if any(other.taken_at == at for other in others):
            raise Stale(_("A round of this moment has been written down already."))
        _require_meant(vitals, [charts.as_vitals(other) for other in others], confirmed)
        stage = charts.times_of(fresh).stage
        if fresh.dose_started_at is not None and at < fresh.dose_started_at:
            stage = Stage.BEFORE
        findings = visit_safety.while_here(vitals, stage)
        round_ = VitalsRound.objects.create(
            session=fresh,
            taken_at=at,
            action=action.strip(),
            confirmed=sorted(confirmed),
            by=actor,
            at=now,
            **values,
            **optional,
        )
        _call(fresh, round_, findings, now=now)
        leaving.settle(fresh, now=now)
        once.remember(findings, id=round_.pk)
        return Charted(round_, fresh, findings)

    return writes.commit(work)


def _moment_of_round(session: Session, taken_at: datetime | None, now: datetime) -> datetime:
    """When a round was taken; raises Invalid for a time that cannot be of this visit."""
    if taken_at is None:
        return now
    if taken_at.tzinfo is None:
        raise Invalid.at("taken_at", _("A time needs its zone."))
    if taken_at > now:
        raise Invalid.at("taken_at", _("This time is still to come."))
    if session.checked_in_at is not None and taken_at < session.checked_in_at - FRESH_BEFORE_DOSE:
        raise Invalid.at("taken_at", _("This is before the patient came."))
    return taken_at


def _require_meant(vitals: Vitals, others: Sequence[Vitals], confirmed: Collection[str]) -> None:
    """Raise Invalid for values that cannot be, Implausible for unusual ones that nobody has confirmed."""
    refused = impossible(vitals)
    if vitals.dissociation not in Dissociation.values:
        refused = (*refused, Doubt("dissociation", _("Choose one of the grades.")))
    if refused:
        fields = _by_field(refused)
        raise Invalid(next(iter(fields.values()))[0], fields=fields)
    previous = next((other for other in reversed(others) if other.taken_at < vitals.taken_at), None)
    doubts = [doubt for doubt in implausible(vitals, previous) if doubt.name not in confirmed]
    if doubts:
        fields = _by_field(doubts)
        raise Implausible(next(iter(fields.values()))[0], fields=fields)


def _by_field(doubts: Iterable[Doubt]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for doubt in doubts:
        fields.setdefault(doubt.name, []).append(_(doubt.text) % dict(doubt.values))
    return fields


def _call(session: Session, round_: VitalsRound, findings: Sequence[Finding], *, now: datetime) -> None:
    """Put a line on the worklist of the visit's prescriber when a round asks for one."""
    for found in visit_safety.alerts(findings):
        worklist.open_task(
            kind=TaskKind.ALERT,
            patient=session.course.patient,
            course=session.course,
            key=f"{session.pk}:{found.rule}",
            details={
                "session": session.pk,
                "round": round_.pk,
                "rule": found.rule,
                "observed": found.observed,
                "limit": found.limit,
                "asked": session.prescriber_id,
                "asked_name": session.prescriber.short_name,
            },
            now=now,
        )


def void_round(*, actor: Staff, round_: VitalsRound, request_id: UUID | None = None, now: datetime) -> VitalsRound:
    """A round was a mistake: it stays and does not count any more. Within UNDO_FOR of its writing.

    Locks the session's day, then the patient. Raises Stale later, twice, and when the record is closed.
    """
    session = stepping.again(round_.session)
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    once = stepping.once_of("void-round", request_id, actor, session, round=round_.pk)

    def act(fresh: Session) -> VitalsRound:
        require_open(fresh)
        mine = VitalsRound.objects.get(pk=round_.pk)
        if mine.voided_at is not None:
            raise Stale(_("This round has been voided already."))
        if now > mine.at + UNDO_FOR:
            raise Stale(_("A round can be voided for five minutes; this was longer ago."))
        mine.voided_at, mine.voided_by = now, actor
        mine.save(update_fields=["voided_at", "voided_by"])
        placing.record(fresh.course, "vitals-voided", by=actor, now=now, sessions=[fresh], round=mine.pk)
        leaving.settle(fresh, now=now)
        return mine

    return write(once, session, VitalsRound, act, now=now)[0]


def note_action(
    *, actor: Staff, round_: VitalsRound, action: str, request_id: UUID | None = None, now: datetime
) -> VitalsRound:
    """What was done about a round, `bp-during` or `spo2`; once it is said it stays.

    Locks the session's day, then the patient. Raises Invalid without words, Stale when something was said already
    and when the record is closed.
    """
    session = stepping.again(round_.session)
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    action = action.strip()
    once = stepping.once_of("note-action", request_id, actor, session, round=round_.pk, action=action)

    def act(fresh: Session) -> VitalsRound:
        require_open(fresh)
        mine = VitalsRound.objects.get(pk=round_.pk)
        if not action:
            raise Invalid.at("action", _("Say what was done."))
        if mine.action or mine.voided_at is not None:
            raise Stale(_("Something has been said about this round already."))
        mine.action = action
        mine.save(update_fields=["action"])
        placing.record(fresh.course, "vitals-acted-on", by=actor, now=now, sessions=[fresh], reason=action)
        return mine

    return write(once, session, VitalsRound, act, now=now)[0]
