import json
from copy import deepcopy
from dataclasses import replace

import pytest

from clinic.findings import Finding, Level
from scheduling.protocols import library
from scheduling.protocols.library import ESKETAMINE, FLEX, INTENSIVE, STANDARD
from scheduling.protocols.types import Limit, Protocol, VisitShape

BLOCK, OVERRIDE, WARN = Level.BLOCK, Level.OVERRIDE, Level.WARN

FIXED = {
    "one-a-day": (1, None, BLOCK),
    "less-often": (0, None, BLOCK),
    "phase-decided": (0, None, BLOCK),
    "stopped": (0, None, BLOCK),
    "one-course": (1, None, BLOCK),
    "hours": (0, None, BLOCK),
    "doctor": (0, None, BLOCK),
    "reach": (0, None, WARN),
}
IV = FIXED | {
    "gap-min": (2, 40, OVERRIDE),
    "month-max": (2, None, OVERRIDE),
    "month-gap": (10, None, WARN),
}
TABLE = {
    "iv-ketamine-standard": IV
    | {
        "initial-min": (4, None, OVERRIDE),
        "initial-max": (6, None, OVERRIDE),
        "span-min": (7, None, WARN),
        "span-max": (21, None, OVERRIDE),
        "gap-max": (7, None, WARN),
    },
    "iv-flex-3-6": IV
    | {
        "initial-min": (3, None, OVERRIDE),
        "initial-max": (6, None, OVERRIDE),
        "span-min": (14, None, WARN),
        "span-max": (42, None, OVERRIDE),
        "gap-max": (10, None, WARN),
    },
    "iv-intensive-6in2w": IV
    | {
        "initial-min": (6, None, OVERRIDE),
        "initial-max": (6, None, OVERRIDE),
        "span-min": (5, None, WARN),
        "span-max": (14, None, OVERRIDE),
        "gap-max": (4, None, WARN),
    },
    "esketamine-trd-us": FIXED
    | {
        "initial-min": (8, None, OVERRIDE),
        "initial-max": (8, None, OVERRIDE),
        "span-max": (28, None, OVERRIDE),
        "gap-min": (2, None, WARN),
        "gap-max": (5, None, WARN),
    },
}


def test_the_built_in_limits_are_those_of_the_protocol_table() -> None:
    assert {
        protocol.code: {rule: (limit.value, limit.hours, limit.level) for rule, limit in protocol.limits.items()}
        for protocol in library.builtin()
    } == TABLE


IV_VISIT, NASAL_VISIT = VisitShape(30, 40, 120, 10), VisitShape(20, 10, 120, 10)
IV_DOSE, NASAL_DOSE = "0.5 mg/kg over 40 min", "56 mg, then 56 or 84 mg"


@pytest.mark.parametrize(
    ("protocol", "substance", "days", "taper", "maintenance", "visit", "dose", "fasting"),
    [
        (STANDARD, ("iv", "ketamine"), (0, 3, 7, 10, 14, 17), (0, 0, 0), (16, 28, 1), IV_VISIT, IV_DOSE, (6, 2)),
        (FLEX, ("iv", "ketamine"), (0, 7, 14, 21, 28, 35), (0, 0, 0), (16, 28, 1), IV_VISIT, IV_DOSE, (6, 2)),
        (INTENSIVE, ("iv", "ketamine"), (0, 2, 4, 7, 9, 11), (0, 0, 0), (16, 28, 1), IV_VISIT, IV_DOSE, (6, 2)),
        (
            ESKETAMINE,
            ("nasal", "esketamine"),
            (0, 3, 7, 10, 14, 17, 21, 24),
            (28, 4, 7),
            (7, 14, 0),
            NASAL_VISIT,
            NASAL_DOSE,
            (2, 0.5),
        ),
    ],
    ids=lambda value: value.code if isinstance(value, Protocol) else "",
)
def test_the_rest_of_a_built_in_protocol_is_that_of_the_protocol_table(
    protocol: Protocol,
    substance: tuple[str, str],
    days: tuple[int, ...],
    taper: tuple[int, int, int],
    maintenance: tuple[int, int, int],
    visit: VisitShape,
    dose: str,
    fasting: tuple[float, float],
) -> None:
    assert (protocol.route, protocol.drug) == substance
    assert (protocol.initial_plan, protocol.preferred_days) == (len(days), days)
    assert (protocol.taper_start, protocol.taper_sessions, protocol.taper_interval) == taper
    assert (*protocol.maintenance_intervals, protocol.month_min) == maintenance
    assert (protocol.visit, protocol.dose) == (visit, dose)
    assert (protocol.no_food_hours, protocol.no_drink_hours) == fasting


def test_the_default_protocol_comes_first_and_codes_are_unique() -> None:
    assert [(protocol.code, protocol.version) for protocol in library.builtin()] == [(code, 1) for code in TABLE]


def test_the_fewest_and_the_most_sessions_are_read_from_their_limits() -> None:
    assert [(protocol.initial_min, protocol.initial_max) for protocol in library.builtin()] == [
        (4, 6),
        (3, 6),
        (6, 6),
        (8, 8),
    ]


@pytest.mark.parametrize("protocol", library.builtin(), ids=lambda protocol: protocol.code)
def test_a_built_in_protocol_says_where_each_number_comes_from(protocol: Protocol) -> None:
    assert {source.split(": ")[0] for source in (limit.source for limit in protocol.limits.values())} <= {"D", "C", "P"}
    assert protocol.source.split(": ")[0] in {"D", "C"}


@pytest.mark.parametrize("protocol", library.builtin(), ids=lambda protocol: protocol.code)
def test_nothing_speaks_against_a_built_in_protocol(protocol: Protocol) -> None:
    assert library.judge_protocol(protocol) == ()


@pytest.mark.parametrize("protocol", library.builtin(), ids=lambda protocol: protocol.code)
def test_a_protocol_survives_being_stored(protocol: Protocol) -> None:
    assert library.from_data(json.loads(json.dumps(library.to_data(protocol)))) == protocol


@pytest.mark.parametrize(
    ("days", "shortest", "findings"),
    [
        ((0, 7, 14, 21), 8, ()),
        ((0, 7, 14, 21), 7, (("every 7 days", "more than 7 days"),)),
        ((0, 7, 14, 21), 2, (("every 2 days", "more than 7 days"),)),
        ((0, 3, 7, 10, 14, 17), 4, ()),
        ((0, 3, 7, 10, 14, 17), 3, (("every 3 days", "more than 3.4 days"),)),
    ],
)
def test_maintenance_has_to_be_less_frequent_than_the_initial_phase(
    days: tuple[int, ...], shortest: int, findings: tuple[tuple[str, str], ...]
) -> None:
    protocol = replace(STANDARD, initial_plan=len(days), preferred_days=days, maintenance_intervals=(shortest, 28))
    assert library.judge_protocol(protocol) == tuple(
        Finding(
            "less-often",
            BLOCK,
            "Maintenance, every %(maintenance)s days, is not less frequent than the initial phase.",
            observed=observed,
            limit=limit,
            values={"maintenance": shortest},
        )
        for observed, limit in findings
    )


def test_a_month_may_not_hold_as_many_sessions_as_the_initial_phase() -> None:
    limits = {**STANDARD.limits, "month-max": Limit(9, OVERRIDE, "P: too many")}
    (finding,) = library.judge_protocol(replace(STANDARD, limits=limits))
    assert (finding.rule, finding.level, finding.observed) == ("less-often", BLOCK, "every 3 days")


def test_a_single_initial_session_has_no_frequency_to_compare_with() -> None:
    limits = {**STANDARD.limits, "initial-min": Limit(1, OVERRIDE, "P: one")}
    protocol = replace(STANDARD, limits=limits, initial_plan=1, preferred_days=(0,))
    assert [finding.rule for finding in library.judge_protocol(protocol)] == ["span-min"]


def test_planned_days_that_break_the_protocols_own_rules_are_found() -> None:
    protocol = replace(STANDARD, preferred_days=(0, 1, 7, 10, 14, 22))
    assert [(finding.rule, finding.sessions) for finding in library.judge_protocol(protocol)] == [
        ("gap-min", (0, 1)),
        ("span-max", (5,)),
        ("gap-max", (4, 5)),
    ]


NOTHING_ELSE = " and nothing else"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("code", "IV ketamine", "code: small letters, digits and hyphens"),
        ("code", None, "code: a text of at most 60 characters"),
        ("version", 0, "version: a whole number from 1 to 1440"),
        ("version", True, "version: a whole number from 1 to 1440"),
        ("name", " ", "name: a text of at most 120 characters"),
        ("name", "x" * 121, "name: a text of at most 120 characters"),
        ("name", "a\x00b", "name: a text of at most 120 characters"),
        ("route", "oral", "route: iv for ketamine, nasal for esketamine"),
        ("drug", "esketamine", "route: iv for ketamine, nasal for esketamine"),
        ("initial_plan", 7, "initial_plan: between the limits of initial-min and initial-max"),
        ("initial_plan", 3, "initial_plan: between the limits of initial-min and initial-max"),
        ("initial_plan", "6", "initial_plan: a whole number from 1 to 1440"),
        ("initial_plan", 6.0, "initial_plan: a whole number from 1 to 1440"),
        ("preferred_days", [0, 3, 7, 10, 14], "preferred_days: as many as initial_plan"),
        ("preferred_days", [0, 3, 7, 10, 14, 14], "preferred_days: ascending from day 0"),
        ("preferred_days", [1, 3, 7, 10, 14, 17], "preferred_days: ascending from day 0"),
        ("preferred_days", [0, 3, 7, 10, 14, -1], "preferred_days.5: a whole number from 0 to 1440"),
        ("preferred_days", [], "preferred_days: a list of 1 to 1440 numbers"),
        ("preferred_days", "0,3", "preferred_days: a list of 1 to 1440 numbers"),
        ("taper.interval", 7, "taper: all of start, sessions and interval, or none"),
        ("taper", {"start": 17, "sessions": 4, "interval": 7}, "taper.start: after the last of preferred_days"),
        ("taper", {}, "taper: an object with interval, sessions, start" + NOTHING_ELSE),
        ("maintenance_intervals", [28, 16], "maintenance_intervals: the shorter first, not below gap-min"),
        ("maintenance_intervals", [1, 16], "maintenance_intervals: the shorter first, not below gap-min"),
        ("maintenance_intervals", [16], "maintenance_intervals: a list of 2 numbers"),
        ("month_min", 3, "month_min: not above month-max"),
        ("limits.span-min.value", 22, "limits.span-min: not above span-max"),
        ("limits.gap-max.value", 1, "limits.gap-max: not below gap-min"),
        ("limits.gap-min.hours", 48, "limits.gap-min.hours: less than the days of the gap"),
        ("limits.gap-min.hours", 0, "limits.gap-min.hours: a whole number from 1 to 1440"),
        ("limits.gap-max.hours", 40, "limits.gap-max.hours: only gap-min has hours"),
        ("limits.gap-max.value", 0, "limits.gap-max.value: a whole number from 1 to 1440"),
        ("limits.gap-max.level", "never", "limits.gap-max.level: one of block, override, warn"),
        ("limits.gap-max.level", [], "limits.gap-max.level: one of block, override, warn"),
        ("limits.gap-max.source", "somebody", "limits.gap-max.source: begins with its mark, D, C or P, and a colon"),
        ("limits.gap-max", 7, "limits.gap-max: an object with hours, level, source, value" + NOTHING_ELSE),
        ("limits.one-a-day.level", "warn", "limits.one-a-day: always 1 at level block"),
        ("limits.one-course.value", 2, "limits.one-course: always 1 at level block"),
        ("visit.give", 45, "visit: multiples of 10 minutes"),
        ("visit.give", 0, "visit.give: longer than nothing"),
        ("visit.monitor", 1440, "visit: within a day"),
        ("visit.turn_over", -10, "visit.turn_over: a whole number from 0 to 1440"),
        ("dose", "", "dose: a text of at most 200 characters"),
        ("no_food_hours", "6", "no_food_hours: hours from 0 to 48"),
        ("no_drink_hours", float("nan"), "no_drink_hours: hours from 0 to 48"),
        ("no_drink_hours", -1, "no_drink_hours: hours from 0 to 48"),
        ("source", "x" * 501, "source: a text of at most 500 characters"),
    ],
)
def test_a_wrong_field_of_a_stored_protocol_is_named(path: str, value: object, message: str) -> None:
    data = deepcopy(library.to_data(STANDARD))
    *parents, last = path.split(".")
    place = data
    for parent in parents:
        place = place[parent]
    place[last] = value
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole message is compared below
        library.from_data(data)
    assert str(refusal.value) == message


@pytest.mark.parametrize("data", [None, [], "protocol", {}, {**library.to_data(STANDARD), "colour": "blue"}])
def test_a_stored_protocol_has_all_fields_and_no_others(data: object) -> None:
    with pytest.raises(ValueError, match=r"^protocol: an object with code, dose, .*, visit and nothing else$"):
        library.from_data(data)


@pytest.mark.parametrize("rule", ["initial-min", "initial-max", "span-max", "gap-min", "one-a-day", "doctor"])
def test_a_rule_that_every_protocol_has_cannot_be_left_out(rule: str) -> None:
    data = library.to_data(STANDARD)
    del data["limits"][rule]
    with pytest.raises(ValueError, match=r"^limits: an object with doctor, gap-min, "):
        library.from_data(data)


@pytest.mark.parametrize("rule", ["span-min", "gap-max", "month-gap", "reach"])
def test_a_rule_that_a_protocol_need_not_have_can_be_left_out(rule: str) -> None:
    data = library.to_data(STANDARD)
    del data["limits"][rule]
    assert library.from_data(data) == replace(
        STANDARD, limits={name: limit for name, limit in STANDARD.limits.items() if name != rule}
    )


def test_an_unknown_rule_is_refused() -> None:
    data = library.to_data(STANDARD)
    data["limits"]["gap-mim"] = data["limits"]["gap-min"]
    with pytest.raises(
        ValueError, match=r"^limits: .*, nothing else but gap-max, month-gap, month-max, reach, span-min"
    ):
        library.from_data(data)
