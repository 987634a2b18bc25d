"""A visit's rules, code by code, and when its measurements are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from clinic.findings import Finding, Level
from scheduling.protocols.visit_safety import (
    HISTORY,
    VisitFacts,
    alerts,
    at_discharge,
    before_dose,
    earliest_discharge,
    may_leave,
    open_form,
    while_here,
)
from scheduling.protocols.vitals import Stage, Times, Vitals, implausible, impossible, vitals_due

BLOCK, OVERRIDE, WARN = Level.BLOCK, Level.OVERRIDE, Level.WARN
ARRIVED = datetime(2027, 2, 1, 14, tzinfo=UTC)
STARTED = ARRIVED + timedelta(minutes=30)
ENDED = STARTED + timedelta(minutes=40)
HOME = ENDED + timedelta(minutes=120)

Verdict = list[tuple[str, Level]]


def after(minutes: float, since: datetime = ARRIVED) -> datetime:
    return since + timedelta(minutes=minutes)


def took(at: datetime, pressure: tuple[int, int] = (122, 78), spo2: int = 98, sedation: int = 5) -> Vitals:
    systolic, diastolic = pressure
    return Vitals(taken_at=at, systolic=systolic, diastolic=diastolic, heart_rate=70, spo2=spo2, sedation=sedation)


def said(findings: tuple[Finding, ...]) -> Verdict:
    return [(found.rule, found.level) for found in findings]


#: Nothing speaks against the dose of this visit.
WAITING = VisitFacts(
    times=Times(checked_in_at=ARRIVED),
    rounds=(took(after(10)),),
    changed=dict.fromkeys(HISTORY, False),
    confirmed=True,
    escort="Kim Morgan",
)
#: Nothing speaks against the discharge of this one.
OBSERVED = replace(
    WAITING,
    times=Times(checked_in_at=ARRIVED, dose_started_at=STARTED, dose_ended_at=ENDED),
    rounds=(took(after(10)), took(after(105, ENDED)), took(after(118, ENDED))),
)
UNANSWERED = {**WAITING.changed, "liver": None}
CHANGED = {**WAITING.changed, "stroke": True}

BEFORE: list[tuple[str, VisitFacts, Verdict]] = [
    ("all is well", WAITING, []),
    ("no question was asked", replace(WAITING, changed={}), [("new-history", BLOCK)]),
    ("one question is open", replace(WAITING, changed=UNANSWERED), [("new-history", BLOCK)]),
    ("a yes is not reviewed", replace(WAITING, changed=CHANGED), [("new-history", BLOCK)]),
    ("a yes is reviewed", replace(WAITING, changed=CHANGED, reviewed=True), []),
    (
        "a review does not answer a question",
        replace(WAITING, changed=UNANSWERED, reviewed=True),
        [("new-history", BLOCK)],
    ),
    ("item 9 is unseen", replace(WAITING, item_9_unseen=True), [("score-seen", BLOCK)]),
    ("nobody has confirmed the dose", replace(WAITING, confirmed=False), [("dose-check", BLOCK)]),
    ("no pressure was measured", replace(WAITING, rounds=()), [("bp-high", OVERRIDE)]),
    ("the pressure is too old", replace(WAITING, rounds=(took(after(-31)),)), [("bp-high", OVERRIDE)]),
    ("the pressure is an hour old", replace(WAITING, rounds=(took(after(-30)),)), []),
    ("the first dose without a PHQ-9", replace(WAITING, first_dose=True), [("baseline", OVERRIDE)]),
    ("a PHQ-9 of eight days ago", replace(WAITING, first_dose=True, phq9_age=8), [("baseline", OVERRIDE)]),
    ("a PHQ-9 of seven days ago", replace(WAITING, first_dose=True, phq9_age=7), []),
    ("a later dose without a recent PHQ-9", replace(WAITING, phq9_age=30), []),
    ("140/90", replace(WAITING, rounds=(took(after(10), (140, 90)),)), []),
    ("141/90", replace(WAITING, rounds=(took(after(10), (141, 90)),)), [("bp-before", WARN)]),
    ("140/91", replace(WAITING, rounds=(took(after(10), (140, 91)),)), [("bp-before", WARN)]),
    ("159/99", replace(WAITING, rounds=(took(after(10), (159, 99)),)), [("bp-before", WARN)]),
    ("160/80", replace(WAITING, rounds=(took(after(10), (160, 80)),)), [("bp-high", OVERRIDE)]),
    ("150/100", replace(WAITING, rounds=(took(after(10), (150, 100)),)), [("bp-high", OVERRIDE)]),
    ("measured again", replace(WAITING, rounds=(took(after(5), (165, 99)), took(after(15), (138, 88)))), []),
    (
        "a later round without a pressure",
        replace(WAITING, rounds=(took(after(10), (150, 80)), Vitals(taken_at=after(20), spo2=92))),
        [("bp-before", WARN), ("spo2", WARN)],
    ),
    ("too little oxygen", replace(WAITING, rounds=(took(after(10), spo2=93),)), [("spo2", WARN)]),
]


@pytest.mark.parametrize(("facts", "expected"), [row[1:] for row in BEFORE], ids=[row[0] for row in BEFORE])
def test_what_speaks_against_the_dose(facts: VisitFacts, expected: Verdict) -> None:
    assert said(before_dose(facts, now=after(30))) == expected


def rounds_home(*pressures: tuple[int, int]) -> VisitFacts:
    """Observed until two hours after the dose with these pressures, the last one two minutes ago."""
    times = [after(118 - 15 * back, ENDED) for back in range(len(pressures))]
    return replace(OBSERVED, rounds=tuple(map(took, reversed(times), pressures)))


UNGRADED = replace(OBSERVED, rounds=(replace(took(after(118, ENDED)), sedation=None),))

LEAVING: list[tuple[str, VisitFacts, datetime, Verdict]] = [
    ("all is well", OBSERVED, HOME, []),
    ("a minute early", OBSERVED, after(-1, HOME), [("two-hours", BLOCK)]),
    ("a second early", OBSERVED, HOME - timedelta(seconds=1), [("two-hours", BLOCK)]),
    (
        "while the dose is given",
        replace(OBSERVED, times=replace(OBSERVED.times, dose_ended_at=None)),
        HOME,
        [("two-hours", BLOCK), ("bp-leave", BLOCK), ("sedation", BLOCK)],
    ),
    ("sedated", replace(OBSERVED, rounds=(took(after(118, ENDED), sedation=4),)), HOME, [("sedation", BLOCK)]),
    ("awake again", replace(OBSERVED, rounds=(took(after(110, ENDED), sedation=3), took(after(118, ENDED)))), HOME, []),
    ("sedation not graded", UNGRADED, HOME, [("sedation", BLOCK)]),
    (
        "nothing measured since the dose",
        replace(OBSERVED, rounds=WAITING.rounds),
        HOME,
        [("bp-leave", BLOCK), ("sedation", BLOCK)],
    ),
    ("measured half an hour ago", OBSERVED, after(28, HOME), []),
    ("measured longer ago", OBSERVED, after(29, HOME), [("bp-leave", BLOCK), ("sedation", BLOCK)]),
    ("at the limit", rounds_home((120, 70), (140, 90)), HOME, []),
    ("raised and falling", rounds_home((160, 95), (150, 92)), HOME, []),
    ("raised and the same", rounds_home((150, 85), (150, 85)), HOME, [("bp-leave", BLOCK)]),
    ("raised and rising", rounds_home((142, 85), (150, 85)), HOME, [("bp-leave", BLOCK)]),
    ("one part raised and rising", rounds_home((160, 91), (150, 92)), HOME, [("bp-leave", BLOCK)]),
    ("one part raised, the other rising below its limit", rounds_home((160, 80), (150, 85)), HOME, []),
    (
        "raised in the only round",
        replace(OBSERVED, rounds=(took(after(118, ENDED), (150, 85)),)),
        HOME,
        [("bp-leave", BLOCK)],
    ),
    ("alarming and falling", rounds_home((190, 100), (182, 99)), HOME, [("bp-during", WARN)]),
    ("item 9 is unseen", replace(OBSERVED, item_9_unseen=True), HOME, [("score-seen", BLOCK)]),
    ("nobody takes the patient home", replace(OBSERVED, escort=" "), HOME, [("escort", OVERRIDE)]),
]


@pytest.mark.parametrize(("facts", "now", "expected"), [row[1:] for row in LEAVING], ids=[row[0] for row in LEAVING])
def test_what_speaks_against_discharge(facts: VisitFacts, now: datetime, expected: Verdict) -> None:
    assert said(at_discharge(facts, now=now)) == expected
    assert may_leave(facts, now=now) == (BLOCK not in {level for _, level in expected})


ROUNDS: list[tuple[str, Vitals, Stage, Verdict, bool]] = [
    ("179/109 while given", took(STARTED, (179, 109)), Stage.GIVING, [], False),
    ("180/100 while given", took(STARTED, (180, 100)), Stage.GIVING, [("bp-during", WARN)], True),
    ("150/110 while observed", took(ENDED, (150, 110)), Stage.MONITORING, [("bp-during", WARN)], True),
    ("180/110 before the dose", took(ARRIVED, (180, 110)), Stage.BEFORE, [("bp-high", OVERRIDE)], False),
    ("SpO2 94", took(ENDED, spo2=94), Stage.GIVING, [], False),
    ("SpO2 93", took(ENDED, spo2=93), Stage.GIVING, [("spo2", WARN)], False),
    ("SpO2 90", took(ENDED, spo2=90), Stage.MONITORING, [("spo2", WARN)], False),
    ("SpO2 89", took(ENDED, spo2=89), Stage.MONITORING, [("spo2", WARN)], True),
    ("only a heart rate", Vitals(taken_at=ENDED, heart_rate=80), Stage.GIVING, [], False),
]


@pytest.mark.parametrize(
    ("round_", "stage", "expected", "called"), [row[1:] for row in ROUNDS], ids=[row[0] for row in ROUNDS]
)
def test_what_a_round_says_and_when_the_prescriber_is_called(
    round_: Vitals, stage: Stage, expected: Verdict, called: bool
) -> None:
    findings = while_here(round_, stage)

    assert said(findings) == expected
    assert bool(alerts(findings)) == called


def test_a_finding_says_what_was_measured_and_the_limit() -> None:
    (found,) = while_here(took(STARTED, (184, 96), spo2=97), Stage.GIVING)

    assert (found.observed, found.limit) == ("184/96", "180/110")
    assert found.message == "The blood pressure is 184/96: call the prescriber and record what is done."


GIVING = Times(checked_in_at=ARRIVED, dose_started_at=STARTED)
MONITORING = replace(GIVING, dose_ended_at=ENDED)
SPRAYED = replace(GIVING, dose_ended_at=after(10, STARTED))

DUE: list[tuple[str, str, Times, tuple[Vitals, ...], datetime | None]] = [
    ("nobody is here", "iv", Times(), (), None),
    ("before the dose", "iv", Times(checked_in_at=ARRIVED), (), STARTED),
    ("measured before the dose", "iv", Times(checked_in_at=ARRIVED), (took(after(10)),), after(70)),
    ("raised before the dose", "iv", Times(checked_in_at=ARRIVED), (took(after(10), (150, 80)),), after(20)),
    ("the dose begins", "iv", GIVING, (took(after(10)),), after(10, STARTED)),
    ("ten minutes later", "iv", GIVING, (took(after(10, STARTED)),), after(20, STARTED)),
    ("after a late round", "iv", GIVING, (took(after(13, STARTED)),), after(23, STARTED)),
    ("at the end of the dose", "iv", MONITORING, (took(after(30, STARTED)),), ENDED),
    ("after the dose", "iv", MONITORING, (took(ENDED),), after(15, ENDED)),
    ("later after the dose", "iv", MONITORING, (took(after(45, ENDED)),), after(60, ENDED)),
    (
        "no pressure in the round",
        "iv",
        MONITORING,
        (took(ENDED), Vitals(taken_at=after(9, ENDED), spo2=97)),
        after(15, ENDED),
    ),
    ("spray before", "nasal", Times(checked_in_at=ARRIVED), (), STARTED),
    ("spray given", "nasal", SPRAYED, (took(after(10)),), after(40, STARTED)),
    ("spray, an early round beside", "nasal", SPRAYED, (took(after(20, STARTED)),), after(40, STARTED)),
    ("spray, the fortieth minute", "nasal", SPRAYED, (took(after(36, STARTED)),), after(66, STARTED)),
    ("spray, later", "nasal", SPRAYED, (took(after(70, STARTED)),), after(100, STARTED)),
    ("the patient has left", "iv", replace(MONITORING, left_at=HOME), (took(ENDED),), None),
]


@pytest.mark.parametrize(("route", "times", "rounds", "due"), [row[1:] for row in DUE], ids=[row[0] for row in DUE])
def test_when_the_next_round_is_due(route: str, times: Times, rounds: tuple[Vitals, ...], due: datetime | None) -> None:
    assert vitals_due(route=route, times=times, rounds=rounds, dose_planned_at=STARTED) == due


def test_home_is_two_hours_after_the_end_of_the_dose() -> None:
    assert [earliest_discharge(times) for times in (GIVING, MONITORING)] == [None, HOME]


def test_the_steps_that_were_taken_say_where_a_visit_stands() -> None:
    times = [Times(), Times(checked_in_at=ARRIVED), GIVING, MONITORING, replace(MONITORING, left_at=HOME)]

    assert [each.stage for each in times] == list(Stage)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"systolic": 122, "diastolic": 78, "heart_rate": 70, "spo2": 98, "respiratory_rate": 14, "sedation": 5}, []),
        ({"systolic": 301, "diastolic": 78}, ["systolic"]),
        ({"systolic": 39, "diastolic": 20}, ["systolic"]),
        ({"systolic": 80, "diastolic": 80}, ["diastolic"]),
        ({"systolic": 120}, ["diastolic"]),
        ({"diastolic": 80}, ["systolic"]),
        ({"heart_rate": 301}, ["heart_rate"]),
        ({"spo2": 101}, ["spo2"]),
        ({"respiratory_rate": 0}, ["respiratory_rate"]),
        ({"sedation": 6}, ["sedation"]),
    ],
)
def test_impossible_values_are_known(values: dict[str, int], fields: list[str]) -> None:
    assert [doubt.name for doubt in impossible(Vitals(taken_at=ENDED, **values))] == fields


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"systolic": 122, "diastolic": 78}, []),
        ({"systolic": 211, "diastolic": 100}, ["systolic"]),
        ({"systolic": 172, "diastolic": 78}, ["systolic"]),
        ({"systolic": 171, "diastolic": 78}, []),
        ({"heart_rate": 38}, ["heart_rate"]),
        ({"spo2": 87}, ["spo2"]),
        ({"respiratory_rate": 31}, ["respiratory_rate"]),
    ],
)
def test_implausible_values_and_big_changes_are_asked_about(values: dict[str, int], fields: list[str]) -> None:
    previous = took(STARTED)

    assert [doubt.name for doubt in implausible(Vitals(taken_at=ENDED, **values), previous)] == fields


@pytest.mark.parametrize(
    ("drug", "sent", "day", "expected"),
    [
        ("ketamine", False, 2, None),
        ("esketamine", True, 2, None),
        ("esketamine", False, 2, "The monitoring form is due by 2027-02-08."),
        ("esketamine", False, 8, "The monitoring form is due by 2027-02-08."),
        ("esketamine", False, 9, "The monitoring form was due on 2027-02-08."),
    ],
)
def test_the_form_of_esketamine_is_due_within_seven_days(drug: str, sent: bool, day: int, expected: str | None) -> None:
    found = open_form(drug, date(2027, 2, 1), sent=sent, today=date(2027, 2, day))

    assert (found and (found.rule, found.level, found.message)) == (expected and ("rems-form", WARN, expected))
