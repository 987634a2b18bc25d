"""How far a course has come: what it still owes, which phase comes next, and on which dates that is best. Pure.

Dates here are aims; which of them are free, and what the rules say, is for planning and spacing.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Collection
from datetime import date, timedelta

from scheduling.protocols.types import Phase, Protocol


def remaining_initial(protocol: Protocol, counted: int) -> int:
    """How many initial sessions the plan still owes beside those that count."""
    return max(0, protocol.initial_plan - counted)


def next_phase(protocol: Protocol, *, initial: int, taper: int = 0, decided: bool = False) -> Phase | None:
    """The phase of the next session beside so many that count; None: it waits for a clinician's decision.

    `decided` for maintenance closes whatever of the earlier phases is left (rule `phase-decided`).
    """
    if decided:
        return Phase.MAINTENANCE
    if remaining_initial(protocol, initial):
        return Phase.INITIAL
    return Phase.TAPER if taper < protocol.taper_sessions else None


def taper_dates(protocol: Protocol, *, first: date, last: date, counted: int = 0) -> tuple[date, ...]:
    """The aimed dates of the taper sessions that are left; none without a taper.

    `first` and `last` are the dates of the course's first session and of its latest that counts, `counted` how many
    taper sessions do. One in each week of the taper; a late one moves those after it, so that they stay as far apart.
    """
    if not protocol.taper_sessions:
        return ()
    week = first + timedelta(days=protocol.taper_start + protocol.taper_interval * counted)
    apart = protocol.taper_interval if counted else protocol.limits["gap-min"].value
    start = max(week, last + timedelta(days=apart))
    left = max(0, protocol.taper_sessions - counted)
    return tuple(start + timedelta(days=protocol.taper_interval * step) for step in range(left))


def maintenance_from(protocol: Protocol, *, first: date) -> date:
    """The first date that belongs to maintenance by the protocol's schedule: after the taper's last week. Without a
    taper that is the course's first date, so it rules out nothing."""
    return first + timedelta(days=protocol.taper_start + protocol.taper_interval * protocol.taper_sessions)


def default_interval(protocol: Protocol) -> int:
    """Days between maintenance sessions until a clinician says otherwise: whole weeks, so that the weekday stays, as
    near the middle of what plans aim at as can be, so that neither side is left by a day's delay (P)."""
    shortest, longest = protocol.maintenance_intervals
    middle = (shortest + longest) / 2
    weeks = range(-(-shortest // 7) * 7, longest + 1, 7)
    return min(weeks, key=lambda days: (abs(days - middle), -days), default=longest)


def maintenance_dates(
    protocol: Protocol,
    *,
    last: date,
    earliest: date,
    interval: int | None = None,
    standing: Collection[date] = (),
    months: int = 3,
) -> tuple[date, ...]:
    """The aimed maintenance dates of the months from `earliest` on.

    `last` is the date of the latest session of any phase, `standing` the dates of maintenance sessions, `interval`
    the clinician's. What would be one too many in a calendar month (`month-max`) goes to the first of the next.
    Raises ValueError for an interval under one day.
    """
    step = timedelta(days=default_interval(protocol) if interval is None else interval)
    if step < timedelta(days=1):
        raise ValueError("interval: at least one day")
    limit = protocol.limit("month-max")
    taken = Counter((day.year, day.month) for day in standing)
    end = _months_later(earliest, months)
    dates = []
    day = max(last + step, earliest)
    while day < end:
        if limit and taken[day.year, day.month] >= limit.value:
            day = _months_later(day.replace(day=1), 1)
            continue
        dates.append(day)
        taken[day.year, day.month] += 1
        day += step
    return tuple(dates)


def reachable(protocol: Protocol, *, standing: Collection[int], today: int) -> bool:
    """Whether the minimum of initial sessions can still be had: rule `reach`.

    `standing` are the day numbers of those that stand, given or booked, `today` is the first on which one more can be.
    As early as possible is best: what is placed so leaves the most room for the next.
    """
    days = list(standing)
    gap = protocol.limits["gap-min"].value
    for day in range(today, protocol.limits["span-max"].value + 1):
        if len(days) >= protocol.initial_min:
            break
        if all(abs(day - other) >= gap for other in days):
            days.append(day)
    return len(days) >= protocol.initial_min


def first_owed_month(ended_on: date) -> date:
    """The first day of the first month that owes a minimum (`month-min`): the first full one after the initial phase,
    which ended on this date."""
    return _months_later(ended_on.replace(day=1), 1)


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
