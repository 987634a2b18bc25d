"""Half-open intervals, and local time as instants. Pure.

An interval (a, b) contains a and not b, so neighbours touch without overlapping; the empty one is dropped. The
functions over intervals take whatever can be ordered: minutes, dates, instants in UTC (datetimes of another zone
compare by what its clocks show).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Protocol, TypeVar


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


_Point = TypeVar("_Point", bound=_Ordered)


class NoSuchTime(ValueError):
    """A local time that the clocks skip: in spring, when they go forward."""


def merge(intervals: Iterable[tuple[_Point, _Point]]) -> list[tuple[_Point, _Point]]:
    """The union, in order, as few intervals as possible: those that touch become one."""
    merged: list[tuple[_Point, _Point]] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and not merged[-1][1] < start:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def intersect(
    some: Iterable[tuple[_Point, _Point]], others: Iterable[tuple[_Point, _Point]]
) -> list[tuple[_Point, _Point]]:
    """What lies in both unions, in order."""
    shared = []
    left, right = merge(some), merge(others)
    here = there = 0
    while here < len(left) and there < len(right):
        start, end = max(left[here][0], right[there][0]), min(left[here][1], right[there][1])
        if start < end:
            shared.append((start, end))
        if left[here][1] < right[there][1]:
            here += 1
        else:
            there += 1
    return shared


def subtract(
    some: Iterable[tuple[_Point, _Point]], others: Iterable[tuple[_Point, _Point]]
) -> list[tuple[_Point, _Point]]:
    """What lies in the first union and not in the second, in order."""
    left = []
    taken = merge(others)
    first = 0
    for start, end in merge(some):
        while first < len(taken) and not start < taken[first][1]:
            first += 1
        place, free = first, start
        while place < len(taken) and taken[place][0] < end:
            if free < taken[place][0]:
                left.append((free, taken[place][0]))
            free = max(free, taken[place][1])
            place += 1
        if free < end:
            left.append((free, end))
    return left


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The local date as a half-open interval of UTC: 23, 24 or 25 hours, empty for a date that the zone skipped."""
    # Where midnight itself is skipped, fold=0 reads it by the offset before the change: the change is that instant.
    return (
        datetime.combine(day, time.min, zone).astimezone(UTC),
        datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC),
    )


def instants(day: date, at: time, zone: tzinfo) -> tuple[datetime, ...]:
    """Every UTC instant at which the zone's clocks show this: one; none in the spring gap; two in the autumn fold."""
    shown = datetime.combine(day, at.replace(fold=0), zone)
    found = []
    for fold in (0, 1):
        instant = shown.replace(fold=fold).astimezone(UTC)
        if instant not in found and instant.astimezone(zone).replace(tzinfo=None, fold=0) == shown.replace(tzinfo=None):
            found.append(instant)
    return tuple(found)


def instant(day: date, at: time, zone: tzinfo, *, fold: int = 0) -> datetime:
    """The UTC instant of a local time; of two, the first by `fold` 0 and the second by 1.

    Raises NoSuchTime in the spring gap.
    """
    found = instants(day, at, zone)
    if not found:
        raise NoSuchTime(f"{day:%Y-%m-%d} {at:%H:%M} does not exist in {zone}: the clocks skip it")
    return found[-1] if fold else found[0]
