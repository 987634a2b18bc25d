"""The rules of a visit, protocol.md part 3: before the dose, while the patient is here, at discharge. Pure.

`vitals.py` has what is measured, its units, and when it is due. Every number marked P is our own default; a licensed
prescriber has to approve it before it is used with patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from clinic.findings import Finding, Level, gettext_noop
from scheduling.protocols.vitals import (
    FRESH_BEFORE_DOSE,
    RAISED,
    Stage,
    Times,
    Vitals,
    is_above,
    last_pressure,
    together,
)

#: Kept under observation after the end of the dose (D), rule `two-hours`; the database holds discharges to it too.
OBSERVED_FOR = timedelta(minutes=120)

#: From this pressure on no dose without a prescriber's reason (P), rule `bp-high`.
HIGH = (160, 100)
#: From this pressure on the prescriber is called (P), rule `bp-during`.
ALARMING = (180, 110)
#: SpO2 below which it is said, and below which the emergency path begins (P), rule `spo2`.
LOW_SATURATION, EMERGENCY_SATURATION = 94, 90
#: Awake: MOAA/S at which a patient may leave (P), rule `sedation`.
AWAKE = 5
#: A PHQ-9 counts as the baseline when it is at most so many calendar days old at the first dose (P).
BASELINE_DAYS = 7
#: A REMS monitoring form is due so many calendar days after the visit (C REMS).
FORM_DAYS = 7

#: A measurement counts as the one before leaving for so long (P).
FRESH_AT_DISCHARGE = timedelta(minutes=30)

#: The questions of check-in, "anything new or changed", rule `new-history` (D).
HISTORY = ("pressure", "liver", "stroke", "heart")


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFacts:
    """What is known of a visit when a step is to be taken.

    `rounds` are in order of time. `changed` answers the questions of HISTORY, None for one that was not answered.
    `first_dose`: no drug was given in this course yet; `phq9_age` is how many calendar days old the patient's last
    PHQ-9 is. `item_9_unseen`: an answer above 0 that no clinician has acknowledged. `confirmed`: a second person has
    confirmed the dose.
    """

    times: Times
    rounds: Sequence[Vitals] = ()
    changed: Mapping[str, bool | None] = field(default_factory=dict)
    reviewed: bool = False
    item_9_unseen: bool = False
    first_dose: bool = False
    phq9_age: int | None = None
    confirmed: bool = False
    escort: str = ""


# Before the dose


def before_dose(facts: VisitFacts, *, now: datetime) -> tuple[Finding, ...]:
    """What speaks against giving the dose now: `new-history`, `score-seen`, `dose-check`, `bp-high`, `bp-before`,
    `spo2`, `baseline`."""
    return tuple(_before_dose(facts, now))


def _before_dose(facts: VisitFacts, now: datetime) -> Iterator[Finding]:
    yield from history(facts.changed, reviewed=facts.reviewed)
    if facts.item_9_unseen:
        yield _unseen()
    if not facts.confirmed:
        text = gettext_noop("The dose has to be confirmed by a second person.")
        yield Finding("dose-check", Level.BLOCK, text)
    fresh = [round_ for round_ in facts.rounds if now - round_.taken_at <= FRESH_BEFORE_DOSE]
    if last_pressure(fresh) is None:
        text = gettext_noop("No blood pressure was measured in the hour before the dose.")
        yield Finding("bp-high", Level.OVERRIDE, text, "", _said(HIGH))
    if fresh:
        yield from while_here(together(fresh), Stage.BEFORE)
    if facts.first_dose and (facts.phq9_age is None or facts.phq9_age > BASELINE_DAYS):
        yield _no_baseline(facts.phq9_age)


def history(changed: Mapping[str, bool | None], *, reviewed: bool) -> Iterator[Finding]:
    """`new-history`: a question that nobody has answered, or a "yes" that nobody has reviewed (D)."""
    open_ones = [question for question in HISTORY if changed.get(question) is None]
    if open_ones:
        text = gettext_noop("Ask whether anything is new or changed: blood pressure, liver, stroke, heart.")
        yield Finding("new-history", Level.BLOCK, text, ", ".join(open_ones))
    elif any(changed.values()) and not reviewed:
        new = ", ".join(question for question in HISTORY if changed[question])
        text = gettext_noop("Something is new or changed: a clinician has to review it before the dose.")
        yield Finding("new-history", Level.BLOCK, text, new)


def _unseen() -> Finding:
    text = gettext_noop("A clinician has to acknowledge the answer to item 9 first.")
    return Finding("score-seen", Level.BLOCK, text)


def _no_baseline(age: int | None) -> Finding:
    limit = f"{BASELINE_DAYS} days"
    if age is None:
        return Finding("baseline", Level.OVERRIDE, gettext_noop("There is no PHQ-9 before the first dose."), "", limit)
    text = gettext_noop("The last PHQ-9 before the first dose is %(observed)s old; the limit is %(limit)s.")
    values = {"observed": f"{age} days", "limit": limit}
    return Finding("baseline", Level.OVERRIDE, text, values["observed"], limit, values=values, beyond=age)


# While the patient is here


def while_here(round_: Vitals, stage: Stage) -> tuple[Finding, ...]:
    """What one round says: `bp-high` or `bp-before` before the dose, `bp-during` from then on, `spo2` always."""
    return tuple(_while_here(round_, stage))


def _while_here(round_: Vitals, stage: Stage) -> Iterator[Finding]:
    pressure = round_.pressure
    if pressure is not None and stage is Stage.BEFORE:
        if _from(pressure, HIGH):
            text = gettext_noop("The blood pressure before the dose is %(observed)s; from %(limit)s on no dose.")
            yield _of_pressure("bp-high", Level.OVERRIDE, text, pressure, HIGH)
        elif is_above(pressure, RAISED):
            text = gettext_noop(
                "The blood pressure before the dose is %(observed)s, above %(limit)s: measure it again."
            )
            yield _of_pressure("bp-before", Level.WARN, text, pressure, RAISED)
    elif pressure is not None and _from(pressure, ALARMING):
        text = gettext_noop("The blood pressure is %(observed)s: call the prescriber and record what is done.")
        yield _of_pressure("bp-during", Level.WARN, text, pressure, ALARMING)
    if round_.spo2 is not None and round_.spo2 < LOW_SATURATION:
        emergency = round_.spo2 < EMERGENCY_SATURATION
        text = (
            gettext_noop("Oxygen saturation is %(observed)s, under %(limit)s: emergency path.")
            if emergency
            else gettext_noop("Oxygen saturation is %(observed)s, under %(limit)s.")
        )
        limit = EMERGENCY_SATURATION if emergency else LOW_SATURATION
        values = {"observed": f"{round_.spo2}%", "limit": f"{limit}%"}
        yield Finding("spo2", Level.WARN, text, values["observed"], values["limit"], values=values)


def alerts(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those for which the prescriber is called: `bp-during`, and `spo2` of the emergency path."""
    emergency = f"{EMERGENCY_SATURATION}%"
    return tuple(
        found for found in findings if found.rule == "bp-during" or (found.rule == "spo2" and found.limit == emergency)
    )


# At discharge


def at_discharge(facts: VisitFacts, *, now: datetime) -> tuple[Finding, ...]:
    """What speaks against going home now: `two-hours`, `bp-leave`, `sedation`, `score-seen`, `escort`, and what the
    last round says. What was not measured since the dose, or too long ago, counts as not met."""
    return tuple(_at_discharge(facts, now))


def _at_discharge(facts: VisitFacts, now: datetime) -> Iterator[Finding]:
    earliest = earliest_discharge(facts.times)
    if earliest is None or now < earliest:
        yield _too_early(facts.times.dose_ended_at, earliest, now)
    since = facts.times.dose_ended_at or now
    rounds = [round_ for round_ in facts.rounds if round_.taken_at >= max(since, now - FRESH_AT_DISCHARGE)]
    yield from _pressure_at_discharge(facts.rounds, last_pressure(rounds))
    level = together(rounds).sedation if rounds else None
    if level is None:
        text = gettext_noop("Sedation has to be graded before discharge.")
        yield Finding("sedation", Level.BLOCK, text, "", str(AWAKE))
    elif level < AWAKE:
        text = gettext_noop("Sedation is MOAA/S %(observed)s; discharge needs %(limit)s.")
        values = {"observed": str(level), "limit": str(AWAKE)}
        yield Finding("sedation", Level.BLOCK, text, values["observed"], values["limit"], values=values)
    if facts.item_9_unseen:
        yield _unseen()
    if not facts.escort.strip():
        yield Finding("escort", Level.OVERRIDE, gettext_noop("Nobody is named to take the patient home."))
    if rounds:
        yield from while_here(together(rounds), Stage.MONITORING)


def _too_early(ended_at: datetime | None, earliest: datetime | None, now: datetime) -> Finding:
    limit = f"{OBSERVED_FOR // timedelta(minutes=1)} min"
    if ended_at is None or earliest is None:
        return Finding("two-hours", Level.BLOCK, gettext_noop("The dose has not ended."), "", limit)
    observed = f"{max(now - ended_at, timedelta()) // timedelta(minutes=1)} min"
    text = gettext_noop("The dose ended %(observed)s ago; patients stay for %(limit)s after it.")
    values: dict[str, object] = {"observed": observed, "limit": limit}
    return Finding("two-hours", Level.BLOCK, text, observed, limit, values=values)


def _pressure_at_discharge(rounds: Sequence[Vitals], last: Vitals | None) -> Iterator[Finding]:
    """`bp-leave`: every part of the pressure that is raised has to be lower than in the round before."""
    if last is None or last.pressure is None:
        text = gettext_noop("The blood pressure has to be measured before discharge.")
        yield Finding("bp-leave", Level.BLOCK, text, "", _said(RAISED))
        return
    before = last_pressure([round_ for round_ in rounds if round_.taken_at < last.taken_at])
    earlier = before.pressure if before is not None else None
    rising = earlier is None or any(
        part > limit and part >= then for part, limit, then in zip(last.pressure, RAISED, earlier, strict=True)
    )
    if is_above(last.pressure, RAISED) and rising:
        text = gettext_noop("The blood pressure is %(observed)s, above %(limit)s and not falling.")
        yield _of_pressure("bp-leave", Level.BLOCK, text, last.pressure, RAISED)


def earliest_discharge(times: Times) -> datetime | None:
    """When the patient may leave at the earliest, None before the dose has ended."""
    return None if times.dose_ended_at is None else times.dose_ended_at + OBSERVED_FOR


def may_leave(facts: VisitFacts, *, now: datetime) -> bool:
    """No block stands against discharge: the visit is ready."""
    return not any(found.level is Level.BLOCK for found in at_discharge(facts, now=now))


# After the visit


def form_due_on(drug: str, visited_on: date) -> date | None:
    """Until when the REMS monitoring form of a visit on this local date has to be sent, None for other drugs."""
    return visited_on + timedelta(days=FORM_DAYS) if drug == "esketamine" else None


def open_form(drug: str, visited_on: date, *, sent: bool, today: date) -> Finding | None:
    """`rems-form`: the monitoring form of a visit with esketamine has not been sent (C REMS). A line on the worklist,
    in the way of nothing."""
    due = form_due_on(drug, visited_on)
    if due is None or sent:
        return None
    text = (
        gettext_noop("The monitoring form was due on %(limit)s.")
        if today > due
        else gettext_noop("The monitoring form is due by %(limit)s.")
    )
    values = {"limit": due.isoformat()}
    days = (today - visited_on).days
    return Finding("rems-form", Level.WARN, text, f"{days} days", values["limit"], values=values, beyond=days)


def _from(pressure: tuple[int, int], limit: tuple[int, int]) -> bool:
    return pressure[0] >= limit[0] or pressure[1] >= limit[1]


def _said(pressure: tuple[int, int]) -> str:
    return f"{pressure[0]}/{pressure[1]}"


def _of_pressure(rule: str, level: Level, text: str, observed: tuple[int, int], limit: tuple[int, int]) -> Finding:
    values = {"observed": _said(observed), "limit": _said(limit)}
    return Finding(rule, level, text, values["observed"], values["limit"], values=values)
