"""The built-in protocols as data, and protocols as JSON for the versions that a clinic stores. Pure.

A source begins with its mark: D, the source document says so; C, confirmed in public clinical material, which is
named; P, the project's own choice. Numbers marked P are defaults that a licensed prescriber has to approve.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from itertools import pairwise
from typing import Any

from clinic.findings import Finding, Level, gettext_noop
from scheduling.protocols.spacing import judge_days
from scheduling.protocols.types import GRID_MINUTES, Limit, Phase, Protocol, VisitShape

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


_FIELDS = frozenset(to_data(STANDARD))

_ROUTES = frozenset({("iv", "ketamine"), ("nasal", "esketamine")})

#: No count, day number or number of minutes in a protocol is larger: a day has no more minutes.
_MOST = 1440


def from_data(data: object) -> Protocol:
    """The protocol that `to_data` wrote. Raises ValueError, its text beginning with the field, for whatever is
    missing, unknown, of another type, out of range or at odds with the rest."""
    top = _fields(data, "protocol", _FIELDS)
    taper = _fields(top["taper"], "taper", {"start", "sessions", "interval"})
    visit = _fields(top["visit"], "visit", {"prepare", "give", "monitor", "turn_over"})
    shortest, longest = _integers(top["maintenance_intervals"], "maintenance_intervals", 1, 2, 2)
    protocol = Protocol(
        code=_text(top["code"], "code", 60),
        version=_integer(top["version"], "version", 1),
        name=_text(top["name"], "name", 120),
        route=_text(top["route"], "route", 20),
        drug=_text(top["drug"], "drug", 20),
        initial_plan=_integer(top["initial_plan"], "initial_plan", 1),
        preferred_days=_integers(top["preferred_days"], "preferred_days", 0, 1, _MOST),
        taper_start=_integer(taper["start"], "taper.start", 0),
        taper_sessions=_integer(taper["sessions"], "taper.sessions", 0),
        taper_interval=_integer(taper["interval"], "taper.interval", 0),
        maintenance_intervals=(shortest, longest),
        month_min=_integer(top["month_min"], "month_min", 0),
        limits=_limits(top["limits"]),
        visit=VisitShape(**{phase: _integer(minutes, f"visit.{phase}", 0) for phase, minutes in visit.items()}),
        dose=_text(top["dose"], "dose", 200),
        no_food_hours=_hours(top["no_food_hours"], "no_food_hours"),
        no_drink_hours=_hours(top["no_drink_hours"], "no_drink_hours"),
        source=_text(top["source"], "source", 500),
    )
    for field, holds, sentence in _agreements(protocol):
        if not holds:
            raise ValueError(f"{field}: {sentence}")
    return protocol


def _agreements(protocol: Protocol) -> Iterator[tuple[str, bool, str]]:
    """What the numbers of a protocol owe each other: the field to name, whether it holds, what it should be."""
    days, visit, limits = protocol.preferred_days, protocol.visit, protocol.limits
    values = {rule: limit.value for rule, limit in limits.items()}
    yield "code", bool(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", protocol.code)), "small letters, digits and hyphens"
    yield "route", (protocol.route, protocol.drug) in _ROUTES, "iv for ketamine, nasal for esketamine"
    planned = values["initial-min"] <= protocol.initial_plan <= values["initial-max"]
    yield "initial_plan", planned, "between the limits of initial-min and initial-max"
    yield "preferred_days", len(days) == protocol.initial_plan, "as many as initial_plan"
    ascending = days[0] == 0 and all(earlier < later for earlier, later in pairwise(days))
    yield "preferred_days", ascending, "ascending from day 0"
    yield "limits.span-min", values.get("span-min", 0) <= values["span-max"], "not above span-max"
    yield "limits.gap-max", values.get("gap-max", _MOST) >= values["gap-min"], "not below gap-min"
    hours = limits["gap-min"].hours
    yield "limits.gap-min.hours", hours is None or hours < 24 * values["gap-min"], "less than the days of the gap"
    yield "month_min", protocol.month_min <= values.get("month-max", 0), "not above month-max"
    shortest, longest = protocol.maintenance_intervals
    yield "maintenance_intervals", values["gap-min"] <= shortest <= longest, "the shorter first, not below gap-min"
    taper = (protocol.taper_start, protocol.taper_sessions, protocol.taper_interval)
    yield "taper", all(taper) or not any(taper), "all of start, sessions and interval, or none"
    yield "taper.start", not any(taper) or protocol.taper_start > days[-1], "after the last of preferred_days"
    phases = (visit.prepare, visit.give, visit.monitor, visit.turn_over)
    yield "visit", all(minutes % GRID_MINUTES == 0 for minutes in phases), f"multiples of {GRID_MINUTES} minutes"
    yield "visit.give", visit.give > 0, "longer than nothing"
    yield "visit", sum(phases) <= _MOST, "within a day"


def _limits(value: object) -> dict[str, Limit]:
    given = _fields(value, "limits", REQUIRED | FIXED.keys(), OPTIONAL)
    limits = {rule: _limit(rule, entry) for rule, entry in given.items()}
    for rule, fixed in FIXED.items():
        if (limits[rule].value, limits[rule].level) != (fixed.value, fixed.level):
            raise ValueError(f"limits.{rule}: always {fixed.value} at level {fixed.level}")
    return limits


def _limit(rule: str, value: object) -> Limit:
    where = f"limits.{rule}"
    entry = _fields(value, where, {"value", "hours", "level", "source"})
    if entry["hours"] is not None and rule != "gap-min":
        raise ValueError(f"{where}.hours: only gap-min has hours")
    if entry["level"] not in [level.value for level in Level]:
        raise ValueError(f"{where}.level: one of {', '.join(Level)}")
    source = _text(entry["source"], f"{where}.source", 500)
    if not re.match("[DCP]: ", source):
        raise ValueError(f"{where}.source: begins with its mark, D, C or P, and a colon")
    return Limit(
        value=_integer(entry["value"], f"{where}.value", 0 if rule in FIXED or rule == "reach" else 1),
        level=Level(entry["level"]),
        source=source,
        hours=None if entry["hours"] is None else _integer(entry["hours"], f"{where}.hours", 1),
    )


def _fields(value: object, where: str, needed: Set[str], allowed: Set[str] = frozenset()) -> dict[str, Any]:
    if not (isinstance(value, dict) and needed <= value.keys() <= needed | allowed):
        besides = f", nothing else but {', '.join(sorted(allowed))}" if allowed else " and nothing else"
        raise ValueError(f"{where}: an object with {', '.join(sorted(needed))}{besides}")
    return value


def _integer(value: object, where: str, least: int) -> int:
    if not (isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST):
        raise ValueError(f"{where}: a whole number from {least} to {_MOST}")
    return value


def _integers(value: object, where: str, least: int, fewest: int, most: int) -> tuple[int, ...]:
    if not (isinstance(value, list) and fewest <= len(value) <= most):
        raise ValueError(f"{where}: a list of {fewest if fewest == most else f'{fewest} to {most}'} numbers")
    return tuple(_integer(item, f"{where}.{index}", least) for index, item in enumerate(value))


def _hours(value: object, where: str) -> float:
    if not (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 48):
        raise ValueError(f"{where}: hours from 0 to 48")
    return value


def _text(value: object, where: str, most: int) -> str:
    if not (isinstance(value, str) and value.strip() and len(value) <= most and "\x00" not in value):
        raise ValueError(f"{where}: a text of at most {most} characters")
    return value
