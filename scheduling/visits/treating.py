"""A visit as it happens: check-in, the review of what is new, the dose. `leaving.py` has the ways out of it,
`undoing.py` what takes back a wrong tap; all are called from here, as `treating.discharge(...)`.

Every step is one tap of one person, recorded with who and when, and takes effect once: a repeated request gets the
same answer, whoever taps a step that somebody has taken gets Stale. The times of the steps are the true ones; nothing
that is planned changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import permissions
from clinic.errors import Invalid, RulesBroken, Stale
from clinic.findings import Finding, Level, by_severity, gettext_noop
from clinic.models import Shift, Staff
from clinic.permissions import Verb
from patients import screening, worklist
from patients.models import TaskKind
from scheduling import judging, placing
from scheduling.booking import Change
from scheduling.judging import Signature, Verdict
from scheduling.models import Session, SessionState, VisitRecord
from scheduling.protocols import visit_safety
from scheduling.protocols.types import Phase
from scheduling.protocols.visit_safety import HISTORY, OBSERVED_FOR
from scheduling.protocols.vitals import WEIGHTS, Stage
from scheduling.protocols.windows import merge
from scheduling.visits import charts, stepping
from scheduling.visits.absence import AWAITED
from scheduling.visits.leaving import CHECKLIST, discharge, leave_early, mark_ready, not_dosed, transfer
from scheduling.visits.stepping import NOBODY, UNDO_FOR, Escort
from scheduling.visits.undoing import can_undo, undo, undo_until

__all__ = [
    "CHECKLIST",
    "HISTORY",
    "MEDICINES",
    "UNDO_FOR",
    "Escort",
    "can_undo",
    "check_in",
    "discharge",
    "finish",
    "leave_early",
    "mark_ready",
    "not_dosed",
    "review",
    "start",
    "transfer",
    "undo",
    "undo_until",
    "weigh_start",
]

#: What is asked about today's medicines: what changes the effect of the drug, or adds to it (P). Others are written
#: down by their names.
MEDICINES = {
    "benzodiazepine": gettext_lazy("Benzodiazepine"),
    "opioid": gettext_lazy("Opioid"),
    "sedative": gettext_lazy("Other sedative"),
    "stimulant": gettext_lazy("Stimulant"),
    "maoi": gettext_lazy("MAO inhibitor"),
    "lamotrigine": gettext_lazy("Lamotrigine"),
}

LONGEST_NAME = 60

#: Doses above these are typing errors (P): mg, and mg per kg of body weight.
MOST_MG, MOST_MG_PER_KG = Decimal(500), Decimal(2)
#: How far the dose may be from what weight and mg/kg make (P).
DOSE_TOLERANCE = Decimal("0.1")


def check_in(
    *,
    actor: Staff,
    session: Session,
    changed: Mapping[str, bool | None],
    weight_kg: Decimal | None = None,
    last_food_at: datetime | None = None,
    last_drink_at: datetime | None = None,
    medicines: Sequence[str] = (),
    escort: Escort = NOBODY,
    at: datetime | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The patient is here: opens the record. `changed` answers "anything new or changed" for each of HISTORY.

    Locks the session's day, then the patient. Any yes makes a line on the worklist and a review before the dose.
    Raises RulesBroken (`new-history`) when a question is not answered, Invalid for impossible values, Stale on
    another date than the planned one and when the visit is not awaited any more.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    answers = {question: changed.get(question) for question in HISTORY}
    asked = {"changed": answers, "weight": weight_kg, "food": last_food_at, "drink": last_drink_at, "escort": escort}
    once = stepping.once_of("check-in", request_id, actor, session, medicines=list(medicines), at=at, **asked)

    def act(fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, AWAITED)
        today = now.astimezone(fresh.course.site.zone).date()
        if fresh.local_date != today:
            raise Invalid.at("session", _("This visit is planned for another date; move it first."))
        arrived = stepping.moment(at, after=None, now=now)
        if arrived.astimezone(fresh.course.site.zone).date() != today:
            raise Invalid.at("at", _("This is on another date."))
        open_questions = tuple(visit_safety.history(answers, reviewed=True))
        if open_questions:
            raise RulesBroken(_(open_questions[0].text), findings=open_questions)
        require_arrival(weight_kg, last_food_at, last_drink_at, medicines, now=now)
        VisitRecord.objects.update_or_create(
            session=fresh,
            defaults={
                "changed": answers,
                "reviewed_at": None,
                "reviewed_by": None,
                "review_note": "",
                "weight_kg": weight_kg,
                "last_food_at": last_food_at,
                "last_drink_at": last_drink_at,
                "medicines": list(medicines),
                "escort_name": escort.name.strip(),
                "escort_phone": escort.phone.strip(),
                "checked_in_by": actor,
            },
        )
        stepping.step(fresh, SessionState.CHECKED_IN, now=now, checked_in_at=arrived)
        new = stepping.ask_for_review(fresh, answers, now=now)
        details = stepping.noted({"step_at": arrived})
        placing.record(fresh.course, "checked-in", by=actor, now=now, sessions=[fresh], changed=new, **details)
        return tuple(visit_safety.history(answers, reviewed=False))

    return stepping.take(once, session, act, now=now)


def require_arrival(
    weight_kg: Decimal | None,
    last_food_at: datetime | None,
    last_drink_at: datetime | None,
    medicines: Sequence[str],
    *,
    now: datetime,
) -> None:
    """Raise Invalid for what cannot be of a patient who has come."""
    least, most = WEIGHTS
    if weight_kg is not None and not least <= weight_kg <= most:
        text = _("This has to be between %(least)s and %(most)s.") % {"least": least, "most": most}
        raise Invalid.at("weight_kg", text)
    for field, taken in (("last_food_at", last_food_at), ("last_drink_at", last_drink_at)):
        if taken is not None and taken.tzinfo is None:
            raise Invalid.at(field, _("A time needs its zone."))
        if taken is not None and taken > now:
            raise Invalid.at(field, _("This time is still to come."))
        if taken is not None and taken < now - timedelta(days=7):
            raise Invalid.at(field, _("This time is too long ago."))
    if any(not medicine.strip() or len(medicine) > LONGEST_NAME for medicine in medicines):
        raise Invalid.at("medicines", _("A medicine has a name of at most %(most)s letters.") % {"most": LONGEST_NAME})


def review(*, actor: Staff, session: Session, note: str, request_id: UUID | None = None, now: datetime) -> Change:
    """A clinician has looked at what is new or changed; the dose can be given as far as that is concerned.

    Locks the session's day, then the patient; takes the line off the worklist. Raises Invalid without a note, Stale
    when the patient is not waiting for the dose or there is nothing to review any more.
    """
    permissions.require(actor, Verb.REVIEW, at=session.course.site)
    note = note.strip()
    once = stepping.once_of("review", request_id, actor, session, note=note)

    def act(fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, [SessionState.CHECKED_IN])
        if not note:
            raise Invalid.at("note", _("Say what was found."))
        record = stepping.record_of(fresh)
        if record.reviewed_at is not None or not any(record.changed.values()):
            raise Stale(_("There is nothing to review any more."))
        record.reviewed_at, record.reviewed_by, record.review_note = now, actor, note
        record.save(update_fields=["reviewed_at", "reviewed_by", "review_note"])
        patient = fresh.course.patient
        worklist.close_tasks(kind=TaskKind.REVIEW, patient=patient, key=str(fresh.pk), by=actor, now=now)
        placing.record(fresh.course, "reviewed", by=actor, now=now, sessions=[fresh], reason=note)
        return ()

    return stepping.take(once, session, act, now=now)


def start(
    *,
    actor: Staff,
    session: Session,
    drug: str,
    lot: str,
    mg: Decimal | None,
    mg_per_kg: Decimal | None = None,
    confirmed_by: Staff | None,
    override: Signature | None = None,
    at: datetime | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The dose begins. `confirmed_by`: the second person who has checked it, not the actor (`dose-check`).

    Locks the session's day, then the patient. Judges protocol.md part 3 before the dose, `baseline`, the blocks of
    part 2, `doctor` and `stopped`. Raises RulesBroken for a block, or a finding of level override that the override
    does not sign; Invalid for a dose that cannot be meant; Stale when the patient is not checked in or the dose runs.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    drug, lot = drug.strip(), lot.strip()
    dose = {"drug": drug, "lot": lot, "mg": mg, "mg_per_kg": mg_per_kg, "second": confirmed_by and confirmed_by.pk}
    once = stepping.once_of("start", request_id, actor, session, override=override, at=at, **dose)

    def act(fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, [SessionState.CHECKED_IN])
        begun = stepping.moment(at, after=fresh.checked_in_at, now=now)
        record = stepping.record_of(fresh)
        second = confirmed_by if confirmed_by != actor else None
        if second is not None:
            stepping.require_second(second, actor, fresh, "confirmed_by")
        found = _weigh_start(fresh, record, confirmed=second is not None, now=begun)
        signed = judging.require_passable(Verdict(found), override)
        _require_dose(fresh, record, drug, lot, mg, mg_per_kg)
        record.drug, record.lot, record.mg, record.mg_per_kg = drug, lot, mg, mg_per_kg
        record.started_by, record.confirmed_by = actor, second
        record.save(update_fields=["drug", "lot", "mg", "mg_per_kg", "started_by", "confirmed_by"])
        stepping.step(fresh, SessionState.GIVING, now=now, dose_started_at=begun)
        placing.need_no_time([fresh], by=actor, now=now)
        placing.record(
            fresh.course,
            "dose-started",
            by=actor,
            now=now,
            sessions=[fresh],
            findings=found,
            signed=signed,
            signature=override,
            **stepping.noted({"step_at": begun, **dose}),
        )
        return found

    return stepping.take(once, session, act, now=now)


def weigh_start(session: Session, *, confirmed: bool = False, now: datetime) -> tuple[Finding, ...]:
    """What speaks against beginning the dose now, the most severe first. Locks nothing; about ten queries."""
    record = charts.record_of(session)
    return _weigh_start(session, record, confirmed=confirmed, now=now) if record else ()


def _weigh_start(session: Session, record: VisitRecord, *, confirmed: bool, now: datetime) -> tuple[Finding, ...]:
    rounds = charts.rounds_of(session)
    before = [round_ for round_ in rounds if round_.taken_at <= now]
    facts = replace(charts.facts_of(session, record, before, now=now), confirmed=confirmed)
    found = [*visit_safety.before_dose(facts, now=now), *_not_eligible(session, now), *_no_doctor(session, now)]
    # A dose that is written down late does not leave out what was measured by then.
    for round_ in rounds[len(before) :]:
        said = visit_safety.while_here(charts.as_vitals(round_), Stage.BEFORE)
        found += [one for one in said if one.rule == "bp-high"]
    return by_severity([*_stopped(session), *found])


def _stopped(session: Session) -> Iterator[Finding]:
    """`stopped`: the course has ended while the patient was waiting for the dose."""
    course = session.course
    judged = judging.course_findings(course.protocol.protocol, course, Phase(session.phase))
    yield from (found for found in judged if found.rule == "stopped")


def _not_eligible(session: Session, now: datetime) -> Iterator[Finding]:
    """The blocks of protocol.md part 2; what a prescriber can pass over was passed over when the course was booked."""
    site = session.course.site
    judged = screening.eligibility_of(
        session.patient_id,
        drug=session.course.protocol.protocol.drug,
        today=now.astimezone(site.zone).date(),
        certified=site.rems_certified,
    )
    yield from (found for found in judged.findings if found.level is Level.BLOCK)


def _no_doctor(session: Session, now: datetime) -> Iterator[Finding]:
    """`doctor`: the visit's prescriber is on shift now with room for one more patient, and some prescriber is at the
    site until two hours after a dose that begins now: the visit can be handed over. Two queries."""
    until = now + timedelta(minutes=session.course.protocol.protocol.visit.give) + OBSERVED_FOR
    shifts = Shift.objects.filter(
        site=session.site_id,
        staff__is_prescriber=True,
        staff__is_active=True,
        during__startswith__lt=until,
        during__endswith__gt=now,
    )
    rows = list(shifts.values_list("staff_id", "during__startswith", "during__endswith", "patients_at_once"))
    mine = [row for row in rows if row[0] == session.prescriber_id and row[1] <= now]
    if not mine:
        text = gettext_noop("The prescriber is not on shift now; hand the visit over first.")
        yield Finding("doctor", Level.BLOCK, text, stepping.clock(now, session))
        return
    present = merge((starts, ends) for _staff, starts, ends, _limit in rows)
    leaves = next(ends for starts, ends in present if starts <= now < ends)
    if leaves < until:
        text = gettext_noop("The prescriber leaves at %(limit)s; monitoring ends at %(observed)s.")
        values = {"observed": stepping.clock(until, session), "limit": stepping.clock(leaves, session)}
        yield Finding("doctor", Level.BLOCK, text, values["observed"], values["limit"], values=values)
    care = (SessionState.GIVING, SessionState.MONITORING, SessionState.READY)
    others = Session.objects.filter(
        prescriber=session.prescriber_id, site=session.site_id, local_date=session.local_date, state__in=care
    )
    under_care, limit = others.exclude(pk=session.pk).count() + 1, mine[0][3]
    if under_care > limit:
        text = gettext_noop("The prescriber would have %(observed)s patients under care; the limit is %(limit)s.")
        numbers = {"observed": under_care, "limit": limit}
        yield Finding("doctor", Level.BLOCK, text, str(under_care), str(limit), values=numbers)


def _require_dose(
    session: Session, record: VisitRecord, drug: str, lot: str, mg: Decimal | None, mg_per_kg: Decimal | None
) -> None:
    """Raise Invalid, all at once, for a dose that is not described or cannot be meant."""
    wrong: dict[str, list[str]] = {}
    protocol = session.course.protocol.protocol
    said = drug.casefold()
    if not drug:
        wrong["drug"] = [_("Say which drug is given.")]
    elif ("esketamine" in said or "spravato" in said) != (protocol.drug == "esketamine"):
        wrong["drug"] = [_("This course is treated with %(drug)s.") % {"drug": protocol.drug}]
    if not lot:
        wrong["lot"] = [_("The lot number is needed.")]
    most_mg = MOST_MG
    if protocol.route == "iv" and record.weight_kg is not None:
        most_mg = min(MOST_MG, MOST_MG_PER_KG * record.weight_kg)
    if mg is None or not 0 < mg <= most_mg:
        wrong["mg"] = [_("This has to be above 0 and at most %(most)s mg.") % {"most": round(most_mg)}]
    if mg_per_kg is not None and not 0 < mg_per_kg <= MOST_MG_PER_KG:
        most = {"most": MOST_MG_PER_KG}
        wrong["mg_per_kg"] = [_("This has to be above 0 and at most %(most)s mg per kg.") % most]
    elif mg_per_kg is not None and record.weight_kg is not None and mg is not None and "mg" not in wrong:
        meant = mg_per_kg * record.weight_kg
        if abs(mg - meant) > meant * DOSE_TOLERANCE:
            values = {"mg_per_kg": mg_per_kg.normalize(), "weight": record.weight_kg, "meant": round(meant, 1)}
            text = _("%(mg_per_kg)s mg per kg at %(weight)s kg are %(meant)s mg: check both.") % values
            wrong["mg"] = [text]
    if wrong:
        raise Invalid(next(iter(wrong.values()))[0], fields=wrong)


def finish(
    *,
    actor: Staff,
    session: Session,
    mg_given: Decimal | None = None,
    waste_mg: Decimal | None = None,
    waste_witness: Staff | None = None,
    at: datetime | None = None,
    request_id: UUID | None = None,
    now: datetime,
) -> Change:
    """The dose has ended, all of it given or, stopped early, `mg_given`; the two hours begin.

    Locks the session's day, then the patient. Waste of a controlled drug has a witness, not the actor. Raises
    Invalid for more than the dose, Stale when no dose runs.
    """
    permissions.require(actor, Verb.RUN_VISIT, at=session.course.site)
    dose = {"mg_given": mg_given, "waste_mg": waste_mg, "witness": waste_witness and waste_witness.pk}
    once = stepping.once_of("finish", request_id, actor, session, at=at, **dose)

    def act(fresh: Session) -> Sequence[Finding]:
        stepping.require_state(fresh, [SessionState.GIVING])
        ended = stepping.moment(at, after=fresh.dose_started_at, now=now)
        record = stepping.record_of(fresh)
        given = record.mg if mg_given is None else mg_given
        if given is not None and (given < 0 or (record.mg is not None and given > record.mg)):
            raise Invalid.at("mg_given", _("This has to be from 0 to %(mg)s mg, the dose.") % {"mg": record.mg})
        if waste_mg is not None and not 0 < waste_mg <= MOST_MG:
            text = _("This has to be above 0 and at most %(most)s mg.") % {"most": MOST_MG}
            raise Invalid.at("waste_mg", text)
        if waste_mg is not None:
            stepping.require_second(waste_witness, actor, fresh, "waste_witness")
        record.mg_given, record.waste_mg, record.ended_by = given, waste_mg, actor
        record.waste_witness = waste_witness if waste_mg is not None else None
        record.save(update_fields=["mg_given", "waste_mg", "waste_witness", "ended_by"])
        stepping.step(fresh, SessionState.MONITORING, now=now, dose_ended_at=ended)
        details = stepping.noted({"step_at": ended, **dose, "mg_given": given})
        placing.record(fresh.course, "dose-ended", by=actor, now=now, sessions=[fresh], **details)
        return ()

    return stepping.take(once, session, act, now=now)
