"""The planner against one that tries everything, on small sites of all kinds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.findings import Level
from scheduling.protocols import planning
from scheduling.protocols.library import ESKETAMINE, FLEX, INTENSIVE, STANDARD
from scheduling.protocols.masks import OnShift
from scheduling.protocols.types import Limit, NoPlan, Phase, Plan, Protocol, Spot, Wishes
from scheduling.protocols.windows import day_bounds
from tests.protocols.planner_reference import Case, Interval, SiteDay

NEW_YORK, LORD_HOWE = ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")

#: Zones and dates around which plans are made: none, spring, autumn, half an hour, and a month's end.
PLACES = (
    (ZoneInfo("UTC"), date(2025, 6, 25)),
    (NEW_YORK, date(2025, 3, 5)),
    (NEW_YORK, date(2025, 10, 29)),
    (LORD_HOWE, date(2025, 10, 1)),
    (LORD_HOWE, date(2025, 4, 2)),
)


@st.composite
def site_days(draw: st.DrawFn, zone: ZoneInfo, first: date, length: timedelta) -> list[SiteDay]:
    """Some dates on which one or two chairs have a few windows in which a visit fits, anywhere in the day."""
    days = []
    for offset in range(draw(st.integers(4, 11))):
        day = first + timedelta(days=offset)
        start, end = day_bounds(day, zone)
        fitting = (end - start - length) // timedelta(minutes=5)
        fewest = draw(st.sampled_from([0, 1, 1, 1]))
        some = st.lists(st.tuples(st.integers(0, fitting), st.integers(0, 3)), min_size=fewest, max_size=2)
        windows = [
            (start + timedelta(minutes=5 * begin), start + timedelta(minutes=5 * begin + 10 * more) + length)
            for begin, more in draw(some)
        ]
        chairs = {chair: _outside(draw(st.sampled_from([windows, windows[:1]])), start, end) for chair in (1, 2)}
        shifts, care = [], {}
        for prescriber in (7, 8):
            if draw(st.booleans()) or prescriber == 7:
                shifts.append(OnShift(prescriber, start, end, 1 + prescriber % 2))
                care[prescriber] = [
                    (start + timedelta(minutes=begin), start + timedelta(minutes=begin + 150))
                    for begin in draw(st.lists(st.integers(0, 1300), max_size=2))
                ]
        days.append(SiteDay(day, [(start, end)], chairs, shifts, care))
    return days


def _outside(windows: list[Interval], start: datetime, end: datetime) -> list[Interval]:
    """What is left of a day beside the windows."""
    taken, since = [], start
    for begin, stop in sorted(windows):
        if since < begin:
            taken.append((since, begin))
        since = max(since, stop)
    return [*taken, (since, end)] if since < end else taken


@st.composite
def protocols(draw: st.DrawFn) -> Protocol:
    """Protocols whose limits bind within a few days."""
    base = draw(st.sampled_from([STANDARD, FLEX, INTENSIVE, ESKETAMINE]))
    gap = base.limits["gap-min"]
    limits = {
        **base.limits,
        "span-max": Limit(draw(st.integers(4, 10)), Level.OVERRIDE, "P: test"),
        "gap-max": Limit(draw(st.integers(2, 5)), Level.WARN, "P: test"),
        "initial-min": Limit(draw(st.integers(2, 4)), Level.OVERRIDE, "P: test"),
        "gap-min": replace(gap, level=Level.OVERRIDE),
        "month-gap": Limit(draw(st.integers(2, 5)), Level.WARN, "P: test"),
    }
    if draw(st.booleans()):
        limits["span-min"] = Limit(draw(st.integers(3, 6)), Level.WARN, "P: test")
    steps = draw(st.lists(st.integers(2, 4), min_size=base.initial_plan - 1, max_size=base.initial_plan - 1))
    preferred = tuple(sum(steps[:index]) for index in range(base.initial_plan))
    return replace(base, limits=limits, preferred_days=preferred)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone, first = draw(st.sampled_from(PLACES))
    protocol = draw(protocols())
    phase = draw(st.sampled_from([Phase.INITIAL, Phase.INITIAL, Phase.MAINTENANCE, Phase.TAPER]))
    count = draw(st.integers(1 if phase is Phase.INITIAL else 2, 3))
    midnight = day_bounds(first, zone)[0]
    around = st.tuples(st.integers(-5, 12), st.integers(120, 1320), st.booleans())
    standing = [
        Spot(ref, midnight + timedelta(days=day, minutes=minute), draw(st.sampled_from([phase, Phase.INITIAL])), counts)
        for ref, (day, minute, counts) in enumerate(draw(st.lists(around, max_size=2, unique_by=lambda row: row[0])))
    ]
    hours = st.none() | st.times(time(6), time(18)).map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None))
    return Case(
        protocol=protocol,
        phase=phase,
        count=count,
        site=draw(site_days(zone, first, protocol.visit.length)),
        zone=zone,
        earliest=first + timedelta(days=draw(st.integers(0, 2))),
        now=midnight + timedelta(minutes=draw(st.integers(-100, 3000))),
        wishes=Wishes(
            weekdays=frozenset(draw(st.sets(st.integers(0, 6), max_size=4))),
            not_before=draw(hours),
            not_after=draw(hours),
            home_by=draw(hours),
            except_dates=frozenset(first + timedelta(days=day) for day in draw(st.sets(st.integers(0, 9), max_size=1))),
        ),
        standing=standing,
        targets=[] if phase is Phase.INITIAL else [first + timedelta(days=day) for day in draw(targets(count))],
        step=draw(st.sampled_from([10, 20])),
        usual=draw(st.sampled_from([None, 7, 8])),
    )


def targets(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 10), min_size=count, max_size=count)


def propose(case: Case, labels: tuple[str, ...] = planning.LABELS) -> tuple[Plan, ...] | NoPlan:
    return planning.propose(
        protocol=case.protocol,
        phase=case.phase,
        count=case.count,
        days=[day.mask(case.zone) for day in case.site],
        zone=case.zone,
        earliest=case.earliest,
        now=case.now,
        wishes=case.wishes,
        standing=case.standing,
        targets=case.targets,
        step=case.step,
        usual=case.usual,
        labels=labels,
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases())
def test_every_plan_is_an_exact_optimum_of_what_its_label_compares(case: Case) -> None:
    choices = list(case.choices())
    for label in planning.LABELS:
        found = propose(case, (label,))
        if isinstance(found, NoPlan):
            assert choices == [] or len(case.chain) + case.count > case.protocol.initial_max
            continue
        for plan in found:
            starts = [row.place.starts_at for row in plan.sessions]
            assert case.worth(label, starts) == min(case.worth(label, choice) for choice in choices)
            assert case.hours_worth(starts) == case.best_hours(starts)
            assert all(case.is_free(row.place) for row in plan.sessions)
            assert [row.meets_wishes for row in plan.sessions] == [case.meets(start) for start in starts]
