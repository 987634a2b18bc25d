"""Evaluations: what is free, book, cancel, done, nobody came.

Each verb locks the day and the patient like every write to the calendar, and judges again under lock. There is no
course yet, so the row itself says who booked and who ended it; what the patient is mailed is queued with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db import IntegrityError
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import permissions
from clinic.errors import Invalid, RulesBroken, Stale
from clinic.findings import Finding, Level, gettext_noop
from clinic.models import Site, Staff
from clinic.permissions import Verb
from patients.models import Patient
from scheduling import judging, openings, placing, writes
from scheduling.booking import SlotTaken
from scheduling.mails import outbox
from scheduling.models import KEPT, Evaluation, EvaluationState, Room, Session
from scheduling.openings import LEAD, DayFacts
from scheduling.protocols.types import Place
from scheduling.protocols.windows import merge

#: An evaluation takes so long (P).
LENGTH = timedelta(minutes=60)

#: How far open days are looked for.
LOOK_AHEAD = timedelta(days=60)

#: What each constraint guards, as the one is told who was second.
TAKEN = {
    "evaluation_room_free": gettext_lazy("The room is taken at that time."),
    "evaluation_prescriber_free": gettext_lazy("The prescriber has another evaluation at that time."),
    "evaluation_patient_free": gettext_lazy("The patient has another evaluation at that time."),
}


@dataclass(frozen=True, slots=True)
class Start:
    """A time at which an evaluation can begin, with the rooms and prescribers who are free throughout."""

    starts_at: datetime
    rooms: tuple[Room, ...]
    prescribers: tuple[Staff, ...]


def evaluations() -> QuerySet[Evaluation]:
    """Every evaluation with what is named beside it, by start."""
    found = Evaluation.objects.select_related("patient", "site", "room", "prescriber")
    return found.order_by("during__startswith", "pk")


def of_day(site: Site, day: date) -> QuerySet[Evaluation]:
    """The evaluations of a date that keep their time. One query."""
    return evaluations().filter(site=site, local_date=day, state__in=KEPT)


def free_starts(*, site: Site, days: int, now: datetime) -> dict[date, tuple[Start, ...]]:
    """When evaluations can begin on the next open days of a site, today among them, on its steps and not before LEAD
    is over. Nine queries at most; reads only."""
    today = now.astimezone(site.zone).date()
    ahead = openings.read(site, [today + timedelta(days=number) for number in range(LOOK_AHEAD.days)], ())
    dates = [day for day, facts in ahead.items() if facts.open][:days]
    rooms = list(Room.objects.filter(site=site, active=True).order_by("position", "name"))
    working = Staff.objects.filter(sites=site, is_prescriber=True, is_active=True).order_by("last_name", "pk")
    prescribers = {staff.pk: staff for staff in working}
    here = Q(site=site, local_date__in=dates) | Q(
        prescriber__in=prescribers,
        during__endswith__gt=now,
        during__startswith__lt=now + LOOK_AHEAD,
    )
    taken = list(Evaluation.objects.filter(here, state__in=KEPT).values_list("room", "prescriber", "during"))
    found = {}
    for day, facts in openings.read(site, dates).items():
        starts = (_start(at, facts, rooms, prescribers, taken) for at in _grid(facts, site.start_step))
        found[day] = tuple(start for start in starts if start is not None and start.starts_at >= now + LEAD)
    return found


def _grid(facts: DayFacts, step: int) -> list[datetime]:
    """Every start of the step, from full hours on the site's clocks, that ends before the site closes."""
    length, starts = timedelta(minutes=step), []
    for opens, closes in facts.open:
        local = opens.astimezone(facts.zone)
        late = timedelta(minutes=local.minute, seconds=local.second) % length
        at = opens + (length - late if late else late)
        while at + LENGTH <= closes:
            starts.append(at)
            at += length
    return starts


def _start(
    at: datetime,
    facts: DayFacts,
    rooms: Sequence[Room],
    prescribers: dict[int, Staff],
    taken: Sequence[tuple[int, int, DateTimeTZRange]],
) -> Start | None:
    """What is free for an evaluation that begins then, None where a room or a prescriber is missing."""
    over = [
        (room, prescriber) for room, prescriber, during in taken if during.lower < at + LENGTH and at < during.upper
    ]
    busy_rooms, busy = {room for room, _one in over}, {prescriber for _room, prescriber in over}
    free = tuple(room for room in rooms if room.pk not in busy_rooms)
    present = tuple(
        staff for pk, staff in prescribers.items() if pk not in busy and _on_shift(facts, pk, at, at + LENGTH)
    )
    return Start(at, free, present) if free and present else None


def _on_shift(facts: DayFacts, prescriber: int, start: datetime, end: datetime) -> bool:
    shifts = merge((shift.starts_at, shift.ends_at) for shift in facts.shifts if shift.prescriber == prescriber)
    return any(begins <= start and end <= ends for begins, ends in shifts)


def book_evaluation(
    *,
    actor: Staff,
    patient: Patient,
    room: Room,
    prescriber: Staff,
    starts_at: datetime,
    request_id: UUID | None = None,
    now: datetime,
) -> tuple[Evaluation, bool]:
    """Book a room and a prescriber for LENGTH; returns the evaluation and whether the request had succeeded before.

    Locks the day, then the patient. Raises RoleRefused, Invalid for a time, a room or a prescriber that cannot be
    meant, RulesBroken (`hours`, `doctor`, a visit of the patient then), SlotTaken, RequestReused.
    """
    permissions.require(actor, Verb.BOOK, at=room.site)
    judging.check_start(starts_at, now)
    starts_at = starts_at.astimezone(UTC)
    site, during = room.site, DateTimeTZRange(starts_at, starts_at + LENGTH)
    day = starts_at.astimezone(site.zone).date()

    def act() -> Evaluation:
        placing.lock(site, {day}, patient.pk, now)
        if not Room.objects.filter(pk=room.pk, active=True).exists():
            raise Invalid.at("room", _("This room is not used any more."))
        if not Staff.objects.filter(pk=prescriber.pk, is_prescriber=True, is_active=True, sites=site).exists():
            raise Invalid.at("prescriber", _("There is no such prescriber at this site."))
        if findings := _weigh(site, day, patient, prescriber, during):
            raise RulesBroken(_("Nothing was booked."), findings=findings)
        _require_free(room, prescriber, patient, during)
        evaluation = Evaluation(
            patient=patient,
            site=site,
            room=room,
            prescriber=prescriber,
            during=during,
            local_date=day,
            booked_by=actor,
            at=now,
        )
        evaluation.save(force_insert=True)
        outbox.renew_evaluation(evaluation=evaluation, now=now)
        return evaluation

    asked = {"actor": actor, "patient": patient, "room": room, "prescriber": prescriber, "starts_at": starts_at}
    try:
        return writes.carry_out_once(
            "evaluate", request_id, asked, act, lambda pk: Evaluation.objects.get(pk=pk), now=now
        )
    except IntegrityError as error:  # a writer past the application
        if (name := writes.constraint_of(error)) not in TAKEN:
            raise
        raise SlotTaken(str(TAKEN[name]), taken=(0,), plans=()) from error


def _weigh(site: Site, day: date, patient: Patient, prescriber: Staff, during: DateTimeTZRange) -> list[Finding]:
    """What the rules say against this time: hours, shift, a visit of the patient. Five queries."""
    start, end = during.lower, during.upper
    facts = openings.read(site, [day], [Place(start, 0, prescriber.pk)])[day]
    span = f"{start.astimezone(site.zone):%H:%M}-{end.astimezone(site.zone):%H:%M}"
    values = {"observed": span}
    found = []
    if not any(opens <= start and end <= closes for opens, closes in facts.open):
        text = gettext_noop("The site is not open from start to end: %(observed)s.")
        found.append(Finding("hours", Level.BLOCK, text, span, values=values))
    if not _on_shift(facts, prescriber.pk, start, end):
        text = gettext_noop("The prescriber is not on shift from start to end: %(observed)s.")
        found.append(Finding("doctor", Level.BLOCK, text, span, values=values))
    if Session.objects.live().filter(patient=patient, during__overlap=during).exists():
        text = gettext_noop("The patient has a visit at that time: %(observed)s.")
        found.append(Finding("hours", Level.BLOCK, text, span, values=values))
    return found


def _require_free(room: Room, prescriber: Staff, patient: Patient, during: DateTimeTZRange) -> None:
    """Raise SlotTaken where another evaluation has the room, the prescriber or the patient. One query."""
    same = Q(room=room) | Q(prescriber=prescriber) | Q(patient=patient)
    others = list(Evaluation.objects.filter(same, during__overlap=during, state__in=KEPT))
    for column, wanted in (("room", room.pk), ("prescriber", prescriber.pk), ("patient", patient.pk)):
        if any(getattr(other, f"{column}_id") == wanted for other in others):
            raise SlotTaken(str(TAKEN[f"evaluation_{column}_free"]), taken=(0,), plans=())


def cancel_evaluation(
    *, actor: Staff, evaluation: Evaluation, reason: str, request_id: UUID | None = None, now: datetime
) -> tuple[Evaluation, bool]:
    """Give up an evaluation that is booked, for a reason; its time is free. Locks as `_end`.

    Raises RoleRefused, Invalid without a reason, Stale when it is not booked any more.
    """
    permissions.require(actor, Verb.BOOK, at=evaluation.site)
    reason = reason.strip()
    if not reason:
        raise Invalid.at("reason", _("Say why."))
    return _end(actor, evaluation, EvaluationState.CANCELLED, request_id, now, reason=reason)


def finish_evaluation(
    *, actor: Staff, evaluation: Evaluation, request_id: UUID | None = None, now: datetime
) -> tuple[Evaluation, bool]:
    """The evaluation has taken place. Locks as `_end`. Raises RoleRefused, Stale before it begins or once ended."""
    permissions.require(actor, Verb.RUN_VISIT, at=evaluation.site)
    return _end(actor, evaluation, EvaluationState.DONE, request_id, now, check=_require_begun)


def evaluation_no_show(
    *, actor: Staff, evaluation: Evaluation, request_id: UUID | None = None, now: datetime
) -> tuple[Evaluation, bool]:
    """Nobody came; the time is free. Locks as `_end`. Raises RoleRefused, Stale before it begins or once ended."""
    permissions.require(actor, Verb.NO_SHOW, at=evaluation.site)
    return _end(actor, evaluation, EvaluationState.NO_SHOW, request_id, now, check=_require_begun)


def _require_begun(evaluation: Evaluation, now: datetime) -> None:
    if now < evaluation.starts_at:
        raise Stale(_("This evaluation has not begun yet."))


def _end(
    actor: Staff,
    evaluation: Evaluation,
    state: EvaluationState,
    request_id: UUID | None,
    now: datetime,
    *,
    reason: str = "",
    check: Callable[[Evaluation, datetime], None] | None = None,
) -> tuple[Evaluation, bool]:
    """End what is booked, once. Locks its day, then the patient, and reads it again."""

    def act() -> Evaluation:
        placing.lock(evaluation.site, {evaluation.local_date}, evaluation.patient_id, now)
        fresh = Evaluation.objects.select_related("site", "patient").get(pk=evaluation.pk)
        if fresh.state != EvaluationState.BOOKED:
            raise Stale(_("This evaluation is not booked any more."))
        if check is not None:
            check(fresh, now)
        fresh.state, fresh.ended_at, fresh.ended_by, fresh.reason = state, now, actor, reason
        fresh.save(update_fields=["state", "ended_at", "ended_by", "reason"])
        outbox.renew_evaluation(evaluation=fresh, now=now)
        return fresh

    asked = {"actor": actor, "evaluation": evaluation, "reason": reason}
    verb = f"evaluation-{state}"
    return writes.carry_out_once(verb, request_id, asked, act, lambda pk: Evaluation.objects.get(pk=pk), now=now)
