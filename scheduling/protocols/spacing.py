"""The schedule rules of protocol.md part 1: which sessions are too close, too far, too many, too few. Pure.

Day number: the difference of local calendar dates in the site's time zone, the first session is day 0; never hours
by 24. Spans are inclusive, gaps are start to start, a month is a calendar month in the site's time zone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import groupby, pairwise
from typing import NamedTuple

from clinic.findings import Finding, by_severity, gettext_noop
from scheduling.protocols.types import Limit, Phase, Protocol, Spot

#: Course states in which no session can be added.
ENDED = frozenset({"completed", "stopped", "cancelled"})

#: Days between the first and the last day of the longest month.
_MONTH_REACH = 30


class _Row(NamedTuple):
    """A session placed in the calendar: `day` and `month` count local dates and months from any fixed origin."""

    ref: int
    number: int | None
    day: int
    seconds: float
    month: int
    phase: Phase
    counts: bool


def keeps_gap(limit: Limit | None, *, days: int, hours: float) -> bool:
    """Whether two starts, so many calendar days and so many hours apart, keep `gap-min`."""
    return limit is None or (days >= limit.value and (limit.hours is None or hours >= limit.hours))


def latest_days(protocol: Protocol, needed: int | None = None) -> tuple[int, ...]:
    """The last day of each of `needed` sessions (None: the protocol's minimum) that leaves room for the later ones.

    Session k of N: span - gap * (N - k), rule `reach` (P).
    """
    count = protocol.initial_min if needed is None else needed
    span, gap = protocol.limits["span-max"].value, protocol.limits["gap-min"].value
    return tuple(span - gap * later for later in reversed(range(count)))


def judge(
    *,
    protocol: Protocol,
    sessions: Sequence[Spot],
    zone: tzinfo,
    closed: bool = False,
    complete: bool | None = None,
) -> tuple[Finding, ...]:
    """Every schedule rule over the sessions of a patient, in any order; the most severe findings first.

    `closed`: the initial phase ends with these sessions. `complete`: they are all that is planned of it, so that
    `initial-min` and `span-min` speak and `reach` does not; None: when they are as many as the protocol plans.
    Spots that do not count are judged by `gap-min` and `one-a-day` only, and only against those that do.
    Raises ValueError for a naive time.
    """
    rows = []
    counted: Counter[Phase] = Counter()
    for spot in sorted(sessions, key=_by_time):
        local = spot.starts_at.astimezone(zone)
        counted[spot.phase] += spot.counts
        number = counted[spot.phase] if spot.number is None and spot.counts else spot.number
        month = local.year * 12 + local.month - 1
        seconds = spot.starts_at.timestamp()
        rows.append(_Row(spot.ref, number, local.toordinal(), seconds, month, spot.phase, spot.counts))
    initial = [row for row in rows if row.counts and row.phase is Phase.INITIAL]
    maintenance = [row for row in rows if row.counts and row.phase is Phase.MAINTENANCE]
    return by_severity(
        [
            *_near(protocol, rows),
            *_initial(protocol, initial, closed, complete),
            *_month_max(protocol, maintenance),
            *_month_gap(protocol, maintenance),
        ]
    )


def judge_days(*, protocol: Protocol, phase: Phase, days: Sequence[int], closed: bool = False) -> tuple[Finding, ...]:
    """The same rules over day numbers alone, at equal clock times; `sessions` of a finding are indexes into `days`.

    Without dates a calendar month is not known: `month-max` speaks if there is a start date from which the pattern
    breaks it.
    """
    rows = [
        _Row(ref=index, number=place, day=day, seconds=86400 * day, month=0, phase=phase, counts=True)
        for place, (day, index) in enumerate(sorted((day, index) for index, day in enumerate(days)), start=1)
    ]
    findings = [*_near(protocol, rows)]
    if phase is Phase.INITIAL:
        findings += _initial(protocol, rows, closed, None)
    elif phase is Phase.MAINTENANCE:
        findings += [*_month_max_somewhere(protocol, rows), *_month_gap(protocol, rows)]
    return by_severity(findings)


def judge_course(
    *, protocol: Protocol, state: str, phase: Phase, decided: bool, other_running: bool = False
) -> tuple[Finding, ...]:
    """Whether a course in this state takes a session of this phase; all blocks.

    `decided`: a clinician has decided for maintenance. `other_running`: the patient has another course that is
    held, active or paused. A taper belongs to its protocol's schedule and needs no decision.
    """
    limits = protocol.limits
    findings = []
    if other_running and (limit := limits.get("one-course")):
        text = gettext_noop("The patient has another running course.")
        findings.append(Finding("one-course", limit.level, text, observed="2 courses", limit="1 course"))
    if phase is Phase.MAINTENANCE and not decided and (limit := limits.get("phase-decided")):
        text = gettext_noop("Maintenance starts with a clinician's decision, and there is none yet.")
        findings.append(Finding("phase-decided", limit.level, text))
    if state in ENDED and (limit := limits.get("stopped")):
        text = gettext_noop("The course is %(state)s and takes no more sessions.")
        findings.append(Finding("stopped", limit.level, text, observed=state, values={"state": state}))
    return by_severity(findings)


def _by_time(spot: Spot) -> tuple[float, int]:
    # Not the datetimes: those of one zone compare by their clocks, so an hour shown twice would lose its order.
    if spot.starts_at.tzinfo is None:
        raise ValueError("starts_at: a time without a zone cannot be judged")
    return spot.starts_at.timestamp(), spot.ref


def _near(protocol: Protocol, rows: Sequence[_Row]) -> Iterator[Finding]:
    """`one-a-day` and `gap-min`, in any phase. Neighbours are enough: if any two are too close, so are two of them."""
    gap, daily = protocol.limit("gap-min"), protocol.limit("one-a-day")
    for earlier, later in pairwise(rows):
        if not (earlier.counts or later.counts):
            continue
        days, hours = later.day - earlier.day, (later.seconds - earlier.seconds) / 3600
        if daily and days == 0:
            yield _pair(
                "one-a-day",
                daily,
                earlier,
                later,
                gettext_noop("Sessions %(first)s and %(second)s are on the same date."),
                gettext_noop("Session %(first)s is on the date of another session of the patient."),
                observed="2 sessions",
                limit="1 session a date",
            )
        if gap and not keeps_gap(gap, days=days, hours=hours):
            apart = _count(days, "day")
            least, required = _count(gap.value, "day"), _count(gap.value, "calendar day")
            observed = apart
            if gap.hours is not None:
                observed += f", {_hours(hours)}"
                least += f", {gap.hours} h"
                required += f" and {_count(gap.hours, 'hour')}"
            yield _pair(
                "gap-min",
                gap,
                earlier,
                later,
                gettext_noop("Sessions %(first)s and %(second)s are %(apart)s apart; at least %(least)s are required."),
                gettext_noop(
                    "Session %(first)s is %(apart)s from another session of the patient; "
                    "at least %(least)s are required."
                ),
                observed=observed,
                limit=least,
                beyond=max(24 * gap.value, gap.hours or 0) - hours,
                apart=apart if days < gap.value else _hours(hours),
                least=required,
            )


def _initial(protocol: Protocol, rows: Sequence[_Row], closed: bool, complete: bool | None) -> Iterator[Finding]:
    """The rules of the initial phase, over its rows in their order of time."""
    finished = closed or (len(rows) >= protocol.initial_plan if complete is None else complete)
    yield from _initial_count(protocol, rows, finished)
    if rows:
        yield from _span(protocol, rows, finished)
        yield from _gap_max(protocol, rows)
    if rows and not finished:
        yield from _reach(protocol, rows)


def _initial_count(protocol: Protocol, rows: Sequence[_Row], finished: bool) -> Iterator[Finding]:
    fewest, most, count = protocol.limits["initial-min"], protocol.limits["initial-max"], len(rows)
    if finished and count < fewest.value:
        yield Finding(
            "initial-min",
            fewest.level,
            gettext_noop("The initial phase has %(count)s of at least %(least)s sessions."),
            observed=_count(count, "session"),
            limit=_count(fewest.value, "session"),
            sessions=_refs(rows),
            values={"count": count, "least": fewest.value},
            beyond=fewest.value - count,
        )
    if count > most.value:
        yield Finding(
            "initial-max",
            most.level,
            gettext_noop("The initial phase has %(count)s sessions; it takes at most %(most)s."),
            observed=_count(count, "session"),
            limit=_count(most.value, "session"),
            sessions=_refs(rows[most.value :]),
            values={"count": count, "most": most.value},
            beyond=count - most.value,
        )


def _span(protocol: Protocol, rows: Sequence[_Row], finished: bool) -> Iterator[Finding]:
    longest, shortest = protocol.limits["span-max"], protocol.limit("span-min")
    first, last = rows[0].day, rows[-1].day - rows[0].day
    if last > longest.value:
        yield Finding(
            "span-max",
            longest.level,
            gettext_noop("The last initial session is on day %(last)s; the phase ends with day %(longest)s."),
            observed=f"day {last}",
            limit=f"day {longest.value}",
            sessions=_refs([row for row in rows if row.day - first > longest.value]),
            values={"last": last, "longest": longest.value},
            beyond=last - longest.value,
        )
    if finished and shortest and last < shortest.value:
        yield Finding(
            "span-min",
            shortest.level,
            gettext_noop("The last initial session is already on day %(last)s; day %(shortest)s or later is intended."),
            observed=f"day {last}",
            limit=f"day {shortest.value}",
            sessions=_refs(rows),
            values={"last": last, "shortest": shortest.value},
            beyond=shortest.value - last,
        )


def _reach(protocol: Protocol, rows: Sequence[_Row]) -> Iterator[Finding]:
    """Look-ahead for an unfinished phase. Only the last session decides: what may still come lies after it."""
    limit, fewest = protocol.limit("reach"), protocol.initial_min
    if not limit or len(rows) >= fewest:
        return
    last, latest = rows[-1].day - rows[0].day, latest_days(protocol)[len(rows) - 1]
    if last > latest:
        yield Finding(
            "reach",
            limit.level,
            gettext_noop(
                "With a session on day %(last)s, %(least)s sessions cannot be reached by day %(longest)s. "
                "Move a session, extend by override, close the phase early, or start a new initial phase."
            ),
            observed=f"day {last}",
            limit=f"day {latest}",
            sessions=(rows[-1].ref,),
            values={"last": last, "least": fewest, "longest": protocol.limits["span-max"].value},
            beyond=last - latest,
        )


def _gap_max(protocol: Protocol, rows: Sequence[_Row]) -> Iterator[Finding]:
    if limit := protocol.limit("gap-max"):
        for earlier, later in pairwise(rows):
            apart = later.day - earlier.day
            if apart > limit.value:
                yield _pair(
                    "gap-max",
                    limit,
                    earlier,
                    later,
                    gettext_noop(
                        "Sessions %(first)s and %(second)s are %(apart)s apart; at most %(most)s are intended."
                    ),
                    observed=_count(apart, "day"),
                    limit=_count(limit.value, "day"),
                    beyond=apart - limit.value,
                    apart=_count(apart, "day"),
                    most=_count(limit.value, "day"),
                )


def _month_max(protocol: Protocol, rows: Sequence[_Row]) -> Iterator[Finding]:
    if limit := protocol.limit("month-max"):
        for month, group in groupby(rows, key=lambda row: row.month):
            held = list(group)
            if len(held) > limit.value:
                yield Finding(
                    "month-max",
                    limit.level,
                    gettext_noop("%(count)s maintenance sessions in %(month)s; at most %(most)s in a calendar month."),
                    observed=_count(len(held), "session"),
                    limit=_count(limit.value, "session"),
                    sessions=_refs(held),
                    values={
                        "count": len(held),
                        "month": f"{month // 12:04}-{month % 12 + 1:02}",
                        "most": limit.value,
                    },
                    beyond=len(held) - limit.value,
                )


def _month_max_somewhere(protocol: Protocol, rows: Sequence[_Row]) -> Iterator[Finding]:
    """`month-max` for day numbers: one more than the limit inside the length of a long month."""
    if limit := protocol.limit("month-max"):
        crowded = {
            place + later
            for place in range(len(rows) - limit.value)
            if rows[place + limit.value].day - rows[place].day <= _MONTH_REACH
            for later in range(limit.value + 1)
        }
        if crowded:
            yield Finding(
                "month-max",
                limit.level,
                gettext_noop("More than %(most)s of these maintenance sessions can fall into one calendar month."),
                observed=_count(limit.value + 1, "session"),
                limit=_count(limit.value, "session"),
                sessions=_refs([rows[place] for place in sorted(crowded)]),
                values={"most": limit.value},
            )


def _month_gap(protocol: Protocol, rows: Sequence[_Row]) -> Iterator[Finding]:
    if limit := protocol.limit("month-gap"):
        for earlier, later in pairwise(rows):
            apart = later.day - earlier.day
            if apart < limit.value:
                yield _pair(
                    "month-gap",
                    limit,
                    earlier,
                    later,
                    gettext_noop(
                        "Maintenance sessions %(first)s and %(second)s are %(apart)s apart; "
                        "at least %(least)s are intended."
                    ),
                    observed=_count(apart, "day"),
                    limit=_count(limit.value, "day"),
                    beyond=limit.value - apart,
                    apart=_count(apart, "day"),
                    least=_count(limit.value, "day"),
                )


def _pair(
    rule: str,
    limits: Limit,
    earlier: _Row,
    later: _Row,
    text: str,
    other: str = "",
    *,
    observed: str,
    limit: str,
    beyond: float = 1,
    **values: object,
) -> Finding:
    """A finding about two sessions; `other` is its text where one of them has no number in this course."""
    numbers = [row.number for row in (earlier, later) if row.number is not None]
    named = dict(zip(("first", "second"), numbers, strict=False))
    return Finding(
        rule,
        limits.level,
        text if len(numbers) == 2 or not other else other,
        observed=observed,
        limit=limit,
        sessions=(earlier.ref, later.ref),
        values={**named, **values},
        beyond=beyond,
    )


def _refs(rows: Sequence[_Row]) -> tuple[int, ...]:
    return tuple(row.ref for row in rows)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _hours(hours: float) -> str:
    """Hours and minutes, rounded down, so that what falls short of a limit never reads as the limit."""
    whole, minutes = divmod(int(hours * 60), 60)
    return f"{whole} h {minutes} min" if minutes else f"{whole} h"
