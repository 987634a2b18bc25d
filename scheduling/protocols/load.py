"""How much of a resource is used at most in each stretch of a day. Pure.

Whatever takes a share of a resource is a span with a weight: a patient under care takes one place of the prescriber's
limit, a visit takes a part of a nurse that depends on its phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from math import lcm

from scheduling.protocols.types import VisitTimes

Span = tuple[datetime, datetime, Fraction]

#: Shares of a nurse (P): setting up takes one, giving half of one, monitoring a quarter. Turning over needs none.
PREPARE, GIVE, MONITOR = Fraction(1), Fraction(1, 2), Fraction(1, 4)


def nursing(times: VisitTimes) -> list[Span]:
    """The shares of a nurse that one visit takes, phase by phase."""
    return [
        (times.starts_at, times.dose_starts_at, PREPARE),
        (times.dose_starts_at, times.dose_ends_at, GIVE),
        (times.dose_ends_at, times.discharge_at, MONITOR),
    ]


def peaks(spans: Iterable[Span], stretches: Sequence[tuple[datetime, datetime]]) -> list[Fraction]:
    """The greatest sum of weights at any instant of each stretch; stretches are half-open and in order."""
    spans = list(spans)
    unit = lcm(*{weight.denominator for _, _, weight in spans})  # whole numbers are added many times faster
    changes: dict[datetime, int] = {}
    for start, end, weight in spans:
        share = weight.numerator * (unit // weight.denominator)
        changes[start] = changes.get(start, 0) + share
        changes[end] = changes.get(end, 0) - share
    instants = sorted(changes)
    found, level, place = [], 0, 0
    shares: dict[int, Fraction] = {}
    for start, end in stretches:
        while place < len(instants) and instants[place] <= start:
            level += changes[instants[place]]
            place += 1
        most = level
        while place < len(instants) and instants[place] < end:
            level += changes[instants[place]]
            most = max(most, level)
            place += 1
        if most not in shares:
            shares[most] = Fraction(most, unit)
        found.append(shares[most])
    return found
