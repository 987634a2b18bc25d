"""The built-in protocols as data, and protocols as JSON for the versions that a clinic stores. Pure.

A source begins with its mark: D, the source document says so; C, confirmed in public clinical material, which is
named; P, the project's own choice. Numbers marked P are defaults that a licensed prescriber has to approve.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clinic.findings import Finding, Level, gettext_noop
from scheduling.protocols.spacing import judge_days
from scheduling.protocols.types import Limit, Phase, Protocol, VisitShape

_LABEL = "C: SPRAVATO US prescribing information, section 2"
_OFF_LABEL = "C: 0.5 mg/kg over 40 minutes, APA consensus statement on ketamine in mood disorders, 2017"

#: The same in every protocol: what they guard is a constraint of the database or a duty of the law.
FIXED: Mapping[str, Limit] = {
    "one-a-day": Limit(1, Level.BLOCK, "P: one session of a patient on a local calendar date"),
    "less-often": Limit(0, Level.BLOCK, "D: less frequent infusions in the maintenance phase"),
    "phase-decided": Limit(0, Level.BLOCK, "D: maintenance as needed, depending on the response"),
    "stopped": Limit(0, Level.BLOCK, "P: a stopped or closed course takes no sessions"),
    "one-course": Limit(1, Level.BLOCK, "P: one running course of a patient"),
    "hours": Limit(0, Level.BLOCK, "P: inside opening hours, turn-over included"),
    "doctor": Limit(0, Level.BLOCK, "D: with a doctor present; C: prescriber on site, SPRAVATO REMS"),
}

#: What every protocol has to say, beside what is fixed.
REQUIRED = frozenset({"initial-min", "initial-max", "span-max", "gap-min"})

#: What a protocol may leave out.
OPTIONAL = frozenset({"span-min", "gap-max", "month-max", "month-gap", "reach"})

_REACH = Limit(0, Level.WARN, "P: said as soon as the minimum can no longer be reached inside the span")

_IV_RULES: Mapping[str, Limit] = {
    **FIXED,
    "gap-min": Limit(
        2,
        Level.OVERRIDE,
        'C: two or three infusions a week are what is practised; D\'s "every day" contradicts itself; P: the hours',
        hours=40,
    ),
    "month-max": Limit(2, Level.OVERRIDE, "D: one or two treatments a month"),
    "month-gap": Limit(10, Level.WARN, "P: apart enough to be one or two a month"),
    "reach": _REACH,
}

_IV_VISIT = VisitShape(prepare=30, give=40, monitor=120, turn_over=10)

STANDARD = Protocol(
    code="iv-ketamine-standard",
    version=1,
    name="IV ketamine, 4 to 6 in 3 weeks",
    route="iv",
    drug="ketamine",
    initial_plan=6,
    preferred_days=(0, 3, 7, 10, 14, 17),
    taper_start=0,
    taper_sessions=0,
    taper_interval=0,
    maintenance_intervals=(16, 28),
    month_min=1,
    limits={
        **_IV_RULES,
        "initial-min": Limit(4, Level.OVERRIDE, "D: an initial series of 4-6 treatments"),
        "initial-max": Limit(6, Level.OVERRIDE, "D: an initial series of 4-6 treatments"),
        "span-min": Limit(7, Level.WARN, "D: over 2-3 weeks; P: read literally, not inside the first week"),
        "span-max": Limit(21, Level.OVERRIDE, "D: over 2-3 weeks"),
        "gap-max": Limit(7, Level.WARN, "P: at least one a week"),
    },
    visit=_IV_VISIT,
    dose="0.5 mg/kg over 40 min",
    no_food_hours=6,
    no_drink_hours=2,
    source=f"D: an initial series of 4-6 treatments over 2-3 weeks; {_OFF_LABEL}; P: fasting hours, clinics differ",
)

FLEX = Protocol(
    code="iv-flex-3-6",
    version=1,
    name="IV ketamine, 3 to 6 over several weeks",
    route="iv",
    drug="ketamine",
    initial_plan=6,
    preferred_days=(0, 7, 14, 21, 28, 35),
    taper_start=0,
    taper_sessions=0,
    taper_interval=0,
    maintenance_intervals=(16, 28),
    month_min=1,
    limits={
        **_IV_RULES,
        "initial-min": Limit(3, Level.OVERRIDE, "D: three to six treatments over several weeks"),
        "initial-max": Limit(6, Level.OVERRIDE, "D: three to six treatments over several weeks"),
        "span-min": Limit(14, Level.WARN, "P: several weeks are at least two"),
        "span-max": Limit(42, Level.OVERRIDE, "P: several weeks are at most six"),
        "gap-max": Limit(10, Level.WARN, "P: about one a week"),
    },
    visit=_IV_VISIT,
    dose="0.5 mg/kg over 40 min",
    no_food_hours=6,
    no_drink_hours=2,
    source=f"D: three to six treatments over several weeks; {_OFF_LABEL}; P: fasting hours, clinics differ",
)

INTENSIVE = Protocol(
    code="iv-intensive-6in2w",
    version=1,
    name="IV ketamine, 6 in 2 weeks",
    route="iv",
    drug="ketamine",
    initial_plan=6,
    preferred_days=(0, 2, 4, 7, 9, 11),
    taper_start=0,
    taper_sessions=0,
    taper_interval=0,
    maintenance_intervals=(16, 28),
    month_min=1,
    limits={
        **_IV_RULES,
        "initial-min": Limit(6, Level.OVERRIDE, "D: six infusions over two weeks"),
        "initial-max": Limit(6, Level.OVERRIDE, "D: six infusions over two weeks"),
        "span-min": Limit(5, Level.WARN, "P: not all within five days"),
        "span-max": Limit(14, Level.OVERRIDE, "D: six infusions over two weeks"),
        "gap-max": Limit(4, Level.WARN, "P: three a week"),
    },
    visit=_IV_VISIT,
    dose="0.5 mg/kg over 40 min",
    no_food_hours=6,
    no_drink_hours=2,
    source=f"D: six infusions over two weeks; {_OFF_LABEL}; P: fasting hours, clinics differ",
)

#: Its label's schedule contradicts the document's one or two a month, so it has no month rules.
ESKETAMINE = Protocol(
    code="esketamine-trd-us",
    version=1,
    name="Esketamine nasal spray, US label",
    route="nasal",
    drug="esketamine",
    initial_plan=8,
    preferred_days=(0, 3, 7, 10, 14, 17, 21, 24),
    taper_start=28,
    taper_sessions=4,
    taper_interval=7,
    maintenance_intervals=(7, 14),
    month_min=0,
    limits={
        **FIXED,
        "initial-min": Limit(8, Level.OVERRIDE, f"{_LABEL}: twice a week in weeks 1-4"),
        "initial-max": Limit(8, Level.OVERRIDE, f"{_LABEL}: twice a week in weeks 1-4"),
        "span-max": Limit(28, Level.OVERRIDE, f"{_LABEL}: weeks 1-4"),
        "gap-min": Limit(2, Level.WARN, "P: twice a week are not two days running"),
        "gap-max": Limit(5, Level.WARN, "P: twice a week"),
        "reach": _REACH,
    },
    visit=VisitShape(prepare=20, give=10, monitor=120, turn_over=10),
    dose="56 mg, then 56 or 84 mg",
    no_food_hours=2,
    no_drink_hours=0.5,
    source=f"{_LABEL}: twice a week in weeks 1-4, weekly in weeks 5-8, weekly or every two weeks from week 9",
)

_BUILTIN = (STANDARD, FLEX, INTENSIVE, ESKETAMINE)


def builtin() -> tuple[Protocol, ...]:
    """The protocols of protocol.md part 1, the default first."""
    return _BUILTIN


def judge_protocol(protocol: Protocol) -> tuple[Finding, ...]:
    """What speaks against saving a protocol: `less-often` (D), and its planned days under its own rules.

    The initial frequency is the mean gap of the planned days; maintenance has to be less frequent at the shortest
    interval that plans aim at, and at the most sessions that a month of four weeks allows.
    """
    findings = []
    steps, days = len(protocol.preferred_days) - 1, protocol.preferred_days[-1]
    intervals = [protocol.maintenance_intervals[0]]
    if month_max := protocol.limit("month-max"):
        intervals.append(28 // month_max.value)
    shortest = min(intervals)
    if steps and shortest * steps <= days:
        findings.append(
            Finding(
                "less-often",
                FIXED["less-often"].level,
                gettext_noop("Maintenance, every %(maintenance)s days, is not less frequent than the initial phase."),
                observed=f"every {_plain(shortest)} days",
                limit=f"more than {_plain(days / steps)} days",
                values={"maintenance": shortest},
            )
        )
    return (*findings, *judge_days(protocol=protocol, phase=Phase.INITIAL, days=protocol.preferred_days, closed=True))


def _plain(number: float) -> str:
    """At most one decimal, none for a whole number."""
    return f"{number:.1f}".removesuffix(".0")


def to_data(protocol: Protocol) -> dict[str, Any]:
    """The protocol as JSON values, for `from_data`."""
    visit = protocol.visit
    return {
        "code": protocol.code,
        "version": protocol.version,
        "name": protocol.name,
        "route": protocol.route,
        "drug": protocol.drug,
        "initial_plan": protocol.initial_plan,
        "preferred_days": list(protocol.preferred_days),
        "taper": {
            "start": protocol.taper_start,
            "sessions": protocol.taper_sessions,
            "interval": protocol.taper_interval,
        },
        "maintenance_intervals": list(protocol.maintenance_intervals),
        "month_min": protocol.month_min,
        "limits": {
            rule: {"value": limit.value, "hours": limit.hours, "level": limit.level.value, "source": limit.source}
            for rule, limit in protocol.limits.items()
        },
        "visit": {
            "prepare": visit.prepare,
            "give": visit.give,
            "monitor": visit.monitor,
            "turn_over": visit.turn_over,
        },
        "dose": protocol.dose,
        "no_food_hours": protocol.no_food_hours,
        "no_drink_hours": protocol.no_drink_hours,
        "source": protocol.source,
    }
