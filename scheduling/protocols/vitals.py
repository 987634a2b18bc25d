"""What is measured during a visit, what such values can be, and when the next round of them is due. Pure.

Blood pressure in mmHg, heart and breathing rate per minute, oxygen saturation (SpO2) in percent, sedation on the
MOAA/S scale (5 awake, 0 no response). Every number marked P is our own default; a licensed prescriber has to approve
it before it is used with patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from clinic.findings import gettext_noop

#: The pressure above which a patient is measured again before the dose, and does not leave unless it falls (C label).
RAISED = (140, 90)
#: A measurement counts as the one before the dose for so long (P).
FRESH_BEFORE_DOSE = timedelta(minutes=60)
#: A raised pressure before the dose is measured again after this long (P).
RECHECK = timedelta(minutes=10)


class Stage(StrEnum):
    """Where a visit stands, by what has happened: the patient is here, gets the dose, is observed, has left."""

    AWAITED = "awaited"
    BEFORE = "before"
    GIVING = "giving"
    MONITORING = "monitoring"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One round of measurements; what was not measured is None."""

    taken_at: datetime
    systolic: int | None = None
    diastolic: int | None = None
    heart_rate: int | None = None
    spo2: int | None = None
    respiratory_rate: int | None = None
    sedation: int | None = None
    dissociation: int | None = None

    @property
    def pressure(self) -> tuple[int, int] | None:
        """Systolic and diastolic, None unless both were measured."""
        if self.systolic is None or self.diastolic is None:
            return None
        return self.systolic, self.diastolic


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When the steps of a visit were taken; None for what is still to come."""

    checked_in_at: datetime | None = None
    dose_started_at: datetime | None = None
    dose_ended_at: datetime | None = None
    left_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        """Where the visit stands."""
        if self.left_at is not None:
            return Stage.OVER
        if self.dose_ended_at is not None:
            return Stage.MONITORING
        if self.dose_started_at is not None:
            return Stage.GIVING
        return Stage.AWAITED if self.checked_in_at is None else Stage.BEFORE


#: The intervals of the rounds: while the dose is given, and after it (C label for the spray; P for infusions).
_EVERY = {"iv": (timedelta(minutes=10), timedelta(minutes=15))}
_SPRAY_FIRST, _SPRAY_THEN = timedelta(minutes=40), timedelta(minutes=30)
#: A round so much before the fortieth minute is the one of the fortieth minute (P).
_SPRAY_EARLY = timedelta(minutes=5)


def vitals_due(*, route: str, times: Times, rounds: Sequence[Vitals], dose_planned_at: datetime) -> datetime | None:
    """When the next round is due, None while nobody is here.

    Before the dose: by its planned start; again ten minutes after a raised pressure, and after an hour. Infusions:
    every 10 minutes from the start to the end of the dose, then every 15. Spray: 40 minutes after the start of the
    dose, then every 30. Counted from the last round, so a late one shifts those that follow.
    """
    stage = times.stage
    if stage in (Stage.AWAITED, Stage.OVER):
        return None
    last = last_pressure(rounds)
    started_at = times.dose_started_at
    if started_at is None:
        if last is None or last.pressure is None:
            return dose_planned_at
        return last.taken_at + (RECHECK if is_above(last.pressure, RAISED) else FRESH_BEFORE_DOSE)
    if route not in _EVERY:
        counted = last is not None and last.taken_at >= started_at + _SPRAY_FIRST - _SPRAY_EARLY
        return last.taken_at + _SPRAY_THEN if last is not None and counted else started_at + _SPRAY_FIRST
    giving, after = _EVERY[route]
    latest = started_at if last is None else max(started_at, last.taken_at)
    ended = times.dose_ended_at is not None and latest >= times.dose_ended_at
    return latest + (after if ended else giving)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that cannot be, or that is asked about; `text` is a message id with %(name)s places for `values`."""

    name: str
    text: str
    values: Mapping[str, object] = field(default_factory=dict)


#: What a living patient's values can be at all (P); the database refuses what lies outside.
POSSIBLE: Mapping[str, tuple[int, int]] = {
    "systolic": (40, 300),
    "diastolic": (20, 200),
    "heart_rate": (20, 300),
    "spo2": (40, 100),
    "respiratory_rate": (2, 80),
    "sedation": (0, 5),
}
#: What is asked about: outside these values (P), or that far from the round before (P).
PLAUSIBLE: Mapping[str, tuple[int, int]] = {
    "systolic": (80, 210),
    "diastolic": (45, 120),
    "heart_rate": (45, 150),
    "spo2": (88, 100),
    "respiratory_rate": (8, 30),
}
JUMP: Mapping[str, int] = {"systolic": 50, "diastolic": 35, "heart_rate": 50, "spo2": 8, "respiratory_rate": 12}

WEIGHTS = (20, 400)  # kg (P)


def impossible(vitals: Vitals) -> tuple[Doubt, ...]:
    """The values that cannot be: they are refused."""
    found = []
    for name, (least, most) in POSSIBLE.items():
        value = getattr(vitals, name)
        if value is not None and not least <= value <= most:
            text = gettext_noop("This has to be between %(least)s and %(most)s.")
            found.append(Doubt(name, text, {"least": least, "most": most}))
    if vitals.pressure is not None and vitals.pressure[0] <= vitals.pressure[1]:
        found.append(Doubt("diastolic", gettext_noop("The lower value has to be below the upper one.")))
    elif (vitals.systolic is None) != (vitals.diastolic is None):
        missing = "systolic" if vitals.systolic is None else "diastolic"
        found.append(Doubt(missing, gettext_noop("A blood pressure has two values.")))
    return tuple(found)


def implausible(vitals: Vitals, previous: Vitals | None) -> tuple[Doubt, ...]:
    """The values that can be and seldom are: whoever measured says that they are meant."""
    found = []
    for name, (least, most) in PLAUSIBLE.items():
        value = getattr(vitals, name)
        before = getattr(previous, name) if previous is not None else None
        if value is None:
            continue
        if not least <= value <= most:
            found.append(Doubt(name, gettext_noop("%(value)s is unusual: is it right?"), {"value": value}))
        elif before is not None and abs(value - before) >= JUMP[name]:
            text = gettext_noop("%(value)s after %(before)s is a big change: is it right?")
            found.append(Doubt(name, text, {"value": value, "before": before}))
    return tuple(found)


def last_pressure(rounds: Sequence[Vitals]) -> Vitals | None:
    """The last round in which the blood pressure was measured."""
    return next((round_ for round_ in reversed(rounds) if round_.pressure is not None), None)


def together(rounds: Sequence[Vitals]) -> Vitals:
    """The last value of each kind in these rounds, of which there is at least one, in order of time."""
    values: dict[str, int] = {}
    for round_ in rounds:
        if round_.pressure is not None:
            values["systolic"], values["diastolic"] = round_.pressure
        for name in ("heart_rate", "spo2", "respiratory_rate", "sedation", "dissociation"):
            if (value := getattr(round_, name)) is not None:
                values[name] = value
    return Vitals(taken_at=rounds[-1].taken_at, **values)


def is_above(pressure: tuple[int, int], limit: tuple[int, int]) -> bool:
    """One part of the pressure or both are above the limit."""
    return pressure[0] > limit[0] or pressure[1] > limit[1]
