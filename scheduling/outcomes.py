"""What each decision means for a course (protocol.md, part 4): which of its sessions go, what it lacks then, what its
columns say and what has to be signed. Reads and writes nothing; `deciding.py` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.errors import Invalid, Stale
from clinic.findings import Finding, by_severity
from scheduling import further, judging
from scheduling.further import Need
from scheduling.models import OPEN, Course, CourseState, PhaseChoice, Session, SessionState
from scheduling.protocols import spacing
from scheduling.protocols.progress import default_interval
from scheduling.protocols.types import Phase, Protocol, Spot

#: Longest interval that still is maintenance (P).
LONGEST_INTERVAL = 90

#: A clinician can ask for so many sessions more than an initial phase has (protocol.md, `extend`, P).
MOST_MORE = 2

#: How far beyond its span an extended initial phase is looked for, in days from the decision on (P).
BEYOND = 28

#: Doses that can be decided: mg per kg of body weight by infusion (P), mg of the spray (C, its label).
IV_DOSES = (Decimal("0.1"), Decimal(2))
NASAL_DOSES = (Decimal(56), Decimal(84))


class Decision(TextChoices):
    """How a course goes on, in the order of protocol.md, part 4."""

    GO_ON = "go-on", gettext_lazy("Go on")
    EXTEND = "extend", gettext_lazy("Extend the initial phase")
    CHANGE_DOSE = "change-dose", gettext_lazy("Change the dose")
    MAINTENANCE = "maintenance", gettext_lazy("Maintenance")
    NEW_INITIAL = "new-initial", gettext_lazy("New initial phase")
    PAUSE = "pause", gettext_lazy("Pause")
    CLOSE_EARLY = "close-early", gettext_lazy("Close the course")
    STOP = "stop", gettext_lazy("Stop")


class Cause(TextChoices):
    """Why a course is stopped (protocol.md, part 4)."""

    ADVERSE_EVENT = "adverse-event", gettext_lazy("Serious adverse event")
    CONTRAINDICATION = "contraindication", gettext_lazy("New contraindication")
    CONSENT_WITHDRAWN = "consent-withdrawn", gettext_lazy("Consent withdrawn")
    PREGNANCY = "pregnancy", gettext_lazy("Pregnancy")
    MISUSE = "misuse", gettext_lazy("Misuse")
    NO_RESPONSE = "no-response", gettext_lazy("No response")
    PATIENTS_CHOICE = "patients-choice", gettext_lazy("Patient's choice")


#: What a decision can be told beside its reason.
FIELDS: Mapping[str, tuple[str, ...]] = {
    Decision.EXTEND: ("sessions",),
    Decision.CHANGE_DOSE: ("dose",),
    Decision.MAINTENANCE: ("interval_days",),
    Decision.PAUSE: ("until",),
    Decision.STOP: ("cause",),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision as it was taken. `dose` in mg/kg by infusion, in mg as a spray; `interval_days` in days."""

    decision: str
    reason: str
    cause: str = ""
    interval_days: int | None = None
    dose: Decimal | None = None
    sessions: int | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision does. `columns` are the course's that change, `frees` the sessions that go, `needs` what it
    lacks then under `rules`; `findings` speak against the decision itself, whatever the calendar says.

    `begins`: the needs are those of a new course. `told` is what the event says beside the reason.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    frees: tuple[Session, ...] = ()
    needs: tuple[Need, ...] = ()
    rules: Protocol | None = None
    findings: tuple[Finding, ...] = ()
    ends: CourseState | None = None
    begins: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)


def check(asked: Asked, rules: Protocol, today: date) -> None:
    """Raise Invalid for a decision that cannot be meant, whatever the course has come to."""
    if asked.decision not in Decision.values:
        raise Invalid.at("decision", _("There is no such decision."))
    for name in ("cause", "interval_days", "dose", "sessions", "until"):
        if getattr(asked, name) not in (None, "") and name not in FIELDS.get(asked.decision, ()):
            raise Invalid.at(name, _("This belongs to another decision."))
    if asked.interval_days is not None and not 1 <= asked.interval_days <= LONGEST_INTERVAL:
        raise Invalid.at("interval_days", _("An interval has 1 to %(longest)s days.") % {"longest": LONGEST_INTERVAL})
    if asked.sessions is not None and not 1 <= asked.sessions <= MOST_MORE:
        raise Invalid.at("sessions", _("An initial phase is extended by 1 or %(most)s visits.") % {"most": MOST_MORE})
    if asked.cause and asked.cause not in Cause.values:
        raise Invalid.at("cause", _("There is no such cause."))
    if asked.until is not None and asked.until <= today:
        raise Invalid.at("until", _("A pause ends on a later day."))
    if asked.decision == Decision.CHANGE_DOSE:
        _check_dose(asked.dose, rules)


def _check_dose(dose: Decimal | None, rules: Protocol) -> None:
    if dose is None:
        raise Invalid.at("dose", _("Say which dose."))
    if rules.route == "nasal":
        if dose not in NASAL_DOSES:
            raise Invalid.at("dose", _("The spray is given as 56 or 84 mg."))
        return
    least, most = IV_DOSES
    if not least <= dose <= most or dose != round(dose, 3):
        values = {"least": least, "most": most}
        raise Invalid.at("dose", _("A dose has %(least)s to %(most)s mg/kg, with three decimals at most.") % values)


def require_change(asked: Asked, course: Course) -> None:
    """Raise Invalid for maintenance at the interval that a running course has already: it would answer what asks for
    a decision, such as a relapse, with nothing."""
    if asked.decision != Decision.MAINTENANCE or course.state != CourseState.ACTIVE or course.interval_days is None:
        return
    if course.phase == PhaseChoice.MAINTENANCE and asked.interval_days in (None, course.interval_days):
        raise Invalid.at("interval_days", _("Nothing would change: this is the interval already."))


def outcome(asked: Asked, course: Course, live: Sequence[Session], *, now: datetime) -> Outcome:
    """What the decision does to a course with these live sessions, in order of time.

    Raises Stale when the course takes no decision, or not this one while its patient is checked in.
    """
    if course.state not in (CourseState.ACTIVE, CourseState.PAUSED):
        raise Stale(_("Only an active course can be decided on."))
    if asked.decision in _CLOSES and any(one.state == SessionState.CHECKED_IN for one in live):
        raise Stale(_("A visit of this course is under way; whether it counts is known once the dose is given."))
    return _OUTCOMES[asked.decision](asked, course, live, now)


def _go_on(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    return Outcome(columns=_RUNS, needs=_lacking(course, live, now))


def _extend(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    """More than the phase takes: the findings say so even where the calendar has no room."""
    if course.phase == PhaseChoice.MAINTENANCE:
        raise Stale(_("The initial phase is closed; a new one can be begun."))
    rules, more = course.protocol.protocol, asked.sessions or 1
    initial = [session for session in live if session.phase == Phase.INITIAL]
    most = max(rules.initial_max, len(initial) + more)
    today = now.astimezone(course.site.zone).date()
    begun = min((session.local_date for session in initial), default=today)
    span = max(rules.limits["span-max"].value, (today - begun).days + BEYOND)
    limits = {
        **rules.limits,
        "initial-max": replace(rules.limits["initial-max"], value=most),
        "span-max": replace(rules.limits["span-max"], value=span),
    }
    return Outcome(
        columns=_RUNS,
        needs=(Need(Phase.INITIAL, more),),
        rules=replace(rules, limits=limits),
        findings=_one_too_many(course, rules, initial, more, now),
        told={"asked": more},
    )


def _one_too_many(
    course: Course, rules: Protocol, initial: Sequence[Session], more: int, now: datetime
) -> tuple[Finding, ...]:
    """`initial-max` for so many sessions more, wherever they will stand."""
    last = max([now, *(session.starts_at for session in initial)])
    wanted = [Spot(-step, last + timedelta(days=7 * step)) for step in range(1, more + 1)]
    spots = [*judging.spots_of(initial, course, by_id=True), *wanted]
    found = spacing.judge(protocol=rules, sessions=spots, zone=course.site.zone)
    return judging.only_indexes(finding for finding in found if finding.rule == "initial-max")


def _change_dose(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    column = "dose_mg" if course.protocol.protocol.route == "nasal" else "dose_mg_per_kg"
    before = getattr(course, column)
    return Outcome(
        columns={column: asked.dose}, told={"dose": str(asked.dose), "unit": UNITS[column], "before": _plain(before)}
    )


#: The units of the two columns of a dose.
UNITS = {"dose_mg": "mg", "dose_mg_per_kg": "mg/kg"}


def _plain(dose: Decimal | None) -> str | None:
    return None if dose is None else f"{dose.normalize():f}"


def _maintenance(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    """Closes the initial phase with what was given, a taper runs out before it; another interval gives the dates of
    maintenance anew."""
    rules = course.protocol.protocol
    known = course.interval_days if course.phase == PhaseChoice.MAINTENANCE else None
    interval = asked.interval_days or known or default_interval(rules)
    frees = [session for session in _to_come(live, now) if session.phase == Phase.INITIAL]
    if known != interval:
        near = further.first_date(course.site, now)
        frees += [one for one in _to_come(live, now) if one.phase == Phase.MAINTENANCE and one.local_date >= near]
    gone = {session.pk for session in frees}
    kept = [session for session in live if session.pk not in gone]
    first = further.first_date(course.site, now)
    return Outcome(
        columns={**_RUNS, "phase": PhaseChoice.MAINTENANCE, "interval_days": interval},
        frees=tuple(frees),
        needs=further.lacking(rules, kept, decided=True, interval=interval, first=first),
        findings=judging.weigh_closing(course, live).findings,
        told={"interval_days": interval},
    )


def _new_initial(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    """Not a beginning without the phase's minimum: fewer dates than that are not placed."""
    rules = course.protocol.protocol
    return Outcome(
        frees=tuple(_to_come(live, now, late=True)),
        needs=(Need(Phase.INITIAL, rules.initial_plan, least=rules.initial_min),),
        findings=judging.weigh_closing(course, live).findings,
        ends=CourseState.COMPLETED,
        begins=True,
    )


def _pause(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    until = asked.until
    return Outcome(
        columns={"state": CourseState.PAUSED, "paused_until": until},
        frees=tuple(_to_come(live, now)),
        told={"until": until.isoformat()} if until else {},
    )


def _close_early(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    return Outcome(
        frees=tuple(_to_come(live, now, late=True)),
        findings=judging.weigh_closing(course, live).findings,
        ends=CourseState.COMPLETED,
    )


def _stop(asked: Asked, course: Course, live: Sequence[Session], now: datetime) -> Outcome:
    told = {"cause": asked.cause} if asked.cause else {}
    return Outcome(frees=tuple(_to_come(live, now, late=True)), ends=CourseState.STOPPED, told=told)


def _lacking(course: Course, live: Sequence[Session], now: datetime) -> tuple[Need, ...]:
    """What the plan of the course owes beside the sessions that stand."""
    return further.lacking(
        course.protocol.protocol,
        live,
        decided=course.phase == PhaseChoice.MAINTENANCE,
        interval=course.interval_days,
        first=further.first_date(course.site, now),
    )


def _to_come(live: Sequence[Session], now: datetime, *, late: bool = False) -> list[Session]:
    """The visits that have not begun. `late`: those of patients who are expected still, too: their course ends."""
    return [one for one in live if one.state in OPEN and (one.ends_at if late else one.starts_at) > now]


#: A decision by which a paused course runs again.
_RUNS: Mapping[str, Any] = {"state": CourseState.ACTIVE, "paused_until": None}

#: Decisions that close a phase: they count the visits in which drug was given.
_CLOSES = frozenset({Decision.MAINTENANCE, Decision.NEW_INITIAL, Decision.CLOSE_EARLY})

_OUTCOMES: Mapping[str, Callable[[Asked, Course, Sequence[Session], datetime], Outcome]] = {
    Decision.GO_ON: _go_on,
    Decision.EXTEND: _extend,
    Decision.CHANGE_DOSE: _change_dose,
    Decision.MAINTENANCE: _maintenance,
    Decision.NEW_INITIAL: _new_initial,
    Decision.PAUSE: _pause,
    Decision.CLOSE_EARLY: _close_early,
    Decision.STOP: _stop,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision that can be taken now: what it is called here, its key, what its form asks, what has to be signed."""

    decision: Decision
    label: str
    key: str
    fields: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


def choices(course: Course, sessions: Sequence[Session], *, now: datetime) -> tuple[Choice, ...]:
    """The decisions that can be taken on a course with these sessions, in their order. No query.

    What each frees and places, a dry run says.
    """
    live = [session for session in sessions if session.is_live]
    found: list[Choice] = []
    for decision in Decision:
        if decision == Decision.GO_ON and course.state == CourseState.ACTIVE and course.phase == Phase.MAINTENANCE:
            continue
        try:
            meant = outcome(Asked(decision, ""), course, live, now=now)
        except Stale:
            continue
        found.append(
            Choice(
                decision,
                _label(decision, course),
                str(len(found) + 1),
                FIELDS.get(decision, ()),
                tuple(dict.fromkeys(one.rule for one in by_severity(meant.findings) if one.level == "override")),
            )
        )
    return tuple(found)


def _label(decision: Decision, course: Course) -> str:
    if decision == Decision.GO_ON and course.state == CourseState.PAUSED:
        return _("Resume")
    if decision == Decision.MAINTENANCE:
        begun = course.phase == PhaseChoice.MAINTENANCE
        return _("Change the interval") if begun else _("Begin maintenance")
    if decision == Decision.PAUSE and course.state == CourseState.PAUSED:
        return _("Pause until another day")
    return str(decision.label)
