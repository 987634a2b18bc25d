"""Plans under the rules as `spacing` judges them: whatever the site, nothing above a warning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.findings import Level, worst
from scheduling.protocols import planning, progress
from scheduling.protocols.library import builtin
from scheduling.protocols.masks import DayMask, OnShift, build_day
from scheduling.protocols.spacing import judge
from scheduling.protocols.types import NoPlan, Phase, Plan, Protocol, Spot, Wishes
from scheduling.protocols.windows import day_bounds

NEW_YORK = ZoneInfo("America/New_York")

#: From a week before the clocks change, so that plans lie across it.
STARTS = (date(2025, 3, 1), date(2025, 6, 1), date(2025, 10, 25))

_LEVELS = [None, Level.WARN, Level.OVERRIDE, Level.BLOCK]


@dataclass(frozen=True)
class Clinic:
    """A site from a date on."""

    first: date
    days: tuple[DayMask, ...]


@st.composite
def clinics(draw: st.DrawFn) -> Clinic:
    """Sites with random weekdays, hours (up to all day), free spells and prescribers, over 16 weeks."""
    first = draw(st.sampled_from(STARTS))
    weekdays = draw(st.sets(st.integers(0, 6), min_size=2))
    opens = draw(st.integers(0, 10))
    closes = draw(st.integers(opens + 4, 24))
    random = draw(st.randoms(use_true_random=False))
    busy = draw(st.floats(0, 0.97))
    days = []
    for offset in range(112):
        day = first + timedelta(days=offset)
        start, end = day_bounds(day, NEW_YORK)
        open_from, open_to = start + timedelta(hours=opens), min(end, start + timedelta(hours=closes))
        opened = [(open_from, open_to)] if day.weekday() in weekdays else []
        begin = open_from + timedelta(minutes=random.randrange(0, 60 * (closes - opens), 5))
        taken = [(open_from, begin)] if random.random() < busy else []
        taken += [(begin, end)] if random.random() < busy / 2 else []
        shift = OnShift(7, open_from + timedelta(minutes=random.randrange(0, 120, 15)), open_to, 1)
        days.append(
            build_day(
                day=day,
                zone=NEW_YORK,
                opened=opened,
                chairs={1: taken, 2: [(open_from, end)]},
                shifts=[shift, OnShift(8, open_from, open_to, 2)],
                care={7: [(begin, begin + timedelta(hours=2))]},
            )
        )
    return Clinic(first, tuple(days))


def spots(plan: Plan, phase: Phase, counts: bool = True) -> list[Spot]:
    return [Spot(row.number, row.place.starts_at, phase, counts) for row in plan.sessions]


def level(protocol: Protocol, sessions: Sequence[Spot]) -> Level | None:
    return worst(judge(protocol=protocol, sessions=sessions, zone=NEW_YORK))


def is_lawful(protocol: Protocol, sessions: Sequence[Spot]) -> bool:
    return level(protocol, sessions) in (None, Level.WARN)


EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EXAMPLES
@given(clinics(), st.sampled_from(builtin()), st.data())
def test_a_plan_never_has_a_finding_above_warn_nor_do_its_alternatives(
    clinic: Clinic, protocol: Protocol, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, protocol.initial_max))
    plans = planning.propose(
        protocol=protocol,
        phase=Phase.INITIAL,
        count=count,
        days=clinic.days,
        zone=NEW_YORK,
        earliest=clinic.first + timedelta(days=data.draw(st.integers(0, 20))),
        now=datetime.combine(clinic.first, datetime.min.time(), UTC),
        wishes=Wishes(weekdays=frozenset(data.draw(st.sets(st.integers(0, 6), max_size=3)))),
    )
    for plan in () if isinstance(plans, NoPlan) else plans:
        sessions = spots(plan, Phase.INITIAL)
        found = level(protocol, sessions)
        assert found in (None, Level.WARN)
        for index, row in enumerate(plan.sessions):
            for other in row.alternatives:
                changed = [*sessions[:index], Spot(row.number, other.starts_at), *sessions[index + 1 :]]
                assert other.starts_at != row.place.starts_at
                assert _LEVELS.index(level(protocol, changed)) <= _LEVELS.index(found)


@EXAMPLES
@given(clinics(), st.sampled_from(builtin()), st.data())
def test_make_ups_beside_sessions_that_stand_keep_every_rule(
    clinic: Clinic, protocol: Protocol, data: st.DataObject
) -> None:
    def propose(count: int, standing: Sequence[Spot], earliest: date) -> tuple[Plan, ...] | NoPlan:
        return planning.propose(
            protocol=protocol,
            phase=Phase.INITIAL,
            count=count,
            days=clinic.days,
            zone=NEW_YORK,
            earliest=earliest,
            now=datetime.combine(clinic.first, datetime.min.time(), UTC),
            standing=standing,
            labels=["soonest"],
        )

    first = propose(protocol.initial_plan, [], clinic.first)
    if isinstance(first, NoPlan):
        return
    stay = data.draw(st.sets(st.sampled_from(spots(first[0], Phase.INITIAL)), min_size=1))
    missing = protocol.initial_plan - len(stay)
    if missing:
        earliest = clinic.first + timedelta(days=data.draw(st.integers(0, 12)))
        again = propose(missing, list(stay), earliest)
        if not isinstance(again, NoPlan):
            new = spots(again[0], Phase.INITIAL)
            assert is_lawful(protocol, [*stay, *new])
            times = sorted(spot.starts_at for spot in [*stay, *new])
            assert [spot.ref for spot in new] == [times.index(spot.starts_at) + 1 for spot in new]
            assert all(spot.starts_at.astimezone(NEW_YORK).date() >= earliest for spot in new)


@EXAMPLES
@given(clinics(), st.sampled_from(builtin()), st.integers(7, 40))
def test_maintenance_after_an_initial_phase_keeps_every_rule(clinic: Clinic, protocol: Protocol, interval: int) -> None:
    initial = [
        Spot(-1, clinic.days[0].origin + timedelta(hours=9)),
        Spot(-2, clinic.days[0].origin + timedelta(days=3, hours=9)),
    ]
    earliest = clinic.first + timedelta(days=1)
    aimed = progress.maintenance_dates(
        protocol, last=clinic.first + timedelta(days=3), earliest=earliest, interval=interval
    )
    plans = planning.propose(
        protocol=protocol,
        phase=Phase.MAINTENANCE,
        count=len(aimed),
        days=clinic.days,
        zone=NEW_YORK,
        earliest=earliest,
        now=clinic.days[0].origin,
        standing=initial,
        targets=aimed,
    )
    for plan in () if isinstance(plans, NoPlan) else plans:
        assert is_lawful(protocol, [*initial, *spots(plan, Phase.MAINTENANCE)])
