from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clinic.findings import Finding, Level
from scheduling.protocols.library import ESKETAMINE, FLEX, INTENSIVE, STANDARD, builtin
from scheduling.protocols.spacing import judge, judge_course, judge_days, keeps_gap, latest_days
from scheduling.protocols.types import Limit, Phase, Protocol, Spot
from scheduling.protocols.windows import instants

BLOCK, OVERRIDE, WARN = Level.BLOCK, Level.OVERRIDE, Level.WARN
INITIAL, TAPER, MAINTENANCE = Phase
NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """A local time in New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def spots(*times: str, phase: Phase = INITIAL) -> list[Spot]:
    return [Spot(ref, at(text), phase) for ref, text in enumerate(times)]


def on_days(days: Sequence[int], phase: Phase = INITIAL) -> list[Spot]:
    """Sessions at 10:00 on days after 2 June 2025, with no change of the clocks near."""
    first = at("2025-06-02T10:00")
    return [Spot(ref, first + timedelta(days=day), phase) for ref, day in enumerate(days)]


def rules(findings: Sequence[Finding]) -> list[str]:
    """The rules that speak, each once, in the order of the findings."""
    return list(dict.fromkeys(finding.rule for finding in findings))


PATTERNS = [
    ((0, 3, 7, 10), False, []),
    ((0, 3, 7, 10, 14, 17), False, []),
    ((0, 2, 4, 7, 9, 11), False, []),
    ((0, 7, 14, 21), False, []),
    ((0, 4, 8, 12, 16, 20), False, []),
    ((0, 3, 7, 10), True, []),
    ((0, 3, 7, 10, 14, 17), True, []),
    ((0, 2, 4, 7, 9, 11), True, []),
    ((0, 7, 14, 21), True, []),
    ((0, 4, 8, 12, 16, 20), True, []),
    ((0, 1, 2, 3, 4, 5), False, ["gap-min", "span-min"]),
    ((0, 7, 14), False, []),
    ((0, 7, 14), True, ["initial-min"]),
    ((0, 7, 14, 21, 28, 35), False, ["span-max"]),
    ((0, 3, 7, 10, 14, 17, 21, 24), False, ["initial-max", "span-max"]),
    ((0, 3, 3, 7), False, ["one-a-day", "gap-min"]),
    ((0, 0), False, ["one-a-day", "gap-min"]),
    # Spans are inclusive, gaps are not too long at their limit.
    ((0, 7, 14, 15, 21), False, ["gap-min"]),
    ((0, 5, 10, 15, 21), False, []),
    ((0, 5, 10, 15, 22), False, ["span-max"]),
    ((0, 3, 10, 18), False, ["gap-max"]),
    ((0, 2, 4, 6), True, ["span-min"]),
    ((0, 2, 4, 7), True, []),
    # A part of a plan is not blamed for what is still to come.
    ((0, 2, 4, 6), False, []),
    ((0,), False, []),
    ((), False, []),
    ((), True, ["initial-min"]),
]


@pytest.mark.parametrize(("days", "closed", "expected"), PATTERNS)
def test_a_pattern_of_days_has_the_verdict_of_the_table(
    days: tuple[int, ...], closed: bool, expected: list[str]
) -> None:
    assert rules(judge_days(protocol=STANDARD, phase=INITIAL, days=days, closed=closed)) == expected
    assert rules(judge(protocol=STANDARD, sessions=on_days(days), zone=NEW_YORK, closed=closed)) == expected


@pytest.mark.parametrize(
    ("protocol", "days", "closed", "expected"),
    [
        (FLEX, (0, 7, 14), True, []),
        (FLEX, (0, 7), True, ["initial-min", "span-min"]),
        (FLEX, (0, 3, 7, 10, 12, 13), False, ["gap-min", "span-min"]),
        (FLEX, (0, 10, 20, 30, 40, 42), False, []),
        (FLEX, (0, 11, 20, 30, 40, 43), False, ["span-max", "gap-max"]),
        (INTENSIVE, (0, 2, 4, 7, 9), True, ["initial-min"]),
        (INTENSIVE, (0, 1, 2, 3, 4, 5), False, ["gap-min"]),
        (INTENSIVE, (0, 2, 4, 7, 9, 14), False, ["gap-max"]),
        (INTENSIVE, (0, 2, 4, 8, 12, 15), False, ["span-max"]),
        (ESKETAMINE, (0, 1, 7, 10, 14, 17, 21, 24), False, ["gap-max", "gap-min"]),
        (ESKETAMINE, (0, 3, 7, 10, 14, 17, 21, 28), False, ["gap-max"]),
        (ESKETAMINE, (0, 3, 7, 10, 14, 17, 21, 24, 29), False, ["initial-max", "span-max"]),
        (ESKETAMINE, (0, 3, 7, 10, 14, 17, 21), True, ["initial-min"]),
    ],
)
def test_each_protocol_is_judged_by_its_own_limits(
    protocol: Protocol, days: tuple[int, ...], closed: bool, expected: list[str]
) -> None:
    assert rules(judge_days(protocol=protocol, phase=INITIAL, days=days, closed=closed)) == expected


@pytest.mark.parametrize("protocol", builtin(), ids=lambda protocol: protocol.code)
def test_every_level_is_the_protocols_own(protocol: Protocol) -> None:
    crowded = judge(
        protocol=protocol,
        sessions=[*on_days([0, 0, 1, *range(20, 60, 8), 70]), *on_days([91, 95, 97], MAINTENANCE)],
        zone=NEW_YORK,
    )
    assert {finding.rule: finding.level for finding in crowded} == {
        rule: limit.level
        for rule, limit in protocol.limits.items()
        if rule in {"one-a-day", "gap-min", "gap-max", "initial-max", "span-max", "month-max", "month-gap"}
    }


# What a finding says


def test_two_sessions_too_close_are_named_with_days_and_hours() -> None:
    sessions = spots("2025-06-02T10:00", "2025-06-05T10:00", "2025-06-09T10:00", "2025-06-12T11:00", "2025-06-13T10:00")
    (finding,) = judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK)
    assert finding == Finding(
        "gap-min",
        OVERRIDE,
        "Sessions %(first)s and %(second)s are %(apart)s apart; at least %(least)s are required.",
        observed="1 day, 23 h",
        limit="2 days, 40 h",
        sessions=(3, 4),
        values={"first": 4, "second": 5, "apart": "1 day", "least": "2 calendar days and 40 hours"},
    )
    assert finding.message == "Sessions 4 and 5 are 1 day apart; at least 2 calendar days and 40 hours are required."


def test_two_calendar_days_short_of_the_hours_are_named_by_the_hours() -> None:
    (finding,) = judge(protocol=STANDARD, sessions=spots("2025-06-02T18:01", "2025-06-04T10:00"), zone=NEW_YORK)
    assert (finding.observed, finding.limit) == ("2 days, 39 h 59 min", "2 days, 40 h")
    assert finding.message == (
        "Sessions 1 and 2 are 39 h 59 min apart; at least 2 calendar days and 40 hours are required."
    )


def test_a_protocol_without_hours_speaks_of_days_alone() -> None:
    (finding,) = judge_days(protocol=ESKETAMINE, phase=INITIAL, days=(0, 1))
    assert (finding.level, finding.observed, finding.limit) == (WARN, "1 day", "2 days")
    assert finding.message == "Sessions 1 and 2 are 1 day apart; at least 2 calendar days are required."


def test_another_session_of_the_patient_has_no_number_in_this_course() -> None:
    mine, other = Spot(7, at("2025-06-02T10:00")), Spot(3, at("2025-06-02T15:00"), counts=False)
    assert [
        (finding.rule, finding.message, finding.sessions)
        for finding in judge(protocol=STANDARD, sessions=[other, mine], zone=NEW_YORK)
    ] == [
        ("one-a-day", "Session 1 is on the date of another session of the patient.", (7, 3)),
        (
            "gap-min",
            (
                "Session 1 is 0 days from another session of the patient; "
                "at least 2 calendar days and 40 hours are required."
            ),
            (7, 3),
        ),
    ]


def test_sessions_that_bring_their_number_are_named_by_it() -> None:
    sessions = [
        Spot(70, at("2025-06-20T10:00"), INITIAL, counts=False, number=6),
        Spot(71, at("2025-06-21T10:00"), MAINTENANCE, number=7),
    ]
    (finding,) = judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK)
    assert (finding.rule, finding.values["first"], finding.values["second"]) == ("gap-min", 6, 7)


@pytest.mark.parametrize(
    ("days", "closed", "expected"),
    [
        (
            (0, 7, 14),
            True,
            ("initial-min", "3 sessions", "4 sessions", (0, 1, 2), "The initial phase has 3 of at least 4 sessions."),
        ),
        (
            (0, 3, 7, 10, 14, 17, 21),
            False,
            ("initial-max", "7 sessions", "6 sessions", (6,), "The initial phase has 7 sessions; it takes at most 6."),
        ),
        (
            (0, 7, 14, 21, 28, 35),
            False,
            (
                "span-max",
                "day 35",
                "day 21",
                (4, 5),
                "The last initial session is on day 35; the phase ends with day 21.",
            ),
        ),
        (
            (0, 2, 4, 6),
            True,
            (
                "span-min",
                "day 6",
                "day 7",
                (0, 1, 2, 3),
                "The last initial session is already on day 6; day 7 or later is intended.",
            ),
        ),
        (
            (0, 3, 11, 14),
            False,
            ("gap-max", "8 days", "7 days", (1, 2), "Sessions 2 and 3 are 8 days apart; at most 7 days are intended."),
        ),
    ],
)
def test_a_finding_says_what_was_seen_and_what_is_allowed(
    days: tuple[int, ...], closed: bool, expected: tuple[object, ...]
) -> None:
    findings = judge_days(protocol=STANDARD, phase=INITIAL, days=days, closed=closed)
    assert [(f.rule, f.observed, f.limit, f.sessions, f.message) for f in findings] == [expected]


def test_findings_come_by_severity_then_rule_then_time() -> None:
    findings = judge_days(protocol=STANDARD, phase=INITIAL, days=(0, 0, 1, 12, 12, 22, 23))
    assert [(finding.level, finding.rule, finding.sessions) for finding in findings] == [
        (BLOCK, "one-a-day", (0, 1)),
        (BLOCK, "one-a-day", (3, 4)),
        (OVERRIDE, "gap-min", (0, 1)),
        (OVERRIDE, "gap-min", (1, 2)),
        (OVERRIDE, "gap-min", (3, 4)),
        (OVERRIDE, "gap-min", (5, 6)),
        (OVERRIDE, "initial-max", (6,)),
        (OVERRIDE, "span-max", (5, 6)),
        (WARN, "gap-max", (2, 3)),
        (WARN, "gap-max", (4, 5)),
    ]


# reach


def test_the_latest_days_leave_room_for_what_is_still_needed() -> None:
    assert latest_days(STANDARD, 4) == (15, 17, 19, 21)
    assert {protocol.code: latest_days(protocol) for protocol in builtin()} == {
        "iv-ketamine-standard": (15, 17, 19, 21),
        "iv-flex-3-6": (38, 40, 42),
        "iv-intensive-6in2w": (4, 6, 8, 10, 12, 14),
        "esketamine-trd-us": (14, 16, 18, 20, 22, 24, 26, 28),
    }


@pytest.mark.parametrize(
    ("days", "closed", "expected"),
    [
        ((0, 17), False, ["gap-max"]),
        ((0, 18), False, ["gap-max", "reach"]),
        ((0, 7, 14), False, []),
        ((0, 12, 19), False, ["gap-max"]),
        ((0, 13, 20), False, ["gap-max", "reach"]),
        ((0, 25), False, ["span-max", "gap-max", "reach"]),
        # Where the minimum stands, or nothing more comes, the other rules speak.
        ((0, 7, 14, 20), False, []),
        ((0, 13, 20), True, ["initial-min", "gap-max"]),
    ],
)
def test_reach_speaks_while_the_minimum_is_still_to_come(
    days: tuple[int, ...], closed: bool, expected: list[str]
) -> None:
    assert rules(judge_days(protocol=STANDARD, phase=INITIAL, days=days, closed=closed)) == expected


def test_reach_says_what_can_be_done() -> None:
    findings = judge_days(protocol=replace(STANDARD, limits=_without("gap-max")), phase=INITIAL, days=(0, 18))
    assert [(f.rule, f.level, f.observed, f.limit, f.sessions, f.message) for f in findings] == [
        (
            "reach",
            WARN,
            "day 18",
            "day 17",
            (1,),
            (
                "With a session on day 18, 4 sessions cannot be reached by day 21. "
                "Move a session, extend by override, close the phase early, or start a new initial phase."
            ),
        )
    ]


def _without(*absent: str) -> dict[str, Limit]:
    return {rule: limit for rule, limit in STANDARD.limits.items() if rule not in absent}


def test_a_whole_plan_shorter_than_the_protocols_is_judged_as_complete() -> None:
    sessions = on_days((0, 2, 4, 6))
    assert judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK) == ()
    assert rules(judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK, complete=True)) == ["span-min"]
    assert rules(judge(protocol=STANDARD, sessions=sessions[:3], zone=NEW_YORK, complete=True)) == [
        "initial-min",
        "span-min",
    ]


def test_a_full_count_that_is_not_complete_is_not_blamed_for_its_span() -> None:
    sessions = on_days((0, 2, 4, 6, 8, 10))
    short = replace(STANDARD, limits={**STANDARD.limits, "span-min": Limit(12, WARN, "P: longer")})
    assert rules(judge(protocol=short, sessions=sessions, zone=NEW_YORK)) == ["span-min"]
    assert judge(protocol=short, sessions=sessions, zone=NEW_YORK, complete=False) == ()


# Gaps in any phase, across phases and courses


@pytest.mark.parametrize("phase", Phase)
def test_gap_min_and_one_a_day_hold_in_every_phase(phase: Phase) -> None:
    sessions = spots("2025-06-02T10:00", "2025-06-02T16:00", "2025-06-20T10:00", "2025-06-21T10:00", phase=phase)
    limits = _without("gap-max", "month-gap", "month-max")
    assert [
        (finding.rule, finding.sessions)
        for finding in judge(protocol=replace(STANDARD, limits=limits), sessions=sessions, zone=NEW_YORK)
    ] == [("one-a-day", (0, 1)), ("gap-min", (0, 1)), ("gap-min", (2, 3))]


def test_the_gap_holds_across_phases() -> None:
    sessions = [*on_days((0, 7, 14, 21)), Spot(9, at("2025-06-24T10:00"), MAINTENANCE)]
    assert [
        (finding.rule, finding.sessions) for finding in judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK)
    ] == [("gap-min", (3, 9))]


def test_sessions_of_another_course_are_judged_by_gaps_only() -> None:
    mine = on_days((0, 7, 14, 21))
    other = [Spot(90 + day, at("2025-06-02T10:00") + timedelta(days=day), counts=False) for day in (-30, 4, 15, 50, 51)]
    assert [
        (finding.rule, finding.sessions)
        for finding in judge(protocol=STANDARD, sessions=[*mine, *other], zone=NEW_YORK, closed=True)
    ] == [("gap-min", (2, 105))]


# Maintenance


def test_a_third_maintenance_session_in_a_calendar_month_is_found() -> None:
    sessions = spots("2025-07-01T09:00", "2025-07-16T09:00", "2025-07-31T18:00", phase=MAINTENANCE)
    (finding,) = judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK)
    assert (finding.rule, finding.level, finding.observed, finding.limit, finding.sessions, finding.message) == (
        "month-max",
        OVERRIDE,
        "3 sessions",
        "2 sessions",
        (0, 1, 2),
        "3 maintenance sessions in 2025-07; at most 2 in a calendar month.",
    )


def test_the_month_is_that_of_the_sites_zone() -> None:
    # 31 July 20:30 in New York is 1 August in UTC and in Berlin.
    sessions = spots("2025-07-01T09:00", "2025-07-16T09:00", "2025-07-31T20:30", phase=MAINTENANCE)
    assert rules(judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK)) == ["month-max"]
    assert judge(protocol=STANDARD, sessions=sessions, zone=ZoneInfo("Europe/Berlin")) == ()


def test_only_maintenance_sessions_count_in_a_month() -> None:
    sessions = [
        *spots("2025-07-01T09:00", "2025-07-04T09:00", "2025-07-08T09:00", "2025-07-11T09:00"),
        Spot(4, at("2025-07-14T09:00"), MAINTENANCE),
        Spot(5, at("2025-07-28T09:00"), MAINTENANCE),
    ]
    assert judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK) == ()


def test_maintenance_sessions_closer_than_ten_days_are_warned_of() -> None:
    sessions = spots("2025-07-01T09:00", "2025-07-11T09:00", "2025-08-01T09:00", "2025-08-10T09:00", phase=MAINTENANCE)
    (finding,) = judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK)
    assert (finding.rule, finding.level, finding.observed, finding.limit, finding.sessions, finding.message) == (
        "month-gap",
        WARN,
        "9 days",
        "10 days",
        (2, 3),
        "Maintenance sessions 3 and 4 are 9 days apart; at least 10 days are intended.",
    )


def test_esketamine_has_no_month_rules() -> None:
    assert judge(protocol=ESKETAMINE, sessions=on_days(range(0, 60, 7), MAINTENANCE), zone=NEW_YORK) == ()


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((0, 28, 56), []),
        ((0, 16, 32, 48), []),
        ((0, 15, 30), [("month-max", (0, 1, 2))]),
        ((0, 16, 31, 46), [("month-max", (1, 2, 3))]),
        ((0, 9, 40), [("month-gap", (0, 1))]),
        ((0, 1, 40), [("gap-min", (0, 1)), ("month-gap", (0, 1))]),
        ((40, 0, 0), [("one-a-day", (1, 2)), ("gap-min", (1, 2)), ("month-gap", (1, 2))]),
    ],
)
def test_maintenance_days_are_judged_for_the_worst_start_date(
    days: tuple[int, ...], expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    findings = judge_days(protocol=STANDARD, phase=MAINTENANCE, days=days)
    assert [(finding.rule, finding.sessions) for finding in findings] == expected


def test_only_intervals_of_16_to_28_days_give_one_or_two_sessions_in_every_month() -> None:
    first = datetime(2024, 1, 1, 12, tzinfo=UTC)
    crowded, empty = set(), set()
    for interval in range(10, 36):
        for offset in range(400):
            sessions = [
                Spot(number, first + timedelta(days=offset + interval * number), MAINTENANCE)
                for number in range(400 // interval)
            ]
            if "month-max" in rules(judge(protocol=STANDARD, sessions=sessions, zone=UTC)):
                crowded.add(interval)
            months = {spot.starts_at.year * 12 + spot.starts_at.month for spot in sessions}
            if max(months) - min(months) >= len(months):
                empty.add(interval)
    assert (crowded, empty) == (set(range(10, 16)), set(range(29, 36)))
    assert {
        interval
        for interval in range(10, 36)
        if "month-max" in rules(judge_days(protocol=STANDARD, phase=MAINTENANCE, days=range(0, 200, interval)))
    } == crowded


# Daylight saving: New York goes forward on 8 March 2026 and back on 1 November 2026


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-02-20T09:00", "2026-03-13T17:00", []),
        ("2026-02-20T18:00", "2026-03-14T08:00", ["span-max"]),
        ("2026-10-23T09:00", "2026-11-13T17:00", []),
        ("2026-10-23T18:00", "2026-11-14T08:00", ["span-max"]),
    ],
)
def test_days_are_counted_by_dates_across_both_changes_of_the_clocks(
    first: str, last: str, expected: list[str]
) -> None:
    protocol = replace(STANDARD, limits=_without("gap-max", "reach"))
    assert rules(judge(protocol=protocol, sessions=spots(first, last), zone=NEW_YORK)) == expected


def test_the_date_is_that_of_the_sites_zone() -> None:
    # 23 June 21:00 in New York is 24 June in UTC: day 21 there, day 22 here.
    sessions = spots("2025-06-02T10:00", "2025-06-23T21:00")
    protocol = replace(STANDARD, limits=_without("gap-max", "reach"))
    assert judge(protocol=protocol, sessions=sessions, zone=NEW_YORK) == ()
    assert rules(judge(protocol=protocol, sessions=sessions, zone=UTC)) == ["span-max"]


@pytest.mark.parametrize(
    ("first", "second", "observed"),
    [
        ("2026-03-07T20:00", "2026-03-09T13:00", []),
        ("2026-03-07T20:00", "2026-03-09T12:59", ["2 days, 39 h 59 min"]),
        ("2026-10-31T20:00", "2026-11-02T11:00", []),
        ("2026-10-31T20:00", "2026-11-02T10:59", ["2 days, 39 h 59 min"]),
        ("2026-06-01T20:00", "2026-06-03T12:00", []),
        ("2026-06-01T20:00", "2026-06-03T11:59", ["2 days, 39 h 59 min"]),
    ],
)
def test_the_forty_hours_are_hours_across_both_changes_of_the_clocks(
    first: str, second: str, observed: list[str]
) -> None:
    findings = judge(protocol=STANDARD, sessions=spots(first, second), zone=NEW_YORK)
    assert [finding.observed for finding in findings] == observed


@pytest.mark.parametrize("minute", range(60))
def test_exactly_forty_hours_are_enough_at_any_minute(minute: int) -> None:
    first = datetime(2025, 6, 2, 23, minute, 7, tzinfo=UTC)
    sessions = [Spot(0, first), Spot(1, first + timedelta(hours=40))]
    assert judge(protocol=STANDARD, sessions=sessions, zone=UTC) == ()


def test_an_hour_shown_twice_keeps_its_order() -> None:
    sessions = [Spot(0, at("2026-11-01T01:10").replace(fold=1)), Spot(1, at("2026-11-01T01:30"))]
    assert [
        (finding.rule, finding.observed, finding.sessions)
        for finding in judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK)
    ] == [("one-a-day", "2 sessions", (1, 0)), ("gap-min", "0 days, 0 h 40 min", (1, 0))]


ZONES = [
    "UTC",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
]
START = datetime(2020, 1, 1, tzinfo=UTC).date()


@settings(deadline=None, max_examples=300)
@given(
    days=st.lists(st.integers(0, 45), min_size=1, max_size=9),
    offset=st.integers(0, 3000),
    clock=st.times(),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    fold=st.sampled_from((0, -1)),
    protocol=st.sampled_from(builtin()),
    closed=st.booleans(),
)
def test_at_equal_clock_times_the_findings_of_an_initial_phase_depend_on_day_numbers_alone(
    days: list[int], offset: int, clock: time, zone: ZoneInfo, fold: int, protocol: Protocol, closed: bool
) -> None:
    times = [instants(START + timedelta(days=offset + day), clock, zone) for day in days]
    assume(all(times))
    sessions = [Spot(ref, found[fold]) for ref, found in enumerate(times)]
    by_times = judge(protocol=protocol, sessions=sessions, zone=zone, closed=closed)
    by_days = judge_days(protocol=protocol, phase=INITIAL, days=days, closed=closed)
    # What was observed names the hours between, which a change of the clocks may alter.
    assert [replace(finding, observed="") for finding in by_times] == [
        replace(finding, observed="") for finding in by_days
    ]


@settings(deadline=None, max_examples=200)
@given(
    sessions=st.lists(
        st.builds(
            Spot,
            ref=st.integers(0, 10**6),
            starts_at=st.datetimes(datetime(2026, 2, 20), datetime(2026, 4, 20), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
            phase=st.sampled_from(Phase),
            counts=st.booleans(),
        ),
        max_size=9,
        unique_by=lambda spot: spot.ref,
    ),
    data=st.data(),
    closed=st.booleans(),
    complete=st.sampled_from((None, True, False)),
)
def test_the_order_in_which_sessions_are_given_does_not_matter(
    sessions: list[Spot], data: st.DataObject, closed: bool, complete: bool | None
) -> None:
    shuffled = data.draw(st.permutations(sessions))
    assert judge(protocol=STANDARD, sessions=shuffled, zone=NEW_YORK, closed=closed, complete=complete) == judge(
        protocol=STANDARD, sessions=sessions, zone=NEW_YORK, closed=closed, complete=complete
    )


@settings(deadline=None, max_examples=200)
@given(
    times=st.lists(
        st.datetimes(datetime(2026, 2, 20), datetime(2026, 3, 20), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
        min_size=2,
        max_size=9,
    )
)
def test_gap_min_speaks_exactly_when_two_sessions_are_too_close(times: list[datetime]) -> None:
    limit = STANDARD.limits["gap-min"]
    close = any(
        not keeps_gap(
            limit,
            days=abs((one.astimezone(NEW_YORK).date() - other.astimezone(NEW_YORK).date()).days),
            hours=abs(one - other) / timedelta(hours=1),
        )
        for place, one in enumerate(times)
        for other in times[:place]
    )
    sessions = [Spot(ref, starts_at) for ref, starts_at in enumerate(times)]
    assert ("gap-min" in rules(judge(protocol=STANDARD, sessions=sessions, zone=NEW_YORK))) == close


def test_a_naive_time_is_refused() -> None:
    naive = Spot(0, datetime(2026, 3, 1, 10))  # noqa: DTZ001 - the naive time is what is tried
    with pytest.raises(ValueError, match=r"^starts_at: a time without a zone cannot be judged$"):
        judge(protocol=STANDARD, sessions=[naive], zone=NEW_YORK)


def test_day_numbers_of_any_size_are_judged() -> None:
    assert rules(judge_days(protocol=STANDARD, phase=INITIAL, days=(0, 10**30))) == ["span-max", "gap-max", "reach"]


# Courses


@pytest.mark.parametrize("state", ["held", "active", "paused"])
def test_a_running_course_takes_an_initial_session(state: str) -> None:
    assert judge_course(protocol=STANDARD, state=state, phase=INITIAL, decided=False) == ()


@pytest.mark.parametrize("state", ["completed", "stopped", "cancelled"])
def test_a_stopped_or_closed_course_takes_no_session(state: str) -> None:
    (finding,) = judge_course(protocol=STANDARD, state=state, phase=INITIAL, decided=False)
    assert (finding.rule, finding.level, finding.observed, finding.message) == (
        "stopped",
        BLOCK,
        state,
        f"The course is {state} and takes no more sessions.",
    )


def test_maintenance_needs_a_clinicians_decision() -> None:
    assert rules(judge_course(protocol=STANDARD, state="active", phase=MAINTENANCE, decided=False)) == ["phase-decided"]
    assert judge_course(protocol=STANDARD, state="active", phase=MAINTENANCE, decided=True) == ()


def test_a_taper_belongs_to_the_schedule_and_needs_no_decision() -> None:
    assert judge_course(protocol=ESKETAMINE, state="active", phase=TAPER, decided=False) == ()


def test_a_patient_has_one_running_course() -> None:
    (finding,) = judge_course(protocol=STANDARD, state="held", phase=INITIAL, decided=False, other_running=True)
    assert (finding.rule, finding.level, finding.message) == (
        "one-course",
        BLOCK,
        "The patient has another running course.",
    )


def test_all_that_is_wrong_with_a_course_is_said_at_once() -> None:
    findings = judge_course(protocol=STANDARD, state="stopped", phase=MAINTENANCE, decided=False, other_running=True)
    assert [(finding.rule, finding.level) for finding in findings] == [
        ("one-course", BLOCK),
        ("phase-decided", BLOCK),
        ("stopped", BLOCK),
    ]
