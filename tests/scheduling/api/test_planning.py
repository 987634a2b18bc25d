"""Protocols, patterns held against them, and proposals by the interface."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.models import Patient
from scheduling.models import ProtocolVersion
from scheduling.protocols import library
from tests.api import Answer, Api, course_body, rows, shown, signed_in
from tests.factories import MONDAY, Clinic, ClosureFactory, StaffFactory, protocol

TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture(autouse=True)
def stored(db: None) -> None:
    for built_in in library.builtin():
        protocol(built_in.code)


def check(api: Api, code: str = "iv-ketamine-standard", **body: Any) -> list[str]:
    answer = api.post(f"protocols/{code}/check/", body)
    assert answer.status == 200
    return [finding["rule"] for finding in answer.body["findings"]]


def test_protocols_are_listed_with_limits_and_visits(desk: Api) -> None:
    answer = desk.get("protocols/")
    spray = answer.body["results"][3]

    assert (answer.status, answer.body["count"]) == (200, 4)
    assert [listed["code"] for listed in answer.body["results"]] == [one.code for one in library.builtin()]
    assert {name: value for name, value in spray.items() if name != "limits"} == {
        "code": "esketamine-trd-us",
        "version": 1,
        "name": "Esketamine nasal spray, US label",
        "route": "nasal",
        "phases": [
            {
                "phase": "initial",
                "fewest": 8,
                "most": 8,
                "planned": 8,
                "days": [0, 3, 7, 10, 14, 17, 21, 24],
                "interval_days": [],
            },
            {
                "phase": "taper",
                "fewest": None,
                "most": None,
                "planned": 4,
                "days": [28, 35, 42, 49],
                "interval_days": [7, 7],
            },
            {
                "phase": "maintenance",
                "fewest": None,
                "most": None,
                "planned": None,
                "days": [],
                "interval_days": [7, 14],
            },
        ],
        "visit": {"prepare": 20, "give": 10, "monitor": 120, "turn_over": 10},
    }
    gap = {"rule": "gap-min", "value": 2, "hours": 40, "level": "override"}
    listed = answer.body["results"][0]["limits"]
    assert gap in [{name: limit[name] for name in gap} for limit in listed]
    assert {limit["source"][0] for limit in listed} == {"C", "D", "P"}


def test_the_newest_version_of_a_protocol_that_is_not_retired_is_offered(desk: Api) -> None:
    first = ProtocolVersion.objects.get(code="iv-ketamine-standard")
    for version, retired in ((2, False), (3, True)):
        ProtocolVersion.objects.create(
            code=first.code, version=version, name=first.name, data={**first.data, "version": version}, retired=retired
        )

    answer = desk.get("protocols/")

    assert sorted((listed["code"], listed["version"]) for listed in answer.body["results"]) == [
        ("esketamine-trd-us", 1),
        ("iv-flex-3-6", 1),
        ("iv-intensive-6in2w", 1),
        ("iv-ketamine-standard", 2),
    ]


def test_protocols_take_three_queries(desk: Api) -> None:
    with CaptureQueriesContext(connection) as queries:
        desk.get("protocols/")

    assert len(queries) == 3  # token, count, versions


@pytest.mark.parametrize(
    ("days", "closed", "rules"),
    [
        ([0, 3, 7, 10, 14, 17], False, []),
        ([0, 1, 2, 3, 4, 5], False, ["gap-min"] * 5 + ["span-min"]),
        ([0, 7, 14], True, ["initial-min"]),
        ([0, 7, 14, 21, 28, 35], False, ["span-max"]),
        ([0, 0], False, ["one-a-day", "gap-min"]),
        ([18, 0], False, ["gap-max", "reach"]),
        ([], False, []),
    ],
)
def test_day_numbers_are_held_against_a_protocol(days: list[int], closed: bool, rules: list[str], desk: Api) -> None:
    assert check(desk, days=days, closed=closed) == rules


def test_times_are_held_against_a_protocol_with_the_hours_between_them(desk: Api) -> None:
    late_and_early = [shown(TUESDAY, "17:00"), shown(TUESDAY + timedelta(days=2), "08:00")]

    assert check(desk, starts_at=late_and_early) == ["gap-min"]
    assert check(desk, starts_at=[shown(TUESDAY), shown(TUESDAY + timedelta(days=2))]) == []


def test_maintenance_is_held_against_its_months(desk: Api) -> None:
    dates = [date(2027, 3, 1), date(2027, 3, 12), date(2027, 3, 30)]

    assert check(desk, phase="maintenance", starts_at=[shown(one) for one in dates]) == ["month-max"]
    assert check(desk, phase="maintenance", days=[0, 9]) == ["month-gap"]


def test_a_pattern_has_either_days_or_times(desk: Api) -> None:
    answers = [
        desk.post("protocols/iv-ketamine-standard/check/", body)
        for body in ({}, {"days": [0], "starts_at": [shown(TUESDAY)]})
    ]

    assert [(answer.status, answer.body["fields"]) for answer in answers] == [
        (400, {"days": ["Give either days or starts_at."]})
    ] * 2


def test_an_unknown_protocol_is_not_found(desk: Api) -> None:
    assert desk.post("protocols/nothing/check/", {"days": []}).status == 404


def propose(api: Api, patient: Patient, **body: Any) -> Answer:
    return api.post("courses/propose/", {"patient": patient.pk, "protocol": "iv-ketamine-standard", **body})


def test_plans_are_proposed_and_can_be_booked_as_they_are(desk: Api, patient: Patient) -> None:
    answer = propose(desk, patient, earliest="2027-02-02")
    plan = answer.body["plans"][0]
    sessions = [{name: row[name] for name in ("starts_at", "chair", "prescriber")} for row in plan["sessions"]]
    booked = desk.post("courses/", course_body(patient.pk, sessions))

    assert (answer.status, answer.body["none"], plan["findings"]) == (200, None, [])
    assert [row["number"] for row in plan["sessions"]] == [1, 2, 3, 4, 5, 6]
    assert [len(row["alternatives"]) for row in plan["sessions"]] == [2] * 6
    assert booked.status == 201
    assert [row["ends_at"] for row in plan["sessions"]] == [row["ends_at"] for row in booked.body["sessions"]]


def test_wishes_are_kept_where_they_can_be(desk: Api, patient: Patient) -> None:
    wishes = {"weekdays": [1, 3], "not_before": "10:00", "not_after": "13:00", "except_dates": ["2027-02-09"]}
    answer = propose(desk, patient, wishes=wishes, sessions=4)
    plan = {plan["label"]: plan for plan in answer.body["plans"]}["wishes"]
    starts = [row["starts_at"] for row in plan["sessions"]]

    assert len(starts) == 4
    assert "2027-02-09" not in {start[:10] for start in starts}
    assert {date.fromisoformat(start[:10]).weekday() for start in starts} <= {1, 3}
    assert all("10:00" <= start[11:16] <= "13:00" for start in starts)


def test_fixed_sessions_stay(desk: Api, clinic: Clinic, patient: Patient) -> None:
    fixed = rows(clinic, [TUESDAY + timedelta(days=2)], "13:00", chair=4)
    answer = propose(desk, patient, fixed=fixed, sessions=4)
    sessions = answer.body["plans"][0]["sessions"]

    kept = [{name: row[name] for name in fixed[0]} for row in sessions if row["chair"] == clinic.chairs[4].pk]
    assert (len(sessions), kept) == (4, fixed)


def test_without_a_plan_the_limit_and_the_first_date_are_named(desk: Api, clinic: Clinic, patient: Patient) -> None:
    ClosureFactory.create(site=clinic.site, day=MONDAY, days=28)
    ClosureFactory.create(site=clinic.site, day=MONDAY + timedelta(days=28), days=365)

    answer = propose(desk, patient)

    assert (answer.status, answer.body["plans"]) == (200, [])
    assert (answer.body["none"]["limit"], answer.body["none"]["first_possible"]) == ("hours", None)
    assert answer.body["none"]["message"] != ""


def test_a_running_course_is_proposed_what_it_lacks(desk: Api, clinic: Clinic, patient: Patient) -> None:
    days = [TUESDAY + timedelta(days=number) for number in (0, 3, 7, 10)]
    course = desk.post("courses/", course_body(patient.pk, rows(clinic, days))).body["id"]

    lacking = desk.post("courses/propose/", {"course": course})
    second = propose(desk, patient)

    assert [row["number"] for row in lacking.body["plans"][0]["sessions"]] == [5, 6]
    assert (second.body["plans"], second.body["none"]["limit"]) == ([], "one-course")


def test_a_proposal_says_whom_it_is_for(desk: Api, patient: Patient) -> None:
    answer = desk.post("courses/propose/", {})
    early = propose(desk, patient, phase="maintenance")

    assert (answer.status, list(answer.body["fields"])) == (400, ["patient", "protocol"])
    assert (early.status, list(early.body["fields"])) == (400, ["phase"])


def test_a_site_at_which_nobody_of_us_works_is_refused(desk: Api, clinic: Clinic, patient: Patient) -> None:
    answer = propose(desk, patient, site=clinic.site.pk + 1)
    homeless = propose(signed_in(StaffFactory.create()), patient)

    assert (answer.status, answer.body["fields"]) == (400, {"site": ["You do not work at this site."]})
    assert (homeless.status, homeless.body["fields"]) == (400, {"site": ["You work at no site yet."]})
